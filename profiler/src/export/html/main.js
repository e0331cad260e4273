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
    this.drawLegends();
  },

  drawLegends() {
    const { data } = this, swatch = (name, colour) => {
      const mark = element("i");
      mark.style.background = colour;
      return element("li", {}, mark, name);
    };
    const states = this.overviews.find((overview) => overview.some);
    document.getElementById("states-legend").replaceChildren(
      ...(states ? states.shown().map(({ name, state }) => swatch(name, colours.states[state])) : []));
    const kinds = document.getElementById("kinds-legend");
    if (!this.graph) return kinds.replaceChildren();
    if (this.compares) {
      const points = [-10, -3, -0.5, 0, 0.5, 3, 10];
      return kinds.replaceChildren(
        ...points.map((at) => swatch(at === 0 ? "no change" : `${at > 0 ? "+" : "−"}${Math.abs(at)}`, colours.change({ points: at, sure: true }))),
        element("li", {}, "percentage points of all samples; pale: may be chance"));
    }
    const { tree } = data, used = new Set(tree.kind);
    const look = (kind) => (this.graph.cold ? kind.cold : kind.hot);
    const shown = data.kinds.map((kind, at) => ({ ...kind, at })).filter(({ at, kind }) => used.has(at)
      && (kind !== "waiting" || this.graph.streams.length > 1));
    kinds.replaceChildren(...shown.map((kind) => swatch(kind.kind, colours.rgb(colours.mix(...look(kind), 0.5)))),
      tree.inlined.some((inlined) => inlined) ? element("li", { className: "inlined" }, "inlined: paler, in italics") : "");
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
    ["samples", app.flames.map((flame) => figures.count(flame.samples(node))).join(" now, ")],
  ];
}

/** A row of tabs, of which one is chosen; arrow keys go from one to the next. */
function tabs(box, all, chosen, choose) {
  const role = box.getAttribute("role") === "tablist" ? "tab" : "radio";
  const state = role === "tab" ? "aria-selected" : "aria-checked";
  const made = all.map(({ id, title }) => element("button", {
    type: "button", role, id: `${box.id}-${id}`, [state]: String(id === chosen), tabIndex: id === chosen ? 0 : -1,
    onclick: (event) => {
      for (const other of made) {
        other.setAttribute(state, String(other === event.currentTarget));
        other.tabIndex = other === event.currentTarget ? 0 : -1;
      }
      choose(id);
    },
  }, title));
  box.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key], at = made.indexOf(document.activeElement);
    if (!step || at < 0) return;
    const next = made[(at + step + made.length) % made.length];
    next.focus();
    next.click();
  };
  box.replaceChildren(...made);
}

/** A trace without the way to it. */
function fileOf(side) {
  return side.trace.split("/").pop();
}

/** The head: who was recorded, and how far it can be trusted. */
function drawHead(data) {
  const [now, before] = data.sides, began = now.began_ms ? new Date(now.began_ms).toISOString().replace("T", " ").slice(0, 19) : "";
  document.title = `${now.host || "profile"} · ${fileOf(now)}`;
  document.getElementById("host").textContent = now.host || "unknown host";
  document.getElementById("origin").textContent = [
    fileOf(now) + (before ? ` against ${fileOf(before)}` : ""), now.selected ? `only ${now.selected}` : "", began ? `${began} UTC` : "",
  ].filter(Boolean).join(" · ");
  document.getElementById("command").textContent = [data.program, now.command].filter(Boolean).join(" · ");
  document.getElementById("quality").replaceChildren(...data.sides.map((side) => element("div", { className: "side" },
    element("p", { className: "line" }, side.name ? element("b", { className: "which" }, side.name) : "",
      ...side.quality.split(" · ").flatMap((part, at) => [at ? element("span", {}, " · ") : "", part])),
    element("p", { className: "more" }, [side.name ? fileOf(side) : "", side.about].filter(Boolean).join(" · ")),
    side.warnings.length + side.left_out.length > 0 ? element("ul", { className: "warnings" },
      ...side.warnings.map((warning) => element("li", {}, warning)),
      ...side.left_out.map((left) => element("li", {}, `left out: ${left}`))) : "")));
}

/** Makes the charts over time and the flame graphs, one of each for each side. */
function build(data) {
  const times = document.getElementById("times"), flames = document.getElementById("flames");
  for (const side of data.sides) {
    const overview = new Overview(side, app), heat = new Heat(side, app);
    const box = element("div", { className: "side" }, side.name ? element("h3", {}, `${side.name} · ${fileOf(side)}`) : "");
    if (overview.some) {
      app.overviews.push(overview);
      box.append(element("div", { className: "chart" }, overview.canvas));
    } else {
      box.append(element("p", { className: "nothing" }, side.states.recorded
        ? "No thread was selected of which it is known how it spent this time."
        : "How threads spent their time was not recorded (record with --probe states, or without --probe)."));
    }
    if (side.streams.size > 0) {
      app.heats.push(heat);
      box.append(element("div", { className: "chart" }, heat.canvas));
    }
    times.append(box);
    const flame = new Flame(app.shared, side);
    if (app.graph) app.flames.push(flame);
    flames.append(element("div", { className: "side" }, side.name ? element("h3", {}, `${side.name} · ${fileOf(side)}`) : "",
      element("p", { className: "nothing", hidden: Boolean(app.graph) }, "No samples: no sample was selected, or none was recorded."),
      app.graph ? flame.canvas : ""));
  }
  document.body.classList.toggle("compares", app.compares);
}

function listen(data) {
  const search = document.getElementById("search"), turn = document.getElementById("turn");
  let typed = 0;
  search.addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(() => app.search(search.value), 120);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Escape") search.value = "";
    if (event.key === "Escape" || event.key === "Enter") {
      clearTimeout(typed);
      app.search(search.value);
    }
    if (event.key === "Enter") app.flames[0]?.canvas.focus();
  });
  const turned = () => {
    app.shared.inverted = !app.shared.inverted;
    turn.setAttribute("aria-pressed", String(!app.shared.inverted));
    app.drawFlames();
  };
  turn.addEventListener("click", turned);
  turn.setAttribute("aria-pressed", String(!app.shared.inverted));
  document.getElementById("unzoom").addEventListener("click", () => app.shared.zoom(ALL));
  document.getElementById("idle").addEventListener("change", (event) => {
    app.idle = event.target.checked;
    app.drawTimes();
    app.drawLegends();
  });
  const swap = () => app.theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  document.getElementById("theme").addEventListener("click", swap);
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "i") turned();
    else if (event.key === "t") swap();
  });
  let resized = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(resized);
    resized = requestAnimationFrame(() => { app.drawFlames(); app.drawTimes(); });
  });
  // Paper is light.
  let before = null;
  window.addEventListener("beforeprint", () => { before = document.documentElement.dataset.theme; app.theme("light"); });
  window.addEventListener("afterprint", () => { if (before) app.theme(before); });
}

function start() {
  const preferred = window.matchMedia("(prefers-color-scheme: dark)");
  app.theme(preferred.matches ? "dark" : "light");
  preferred.addEventListener("change", (event) => app.theme(event.matches ? "dark" : "light"));
  const data = readData();
  app.data = data;
  app.tip = new Tooltip(document.getElementById("tip"));
  app.tables = new Tables(app);
  app.graph = data.graphs.find(({ id }) => id === data.first) ?? data.graphs[0] ?? null;
  app.shared.tree = data.tree;
  drawHead(data);
  build(data);
  tabs(document.getElementById("graph-tabs"), data.graphs, app.graph?.id, (id) => {
    app.graph = data.graphs.find((graph) => graph.id === id);
    app.weighAll();
    app.drawLegends();
  });
  const tables = [{ id: "functions", title: "Functions" }, ...data.sides[0].tables];
  tabs(document.getElementById("table-tabs"), tables, "functions", (id) => {
    app.tables.shown = id;
    app.tables.room = Tables.rows;
    app.tables.draw();
  });
  if (app.compares) {
    tabs(document.getElementById("side-tabs"), data.sides.map(({ name, index }) => ({ id: String(index), title: name })), "0",
      (id) => { app.tables.side = Number(id); app.tables.draw(); });
  }
  listen(data);
  app.weighAll();
  app.drawTimes();
  app.drawLegends();
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
}

start();
