"use strict";
// From the letters in the page to arrays of numbers.

/** Reads rows of whole numbers: five bits a letter, the sixth says that the number goes on. */
class Numbers {
  static values = (() => {
    const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const values = new Uint8Array(128);
    for (let at = 0; at < 64; at++) values[letters.charCodeAt(at)] = at;
    return values;
  })();

  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  get done() {
    return this.at >= this.text.length;
  }

  next() {
    let number = 0, scale = 1;
    for (;;) {
      const bits = Numbers.values[this.text.charCodeAt(this.at++)];
      number += (bits & 31) * scale;
      if (bits < 32) return number;
      scale *= 32;
    }
  }

  signed() {
    const number = this.next();
    return number % 2 ? -(number + 1) / 2 : number / 2;
  }
}

/** The tree of paths: nodes stand before what hangs from them, and `end[node]` is behind all that does. */
function readTree(raw, kinds) {
  const count = raw.count, labels = raw.labels, frames = labels.length;
  const tree = {
    count, labels, kinds,
    module: new Array(frames), kind: new Uint8Array(frames), inlined: new Uint8Array(frames),
    // Frames of one function, inlined or not.
    function: new Uint32Array(frames), functions: 0,
    frame: new Uint32Array(count), parent: new Int32Array(count), depth: new Uint16Array(count),
    end: new Uint32Array(count),
    // The node with which the path begins.
    root: new Uint32Array(count),
    // Whether the function is further out on the path already.
    recurs: new Uint8Array(count),
  };
  const about = new Numbers(raw.about), numbers = new Map();
  for (let frame = 0; frame < frames; frame++) {
    tree.module[frame] = raw.modules[about.next()];
    const bits = about.next();
    tree.inlined[frame] = bits & 1;
    tree.kind[frame] = bits >> 1;
    const name = `${labels[frame]}\0${tree.module[frame]}`;
    if (!numbers.has(name)) numbers.set(name, numbers.size);
    tree.function[frame] = numbers.get(name);
  }
  tree.functions = numbers.size;
  const nodes = new Numbers(raw.nodes), path = [], open = new Uint32Array(tree.functions);
  const leave = (depth, node) => {
    while (path.length > depth) {
      const left = path.pop();
      tree.end[left] = node;
      open[tree.function[tree.frame[left]]]--;
    }
  };
  for (let node = 0; node < count; node++) {
    leave(path.length - nodes.next(), node);
    const frame = nodes.next();
    tree.frame[node] = frame;
    tree.depth[node] = path.length;
    tree.parent[node] = path.length ? path[path.length - 1] : -1;
    tree.root[node] = path.length ? path[0] : node;
    tree.recurs[node] = open[tree.function[frame]]++ > 0 ? 1 : 0;
    path.push(node);
  }
  leave(0, count);
  return tree;
}

/** Samples of one type, in the order of time. */
function readStream(raw, tree) {
  const { count } = raw, numbers = new Numbers(raw.records), rows = new Numbers(raw.rows);
  const stream = {
    name: raw.name, unit: raw.unit, samples: raw.samples, count,
    tick: new Float64Array(count), node: new Uint32Array(count),
    number: new Uint32Array(count), value: new Float64Array(count),
    // Which row of the table of processes it belongs to.
    row: new Uint32Array(count),
  };
  // Of the records of one root each belongs to the same row as the one before, but for some.
  const last = new Map();
  let tick = 0, node = 0, same = rows.done ? Infinity : rows.next();
  for (let at = 0; at < count; at++) {
    const first = numbers.next();
    tick += Math.floor(first / 4);
    node += numbers.signed();
    const number = first & 1 ? numbers.next() : 1;
    stream.tick[at] = tick;
    stream.node[at] = node;
    stream.number[at] = number;
    stream.value[at] = (first & 2 ? numbers.next() : number) * raw.scale;
    if (same-- === 0) {
      last.set(tree.root[node], rows.next());
      same = rows.done ? Infinity : rows.next();
    }
    stream.row[at] = last.get(tree.root[node]);
  }
  return stream;
}

/** Everything in the page; `ready` is when it began to be read. */
function readData() {
  const raw = JSON.parse(document.getElementById("data").textContent);
  const tree = readTree(raw.tree, raw.kinds);
  const sides = raw.sides.map((side, index) => ({
    ...side,
    index,
    name: raw.sides.length === 1 ? "" : index === 0 ? "now" : "before",
    range: null,
    streams: new Map(side.streams.map((stream) => [stream.name, readStream(stream, tree)])),
  }));
  const recorded = new Set(sides.flatMap((side) => [...side.streams.keys()]));
  const listed = new Set(raw.graphs.flatMap((graph) => graph.streams));
  const graphs = raw.graphs.filter((graph) => graph.streams.every((name) => recorded.has(name)));
  for (const name of recorded) {
    // A type of sample that this page has no words for.
    if (!listed.has(name)) graphs.push({ id: name, title: name, time: name, streams: [name], cold: false });
  }
  return { ...raw, tree, sides, graphs };
}
