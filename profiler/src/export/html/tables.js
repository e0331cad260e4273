"use strict";
// Tables: sorted by their heads, a hundred rows at first, each cell text and never markup.

class Tables {
  static rows = 100;

  /** How `report` is asked for what a table has. */
  static asks = { processes: "--by process", states: "--view states", calls: "--view syscalls", locks: "--view locks" };

  constructor(app) {
    this.app = app;
    this.shown = "functions";
    this.side = 0;
    this.sorted = new Map();
    this.room = Tables.rows;
    this.box = document.getElementById("table");
  }

  get tables() {
    return this.app.data.sides[this.side].tables;
  }

  /** The functions of the graph that is shown, of the range that is chosen. */
  functions() {
    const { app } = this, { tree } = app.data, [now, before] = app.weights;
    const rows = functionRows(tree, now);
    if (before) return this.changes(rows, functionRows(tree, before), now, before);
    const table = {
      id: "functions",
      about: `${figures.plural(now.wholeSamples, "sample")}, ${figures.value(now.whole, now.unit)} of ${app.graph.time}${
        app.ranged ? " in the chosen range" : ""}; ± is the 95 % interval`,
      columns: [
        { name: "self", kind: "share", about: "in the function itself" },
        { name: "total", kind: "share", about: "with what it calls" },
        { name: "samples", kind: "count", about: "in the function itself" },
        { name: "function", kind: "function" },
        { name: "module", kind: "text" },
      ],
      rows: rows.map((row) => [
        { part: row.own, whole: now.whole, samples: now.wholeSamples },
        { part: row.total, whole: now.whole, samples: now.wholeSamples },
        row.ownSamples, row.frame, tree.module[row.frame],
      ]),
      more: 0,
    };
    return this.found(table, 3);
  }

  /** The functions of two recordings, what changed most first. */
  changes(rows, others, now, before) {
    const { tree } = this.app.data, all = new Map();
    for (const row of rows) all.set(row.number, { frame: row.frame, now: row });
    for (const row of others) {
      if (all.has(row.number)) all.get(row.number).before = row;
      else all.set(row.number, { frame: row.frame, before: row });
    }
    const share = (row, weights, what) => ({ part: row?.[what] ?? 0, whole: weights.whole, samples: weights.wholeSamples });
    const table = {
      id: "functions",
      about: `now ${figures.plural(now.wholeSamples, "sample")}, before ${figures.plural(before.wholeSamples, "sample")}, each 100 %; changes in percentage points, faint where they may be chance`,
      columns: [
        { name: "self change", kind: "change", about: "points of the share in the function itself" },
        { name: "total change", kind: "change", about: "points of the share with what it calls" },
        { name: "self now", kind: "share" }, { name: "self before", kind: "share" },
        { name: "total now", kind: "share" }, { name: "total before", kind: "share" },
        { name: "function", kind: "function" }, { name: "module", kind: "text" },
      ],
      rows: [...all.values()].map((row) => {
        const [own, total] = ["own", "total"].map((what) => [share(row.now, now, what), share(row.before, before, what)]);
        return [figures.change(...own), figures.change(...total), ...own, ...total, row.frame, tree.module[row.frame]];
      }),
      more: 0,
    };
    table.rows.sort((a, b) => Math.abs(b[0].points) - Math.abs(a[0].points));
    return this.found(table, 6);
  }

  /** Only functions that are searched for. */
  found(table, column) {
    const { found } = this.app;
    if (found) table.rows = table.rows.filter((row) => found[row[column]]);
    return table;
  }

  table() {
    if (this.shown === "functions") return this.app.weights[0] ? this.functions() : null;
    const table = this.tables.find(({ id }) => id === this.shown);
    // Columns in which nothing ever stands only take room.
    const states = new Set(this.app.data.sides[0].states.names);
    const keep = table.columns.map(({ name, kind }, at) => kind !== "node"
      && (kind !== "ns" || !states.has(name) || table.rows.some((row) => row[at] > 0)));
    const within = this.within({ ...table, keep });
    if (table.id !== "states" || within.rows.length === 0) return within;
    const threads = table.columns.findIndex(({ name }) => name === "threads");
    const shown = figures.plural(within.rows.reduce((sum, row) => sum + row[threads], 0), "thread");
    return { ...within, about: `${table.about} ${shown} shown.` };
  }

  /** What the range that is chosen leaves of a table, and what its figures are of; that they are of all time, if they are. */
  within(table) {
    const { tree, sides } = this.app.data, side = sides[this.side];
    if (!side.range) return table;
    const { from, to } = touched(side), what = Tables.asks[table.id], follow = followers[table.follows?.by];
    if (!follow) {
      return { ...table, scope: `Of all of the time, not of the chosen ${ranges.words(from, to)}. ${ranges.ask(from, to, what)} tells that.` };
    }
    const { scope, of, ...rest } = follow(this.tables.find(({ id }) => id === table.id), side, tree);
    const asked = what ? ` ${ranges.ask(of?.begins ?? from, of?.ends ?? to, what)} tells more of it.` : "";
    const more = (rest.more ?? table.more) > 0 ? " Rows that the page leaves out are the last ones of all of the time." : "";
    return { ...table, ...rest, scope: `${scope}${asked}${more}` };
  }

  sort(table, at) {
    const { kind } = table.columns[at], text = kind === "text" || kind === "function";
    const old = this.sorted.get(table.id), up = old && old.at === at ? !old.up : text;
    this.sorted.set(table.id, { at, up });
    this.draw();
    this.box.querySelectorAll("th button")[table.columns.slice(0, at).filter((_, other) => table.keep?.[other] ?? true).length]?.focus();
  }

  order(table) {
    const by = this.sorted.get(table.id);
    if (!by) return table.rows;
    const { kind } = table.columns[by.at], { labels } = this.app.data.tree;
    const key = (cell) => {
      if (kind === "function") return labels[cell].toLowerCase();
      if (kind === "share") return cell.part;
      if (kind === "change") return cell.points;
      return kind === "text" ? String(cell ?? "").toLowerCase() : cell ?? -1;
    };
    const sorted = table.rows.map((row) => [key(row[by.at]), row]);
    sorted.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (by.up ? 1 : -1));
    return sorted.map(([, row]) => row);
  }

  draw() {
    const table = this.table();
    if (!table) {
      this.box.replaceChildren(element("p", { className: "nothing" }, "No samples: there are no functions to show."));
      return;
    }
    const by = this.sorted.get(table.id), rows = this.order(table), body = element("tbody");
    const columns = table.columns.map((column, at) => ({ ...column, at })).filter(({ at }) => table.keep?.[at] ?? true);
    const head = columns.map(({ name, kind, about, at }) => element("th", {
      scope: "col", className: kind, "aria-sort": by?.at === at ? (by.up ? "ascending" : "descending") : "none",
    }, element("button", { type: "button", title: about || "", onclick: () => this.sort(table, at) }, name)));
    if (table.id === "states") head.unshift(element("th", { scope: "col" }, "share"));
    for (const row of rows.slice(0, this.room)) body.append(...this.row(table, columns, row));
    const left = rows.length - Math.min(this.room, rows.length);
    this.box.replaceChildren(
      element("p", { className: "about" }, table.about),
      table.scope ? element("p", { className: "scope" }, table.scope) : "",
      rows.length === 0 ? element("p", { className: "nothing" }, "Nothing to show.")
        : element("div", { className: "scroll", tabIndex: -1 },
          element("table", { className: table.id }, element("thead", {}, element("tr", {}, ...head)), body)),
      left > 0 ? element("button", { type: "button", className: "more", onclick: () => { this.room += 400; this.draw(); } },
        `… ${figures.count(left)} more`) : "",
      table.more > 0 ? element("p", { className: "about" }, `The page leaves out ${figures.plural(table.more, "row")}.`) : "",
    );
  }

  row(table, columns, row) {
    const cells = columns.map((column) => this.cell(column, row[column.at]));
    if (table.id === "states") cells.unshift(this.mix(table, row));
    const made = element("tr", {}, ...cells), stack = table.columns.findIndex(({ kind }) => kind === "node");
    if (stack < 0) return [made];
    // The stack is a row of its own below.
    const opened = element("tr", { className: "stack", hidden: true });
    const open = () => {
      opened.hidden = !opened.hidden;
      made.setAttribute("aria-expanded", String(!opened.hidden));
      if (!opened.firstChild) opened.append(element("td", { colSpan: columns.length }, this.stack(row[stack])));
    };
    made.tabIndex = 0;
    made.classList.add("opens");
    made.setAttribute("aria-expanded", "false");
    made.addEventListener("click", open);
    made.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      open();
    });
    return [made, opened];
  }

  cell({ kind, name }, value) {
    const { tree } = this.app.data;
    if (value === null || value === undefined) return element("td", { className: `${kind} none` }, "·");
    if (kind === "function") {
      const label = tree.labels[value], look = tree.kinds[tree.kind[value]].kind;
      const button = element("button", {
        type: "button", title: `Search for ${label}`, onclick: () => this.app.searchFor(label),
      }, label);
      return element("td", { className: `function ${look.startsWith("kernel") ? "in-kernel" : ""}` }, button);
    }
    if (kind === "share") {
      const cell = element("td", { className: "share" },
        figures.percent(value.part, value.whole),
        element("small", {}, `±${figures.margin(value.part, value.whole, value.samples).toFixed(1)}`));
      this.bar(cell, value.whole > 0 ? value.part / value.whole : 0);
      return cell;
    }
    if (kind === "change") {
      const way = value.points > 0 ? "grown" : "shrunk";
      return element("td", { className: `change ${value.sure ? way : "chance"}` }, figures.points(value));
    }
    if (kind === "percent") {
      const cell = element("td", { className: "share" }, figures.percent(value, 100));
      this.bar(cell, value / 100);
      return cell;
    }
    const faint = value === 0 ? " none" : "";
    if (kind === "text" || kind === "id") {
      const text = String(value);
      return element("td", { className: kind, title: text.length > 28 ? text : "" }, text);
    }
    const text = kind === "ns" ? figures.time(value) : kind === "when" ? figures.moment(value) : figures.count(value);
    return element("td", { className: kind + faint }, value === 0 && name !== "when" ? "·" : text);
  }

  bar(cell, part) {
    cell.style.setProperty("--part", `${Math.min(Math.max(part, 0), 1) * 100}%`);
  }

  /** How a process spent its time, at a glance. */
  mix(table, row) {
    const { names } = this.app.data.sides[this.side].states, first = table.columns.findIndex(({ name }) => name === names[0]);
    const times = names.map((_, state) => row[first + state]), whole = times.reduce((sum, time) => sum + time, 0) || 1;
    const parts = times.map((time, state) => {
      const part = element("i", { title: `${names[state]} ${figures.percent(time, whole)}` });
      part.style.width = `${time / whole * 100}%`;
      part.style.background = colours.states[state];
      return part;
    });
    return element("td", { className: "mix" }, element("div", {}, ...parts));
  }

  stack(node) {
    const { tree } = this.app.data;
    if (node === null || node === undefined) return element("p", { className: "nothing" }, "No frame of it is known.");
    const frames = [];
    let before = "";
    for (let at = node; at >= 0; at = tree.parent[at]) {
      const frame = tree.frame[at];
      // The module stands where it changes.
      const module = tree.module[frame] === before ? "" : before = tree.module[frame];
      frames.push(element("li", { className: tree.inlined[frame] ? "inlined" : "" }, tree.labels[frame],
        element("small", {}, module ? ` ${module}` : "")));
    }
    return element("ol", {}, ...frames);
  }
}
