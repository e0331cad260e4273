"use strict";
// What every node of the tree weighs: for one recording, one graph and one range of time.

/** The first of the ascending `ticks` that is not below `tick`. */
function firstFrom(ticks, tick) {
  let low = 0, high = ticks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ticks[middle] < tick) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Which records of a stream lie in the chosen range: the first, and the one behind the last. */
function recordsWithin(stream, { range, tick_ns }) {
  if (!range) return { first: 0, end: stream.count };
  return { first: firstFrom(stream.tick, Math.floor(range.from / tick_ns)), end: firstFrom(stream.tick, Math.ceil(range.to / tick_ns)) };
}

/** Own and total values and samples of all nodes, and where each begins if they lie side by side. */
function weigh(tree, side, graph) {
  const { count } = tree;
  const weights = {
    own: new Float64Array(count), total: new Float64Array(count),
    ownSamples: new Float64Array(count), samples: new Float64Array(count),
    start: new Float64Array(count), whole: 0, wholeSamples: 0, unit: "count", recorded: false,
  };
  // Among waiting threads alone nobody has to be told that they wait.
  const waiting = tree.kinds.findIndex(({ kind }) => kind === "waiting"), alone = graph.streams.length === 1;
  for (const name of graph.streams) {
    const stream = side.streams.get(name);
    if (!stream) continue;
    weights.recorded = true;
    weights.unit = stream.unit;
    const { first, end } = recordsWithin(stream, side);
    for (let at = first; at < end; at++) {
      let node = stream.node[at];
      if (alone && tree.kind[tree.frame[node]] === waiting) node = tree.parent[node];
      weights.own[node] += stream.value[at];
      weights.ownSamples[node] += stream.number[at];
    }
  }
  const { total, samples, start } = weights;
  total.set(weights.own);
  samples.set(weights.ownSamples);
  for (let node = count - 1; node >= 0; node--) {
    const parent = tree.parent[node];
    if (parent < 0) {
      weights.whole += total[node];
      weights.wholeSamples += samples[node];
    } else {
      total[parent] += total[node];
      samples[parent] += samples[node];
    }
  }
  // Where the next child of each node begins.
  const next = new Float64Array(count);
  let nextRoot = 0;
  for (let node = 0; node < count; node++) {
    const parent = tree.parent[node];
    start[node] = parent < 0 ? nextRoot : next[parent];
    if (parent < 0) nextRoot += total[node];
    else next[parent] += total[node];
    next[node] = start[node];
  }
  return weights;
}

/** Self and total of every function, counted once for the same weights. */
function functionRows(tree, weights) {
  return weights.functions ??= countFunctions(tree, weights);
}

/** A recursive function counts once in its total. */
function countFunctions(tree, weights) {
  const rows = new Map();
  const kindOf = (name) => tree.kinds.findIndex(({ kind }) => kind === name);
  const process = kindOf("process"), remark = kindOf("remark"), waiting = kindOf("waiting");
  const row = (node) => {
    const frame = tree.frame[node], number = tree.function[frame];
    if (!rows.has(number)) {
      rows.set(number, { number, frame, own: 0, total: 0, ownSamples: 0, samples: 0 });
    }
    return rows.get(number);
  };
  for (let node = 0; node < tree.count; node++) {
    if (!(weights.samples[node] > 0)) continue;
    const kind = tree.kind[tree.frame[node]];
    // A process is no function; a remark is one where it stands for code that is not known.
    if (kind === process || kind === waiting || (kind === remark && !(weights.ownSamples[node] > 0))) continue;
    const to = row(node);
    if (!tree.recurs[node]) {
      to.total += weights.total[node];
      to.samples += weights.samples[node];
    }
    to.own += weights.own[node];
    to.ownSamples += weights.ownSamples[node];
  }
  // The end of a waiting thread's stack counts for the function that waits.
  for (let node = 0; node < tree.count; node++) {
    if (tree.kind[tree.frame[node]] !== waiting || !(weights.ownSamples[node] > 0)) continue;
    const to = row(tree.parent[node]);
    to.own += weights.own[node];
    to.ownSamples += weights.ownSamples[node];
  }
  return [...rows.values()].sort((a, b) => b.own - a.own || b.total - a.total
    || (tree.labels[a.frame] < tree.labels[b.frame] ? -1 : 1));
}
