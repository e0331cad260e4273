"use strict";
// What is shown, and what happens when somebody points, types or chooses.

const app = {
  data: null,
  graph: null,
  /** Of each side. */
  weights: [],
  flames: [],
  overviews: [],
  heats: [],
  /** Of each frame whether it is searched for; `null`: nothing is. */
  found: null,
  idle: false,
  tip: null,
  tables: null,

  /** Whether a range is chosen on some side. */
  get ranged() {
    return this.data.sides.some((side) => side.range);
  },

  get compares() {
    return this.data.sides.length > 1;
  },

  /** Chooses a range of time, in nanoseconds since the begin of what is shown; `null`: all of it. */
  select(side, from, to) {
    if (from === null) side.range = null;
    else {
      const tick = side.tick_ns, length = side.end_ns - side.start_ns;
      side.range = { from: Math.floor(from / tick) * tick, to: Math.min(Math.ceil(to / tick) * tick, length) };
    }
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = null;
      this.weighAll();
      this.drawTimes();
      this.drawRanges();
    });
  },

  weighAll() {
    const { data, graph } = this;
    this.tip.hide();
    this.weights = graph ? data.sides.map((side) => weigh(data.tree, side, graph)) : [];
    this.flames.forEach((flame, at) => { flame.weights = this.weights[at]; });
    this.colour();
    this.drawFlames();
    this.countFound();
    this.tables.draw();
  },

  /** By what frames are, or by what changed. */
  colour() {
    const { data, graph, shared } = this;
    if (!graph) return;
    if (this.compares && this.weights.every((weights) => weights.recorded && weights.whole > 0)) {
      const known = new Map();
      shared.colour = (node) => {
        if (!known.has(node)) known.set(node, colours.change(figures.change(this.flames[0].share(node), this.flames[1].share(node))));
        return known.get(node);
      };
      shared.ink = document.documentElement.dataset.theme === "dark" ? "#f4f4f5" : "#17181b";
    } else {
      const all = colours.frames(data.tree, graph.cold);
      shared.colour = (node) => all[data.tree.frame[node]];
      shared.ink = "#17181b";
    }
  },

  drawFlames() {
    document.getElementById("flames").classList.toggle("down", this.shared.inverted);
    for (const flame of this.flames) {
      const { weights } = flame, nothing = flame.canvas.parentElement.querySelector(".nothing");
      const why = !weights?.recorded ? "Not recorded." : weights.whole === 0 ? "No samples in the chosen range." : "";
      nothing.textContent = why;
      nothing.hidden = why === "";
      flame.canvas.hidden = why !== "";
      if (why) continue;
      if (flame.zoomed !== ALL && !(flame.total(flame.zoomed) > 0)) flame.zoomed = ALL;
      flame.draw();
    }
    document.getElementById("unzoom").disabled = this.flames.every((flame) => flame.zoomed === ALL);
  },

  drawTimes() {
    for (const chart of [...this.overviews, ...this.heats]) chart.draw();
  },

  /** What range is chosen, and how to have all of it again. */
  drawRanges() {
    const { data } = this, box = document.getElementById("ranges");
    box.replaceChildren(...data.sides.filter((side) => side.range).map((side) => {
      const from = figures.moment(side.start_ns + side.range.from);
      const to = figures.moment(side.start_ns + side.range.to);
      const words = `${side.name ? `${side.name}: ` : ""}${from} – ${to}`;
      return element("button", {
        type: "button", className: "chip", title: "Show all of the time", "aria-label": `Only ${words}; show all of the time`,
        onclick: () => this.select(side, null),
      }, `${words}  ✕`);
    }));
  },

  search(text) {
    const input = document.getElementById("search"), { tree } = this.data;
    input.setCustomValidity("");
    input.removeAttribute("aria-invalid");
    this.found = null;
    if (text !== "") {
      try {
        // As in the command's own filter: without capitals, case does not matter.
        const wanted = new RegExp(text, /\p{Lu}/u.test(text) ? "u" : "iu");
        this.found = Uint8Array.from(tree.labels, (label, frame) => (wanted.test(label) || wanted.test(tree.module[frame]) ? 1 : 0));
      } catch {
        input.setAttribute("aria-invalid", "true");
      }
    }
    this.shared.found = this.found;
    this.drawFlames();
    this.countFound();
    this.tables.draw();
  },

  /** Searches for a function by its whole name, as a click on it in the table does. */
  searchFor(label) {
    const input = document.getElementById("search");
    input.value = `^${label.replace(/[.*+?^${}()|[\]\\\/-]/g, "\\$&").replace(/\\-/g, "-").replace(/\\\//g, "/")}$`;
    this.search(input.value);
    document.getElementById("graphs").scrollIntoView({ block: "start" });
  },

  /** Which share of what is shown is in what is searched for; on one path it counts once. */
  countFound() {
    const box = document.getElementById("matched"), { tree } = this.data;
    if (!this.found || this.flames.length === 0) {
      box.textContent = document.getElementById("search").hasAttribute("aria-invalid") ? "not a regular expression" : "";
      return;
    }
    const shares = this.flames.filter((flame) => flame.weights?.whole > 0).map((flame) => {
      let part = 0, frames = 0;
      const inside = flame.zoomed === ALL ? 0 : flame.zoomed, end = flame.zoomed === ALL ? tree.count : tree.end[flame.zoomed];
      for (let node = inside; node < end;) {
        if (this.found[tree.frame[node]] && flame.weights.total[node] > 0) {
          part += flame.weights.total[node];
          frames++;
          node = tree.end[node];
        } else node++;
      }
      const name = flame.side.name ? `${flame.side.name} ` : "";
      return frames === 0 ? `${name}none` : `${name}${figures.share(part, flame.total(flame.zoomed), flame.samples(flame.zoomed))}`;
    });
    box.textContent = shares.length ? `matched ${shares.join(" · ")}` : "";
  },

  theme(name) {
    document.documentElement.dataset.theme = name;
    colours.known.clear();
    if (!this.data) return;
    this.colour();
    this.drawFlames();
    this.drawTimes();
    drawLegends();
  },
};

/** What all flame graphs have in common. */
app.shared = {
  tree: null,
  // The page begins with callers above: what matters most is on the first screen.
  inverted: true,
  found: null,
  ink: "#17181b",
  colour: () => "#ccc",

  zoom(node) {
    for (const flame of app.flames) flame.zoomed = node !== ALL && !(flame.weights?.total[node] > 0) ? ALL : node;
    app.drawFlames();
    app.countFound();
    const shown = app.flames.find((flame) => flame.zoomed === node);
    if (shown) app.shared.say(node, shown, "shows ");
  },

  hover(node, flame, event) {
    for (const other of app.flames) {
      if (other.hovered === node) continue;
      other.hovered = node;
      if (other.weights && !other.canvas.hidden) other.draw();
    }
    if (node === null || !event) return app.tip.hide();
    app.tip.show(describe(node, flame), event);
  },

  say(node, flame, before = "") {
    const { part, whole, samples } = flame.share(node);
    document.getElementById("said").textContent = `${before}${flame.label(node)}: ${figures.share(part, whole, samples)}, ${
      figures.plural(flame.samples(node), "sample")}`;
    const level = flame.rows[flame.level(node)]?.find((box) => box.node === node);
    if (!level || document.activeElement !== flame.canvas) return;
    const bounds = flame.canvas.getBoundingClientRect();
    app.tip.show(describe(node, flame), {
      clientX: bounds.left + level.x, clientY: bounds.top + flame.top(flame.level(node)) + 6,
    });
  },
};

/** What is known of a frame. */
function describe(node, flame) {
  const { tree } = app.data, frame = node === ALL ? null : tree.frame[node], { unit } = flame.weights;
  const about = frame === null ? "" : [tree.inlined[frame] ? "inlined" : "", tree.kinds[tree.kind[frame]].kind, tree.module[frame]]
    .filter(Boolean).join(" · ");
  const lines = [flame.label(node), about];
  const figuresOf = (flame) => {
    const { part, whole, samples } = flame.share(node);
    const own = node === ALL ? 0 : flame.weights.own[node];
    return [
      [flame.side.name || "share", `${figures.share(part, whole, samples)} points`],
      flame.zoomed === ALL || node === ALL ? null
        : ["of the zoomed", figures.percent(part, flame.total(flame.zoomed))],
      [app.graph.time, figures.value(part, unit)],
      ["samples", figures.count(flame.samples(node))],
      own > 0 ? ["self", figures.percent(own, whole)] : null,
    ];
  };
  const compared = app.compares && app.flames.every((flame) => flame.weights.whole > 0);
  if (!compared) return [...lines, ...figuresOf(flame)];
  const change = figures.change(app.flames[0].share(node), app.flames[1].share(node));
  return [
    ...lines,
    ["change", `${figures.points(change)} points`],
    change.sure ? null : "less than its 95 % interval: may be chance",
    ...app.flames.flatMap((flame) => figuresOf(flame).slice(0, 1)),
    ["samples", app.flames.map((flame) => `${figures.count(flame.samples(node))} ${flame.side.name}`).join(", ")],
  ];
}
