"use strict";
// What a chosen range of time leaves of the tables: their figures are added up again from what the page has of that time.

/** The range of a side, since the recording began, and the intervals that it touches: what was measured is known by these. */
function touched(side) {
  const { borders } = side, from = side.start_ns + side.range.from, to = side.start_ns + side.range.to;
  let first = 0, behind = borders.length - 1;
  while (first < borders.length - 2 && borders[first + 1] <= from) first++;
  while (behind > first + 1 && borders[behind - 1] >= to) behind--;
  return { from, to, first, behind, begins: borders[first], ends: borders[behind] };
}

const ranges = {
  words(from, to) {
    return `${figures.moment(from)} – ${figures.moment(to)}`;
  },

  /** What asks `report` for the same. */
  ask(from, to, what) {
    return `profiler report --time ${Math.floor(from / 1e6)}ms-${Math.ceil(to / 1e6)}ms ${what}`;
  },

  /** A row in which the cells of these columns are others. */
  changed(table, row, cells) {
    return table.columns.map(({ name }, at) => (name in cells ? cells[name] : row[at]));
  },

  /** Rows by their keys, the largest first; as they were where these are equal. Those without any figure are left out. */
  sorted(rows) {
    const some = rows.filter(Boolean);
    some.sort((a, b) => {
      const at = a.keys.findIndex((key, at) => key !== b.keys[at]);
      return at < 0 ? 0 : b.keys[at] - a.keys[at];
    });
    return some.map(({ row }) => row);
  },

  /** What intervals the figures are of, where they are coarser than the range. */
  measured(side, at) {
    const { from, to, begins, ends } = at, count = side.borders.length - 1;
    if (begins === from && ends === to) return `Only of ${ranges.words(from, to)}`;
    return `Of ${ranges.words(begins, ends)}, more than the chosen ${ranges.words(from, to)}: what was measured is known here ${
      count === 1 ? "for all of the time together" : `by intervals of about ${figures.time((side.end_ns - side.start_ns) / count)}`}`;
  },
};

/** How the rows of a table follow a range: by what its figures come from. */
const followers = {
  /** As `report --time` has it: what lies in the range in part counts whole. */
  moments(table, side) {
    const { from, to } = touched(side), when = table.columns.findIndex(({ kind }) => kind === "when"), took = when + 1;
    const rows = table.rows.filter((row) => row[when] < to && (row[when] + row[took] > from || row[when] === from));
    const of = table.more > 0 ? `of the ${figures.count(table.rows.length)} longest` : `of ${figures.count(table.rows.length)}`;
    const scope = `Only what lies in ${ranges.words(from, to)}, if only in part: ${figures.count(rows.length)} ${of}.`;
    return { rows, more: 0, scope };
  },

  samples(table, side, tree) {
    const { streams } = table.follows, cut = cutShort(tree), { from, to } = touched(side);
    const sums = table.rows.map(() => ({ values: streams.map(() => 0), samples: streams.map(() => 0), incomplete: 0 }));
    const totals = streams.map((name, place) => {
      const stream = side.streams.get(name);
      let total = 0;
      if (!stream) return total;
      const { first, end } = recordsWithin(stream, side);
      for (let at = first; at < end; at++) {
        total += stream.value[at];
        const sum = sums[stream.row[at]];
        if (!sum) continue;
        sum.values[place] += stream.value[at];
        sum.samples[place] += stream.number[at];
        if (cut[stream.node[at]]) sum.incomplete += stream.number[at];
      }
      return total;
    });
    const rows = sums.map(({ values, samples, incomplete }, at) => samples.some((number) => number > 0) && {
      keys: values,
      row: [...table.rows[at].slice(0, 2),
        ...values.flatMap((value, place) => [value, totals[place] > 0 ? value / totals[place] * 100 : 0, samples[place]]), incomplete],
    });
    const some = side.one_in > 1 ? ` Estimated from the one sample in ${figures.count(side.one_in)} that the page has.` : "";
    return { rows: ranges.sorted(rows), scope: `Only the samples in ${ranges.words(from, to)}.${some}` };
  },

  calls(table, side) {
    const at = touched(side), { busy, errors } = table.follows;
    table.known ??= table.follows.rows.map(readTimings);
    const total = table.columns.findIndex(({ name }) => name === "total");
    const rows = table.rows.map((row, number) => {
      const sum = timingOf(table.known[number], at), rank = number < busy ? 1 : 0;
      if (sum === null) return null;
      if (sum === undefined) return { keys: [rank, row[total]], row };
      // Errors of the same number in the order of their numbers.
      const most = [...sum.errors].sort(([a, m], [b, n]) => n - m || a - b);
      const cells = {
        calls: sum.count, failed: sum.failed, total: sum.total, average: sum.timed > 0 ? Math.floor(sum.total / sum.timed) : null,
        p50: sum.percentile(50), p90: sum.percentile(90), p99: sum.percentile(99), longest: sum.max,
        errors: most.map(([error, count]) => `${errors[error] ?? "others"} ${count}`).join(", "),
      };
      return { keys: [rank, sum.total], row: ranges.changed(table, row, cells) };
    });
    return { rows: ranges.sorted(rows), scope: `${ranges.measured(side, at)}. A call counts where it ended.`, of: at };
  },

  states(table, side) {
    const at = touched(side), { names } = side.states;
    table.known ??= table.follows.rows.map((text) => readStates(text, names.length));
    table.queues ??= table.follows.queues.map(readTimings);
    const rows = table.rows.map((row, number) => {
      const sum = statesOf(table.known[number], side, at, names.length);
      if (sum.threads === 0) return null;
      const queue = timingOf(table.queues[number], at);
      const cells = {
        threads: sum.threads, waits: sum.waits, preempted: sum.preempted,
        ...Object.fromEntries(names.map((name, state) => [name, sum.ns[state]])),
      };
      const kernel = "of running: kernel", column = table.columns.findIndex(({ name }) => name === kernel);
      if (row[column] !== null) cells[kernel] = sum.kernel;
      if (queue !== undefined) Object.assign(cells, { "runq p99": queue?.percentile(99) ?? null, "runq max": queue?.max ?? null });
      const active = names.reduce((sum, name, state) => sum + (name.includes("(idle)") ? 0 : cells[names[state]]), 0);
      return { keys: [active], row: ranges.changed(table, row, cells) };
    });
    return { rows: ranges.sorted(rows), scope: `${ranges.measured(side, at)}.`, of: at };
  },

  waits(table, side) {
    const at = touched(side), { ranks, texts, waiters, holders, processes } = table.follows;
    table.known ??= table.follows.rows.map(readWaits);
    const rows = table.rows.map((row, number) => {
      const sum = waitsOf(table.known[number], side.borders, at);
      if (sum.count === 0) return null;
      const [place, node] = waiters[number][most(sum.waiters)], holder = most(sum.holders);
      const [who, where] = holder === null ? ["", ""] : holders[number][holder].map((text) => texts[text]);
      const cells = {
        process: texts[processes[number][most(sum.processes)]], waits: Math.round(sum.count), total: sum.total, "±": Math.round(Math.sqrt(sum.squares)),
        average: Math.floor(sum.whole / sum.count), longest: sum.max, "mostly waited at": texts[place], "mostly held by": who,
        "who let go at": where, "of the waits": holder === null ? null : 100 * sum.holders.get(holder).count / Math.max(sum.count, 1), stack: node,
      };
      return { keys: [-ranks[number], sum.total], row: ranges.changed(table, row, cells) };
    });
    const scope = `${ranges.measured(side, at)}. Of waits counts what lies in there; average and longest are of whole waits.`;
    return { rows: ranges.sorted(rows), scope, of: at };
  },
};

/** For each node whether it is of a stack that was cut short. */
function cutShort(tree) {
  if (tree.cut) return tree.cut;
  tree.cut = new Uint8Array(tree.count);
  for (let node = 0; node < tree.count; node++) {
    const frame = tree.frame[node], remark = tree.kinds[tree.kind[frame]].kind === "remark";
    tree.cut[node] = tree.depth[node] === 1 ? Number(remark && tree.labels[frame].startsWith("[incomplete: "))
      : tree.cut[tree.parent[node]] ?? 0;
  }
  return tree.cut;
}

/** What is known of the threads of a row, by runs of intervals. */
function readStates(text, count) {
  const numbers = new Numbers(text), slices = [];
  let first = 0;
  while (!numbers.done) {
    first += numbers.next();
    const behind = first + numbers.next() + 1;
    let mask = numbers.next();
    const all = new Array(count + 9).fill(0);
    for (let at = 0; at < all.length; at++, mask = Math.floor(mask / 2)) if (mask % 2) all[at] = numbers.next();
    const [waits, preempted, calls, anywhere, user, kernel, call, came, went] = all.slice(count);
    slices.push({ first, behind, ns: all.slice(0, count), waits, preempted, calls, anywhere, user, kernel, call, came, went });
  }
  return slices;
}

/** What threads did in some intervals. Of a run of intervals each has its part by its length. */
function statesOf(slices, { borders }, { first, behind }, count) {
  const sum = { ns: new Array(count).fill(0), waits: 0, preempted: 0, calls: 0, anywhere: 0, user: 0, kernel: 0, call: 0, threads: 0 };
  for (const slice of slices) {
    if (slice.first < behind) sum.threads += slice.came;
    if (slice.behind <= first) sum.threads -= slice.went;
    const from = Math.max(slice.first, first), to = Math.min(slice.behind, behind);
    if (from >= to) continue;
    const part = (borders[to] - borders[from]) / (borders[slice.behind] - borders[slice.first]);
    slice.ns.forEach((ns, state) => { sum.ns[state] += ns * part; });
    for (const figure of ["waits", "preempted", "calls", "anywhere"]) sum[figure] += slice[figure] * part;
    for (const figure of ["user", "kernel", "call"]) sum[figure] += slice[figure];
  }
  for (const figure of ["waits", "preempted", "calls", "anywhere"]) sum[figure] = Math.round(sum[figure]);
  sum.ns = sum.ns.map(Math.round);
  // Outside of calls, the kernel's part is that of the samples there; state 0 is running.
  const outside = Math.max(sum.ns[0] - sum.calls - sum.anywhere, 0), { user, kernel, call } = sum;
  const part = (ns, hits, samples) => (samples > 0 ? Math.floor(ns * hits / samples) : 0);
  sum.kernel = sum.calls + part(outside, kernel, user + kernel) + part(sum.anywhere, kernel + call, user + kernel + call);
  return sum;
}

/** The waits of a row, by the intervals that they touch. */
function readWaits(text) {
  const numbers = new Numbers(text), records = [];
  let first = 0;
  while (!numbers.done) {
    const head = numbers.next(), estimated = head % 2 === 1, divided = head % 4 > 1;
    first += Math.floor(head / 4);
    const behind = first + numbers.next() + 1, waiter = numbers.next(), holder = numbers.next() - 1, process = numbers.next();
    const count = numbers.next() / (estimated ? 1000 : 1), whole = numbers.next();
    const record = { first, behind, waiter, holder, process, count, whole, plusMinus: estimated ? numbers.next() : 0, max: numbers.next() };
    if (divided) record.parts = { first: numbers.next(), last: numbers.next(), all: numbers.next() };
    records.push(record);
  }
  return records;
}

/** How long waits were within some intervals: those between the first and the last that they touch, they fill. */
function within({ first, behind, whole, parts }, borders, at) {
  if (!parts) return whole;
  const has = (interval) => interval >= at.first && interval < at.behind;
  const [from, to] = [Math.max(first + 1, at.first), Math.min(behind - 1, at.behind)];
  const inner = parts.all - parts.first - parts.last;
  const filled = from < to ? inner * (borders[to] - borders[from]) / (borders[behind - 1] - borders[first + 1]) : 0;
  return Math.round((has(first) ? parts.first : 0) + filled + (has(behind - 1) ? parts.last : 0));
}

/** The waits that touch some intervals. */
function waitsOf(records, borders, { first, behind }) {
  const sum = { count: 0, total: 0, whole: 0, squares: 0, max: 0, waiters: new Map(), holders: new Map(), processes: new Map() };
  const add = (to, key, { count, total }) => {
    const known = to.get(key) ?? { count: 0, total: 0 };
    to.set(key, { count: known.count + count, total: known.total + total });
  };
  for (const record of records) {
    if (record.first >= behind || record.behind <= first) continue;
    sum.count += record.count;
    const total = within(record, borders, { first, behind }), part = { count: record.count, total };
    sum.total += total;
    sum.whole += record.whole;
    sum.squares += (record.plusMinus * total / Math.max(record.whole, 1)) ** 2;
    sum.max = Math.max(sum.max, record.max);
    add(sum.waiters, record.waiter, part);
    add(sum.processes, record.process, part);
    if (record.holder >= 0) add(sum.holders, record.holder, part);
  }
  return sum;
}

/** The key with the longest time in all, the first of several; `null` if there is none. */
function most(sums) {
  let most = null;
  for (const [key, { total }] of [...sums].sort(([a], [b]) => a - b)) if (most === null || total > sums.get(most).total) most = key;
  return most;
}
