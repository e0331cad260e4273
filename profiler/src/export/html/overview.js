"use strict";
// What threads did when: bars of threads in each state, one for each stretch of time.

/** Room for figures, left of charts over time. */
const GUTTER = 46;

class Overview {
  static height = 96;

  constructor(side, app) {
    this.side = side;
    this.app = app;
    this.drag = null;
    this.canvas = element("canvas", {
      className: "overview", role: "img",
      "aria-label": "Threads by state over time; the table of states has the same in figures.",
      onmousedown: (event) => this.start(event),
      onmousemove: (event) => this.move(event),
      onmouseleave: () => app.tip.hide(),
    });
    window.addEventListener("mouseup", () => { this.drag = null; });
  }

  /** Whether there is anything to draw. */
  get some() {
    return this.side.states.bins.length > 0;
  }

  /** The states that are shown, in the order in which they lie on each other. */
  shown() {
    const idle = (name) => name.includes("(idle)");
    return this.side.states.names
      .map((name, state) => ({ name, state }))
      .filter(({ name, state }) => (this.app.idle || !idle(name)) && this.side.states.bins.some((bin) => bin[state] > 0));
  }

  /** The most threads at once, and at least as many as there are CPUs. */
  most() {
    const shown = this.shown(), { bins } = this.side.states;
    return bins.reduce((most, bin, at) => Math.max(
      most, shown.reduce((sum, { state }) => sum + bin[state], 0) / this.length(at)), this.side.cpus * 1.02);
  }

  /** How long a bin is: the last may be cut. */
  length(bin) {
    const { states, start_ns, end_ns } = this.side;
    return Math.max(Math.min(states.bin_ns, end_ns - start_ns - bin * states.bin_ns), 1);
  }

  draw() {
    const { canvas, side } = this, width = canvas.parentElement?.clientWidth ?? 0;
    if (width === 0) return;
    const ratio = window.devicePixelRatio || 1, height = Overview.height;
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const shown = this.shown(), { bins, bin_ns } = side.states;
    // Charts side by side have one scale.
    const most = nice(Math.max(...this.app.overviews.map((other) => other.most()), 0.1));
    const room = width - GUTTER, base = height - 18, top = 6;
    const x = (ns) => GUTTER + ns / Math.max(side.end_ns - side.start_ns, 1) * room;
    const y = (threads) => base - threads / most * (base - top);
    context.font = `10.5px ${Flame.font}`;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const part of [0, 0.5, 1]) {
      context.fillStyle = colours.css("--line");
      context.fillRect(GUTTER, Math.round(y(most * part)), room, 1);
      context.fillStyle = colours.css("--faint");
      context.fillText(String(+(most * part).toPrecision(3)), GUTTER - 6, y(most * part) + (part === 1 ? 3 : 0));
    }
    bins.forEach((bin, at) => {
      let sum = 0;
      const left = x(at * bin_ns), right = x(at * bin_ns + this.length(at));
      for (const { state } of shown) {
        const threads = bin[state] / this.length(at);
        const from = y(sum), to = y(sum += threads);
        context.fillStyle = colours.states[state];
        context.fillRect(left, to, Math.max(right - left - (right - left > 4 ? 1 : 0), 0.5), from - to);
      }
    });
    if (side.cpus && side.cpus < most) {
      context.strokeStyle = colours.css("--ink");
      context.setLineDash([4, 3]);
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(GUTTER, Math.round(y(side.cpus)) + 0.5);
      context.lineTo(width, Math.round(y(side.cpus)) + 0.5);
      context.stroke();
      context.setLineDash([]);
      context.fillStyle = colours.css("--ink");
      const words = figures.plural(side.cpus, "CPU"), wide = context.measureText(words).width;
      context.fillStyle = colours.css("--page");
      context.globalAlpha = 0.8;
      context.fillRect(width - wide - 6, y(side.cpus) - 14, wide + 6, 13);
      context.globalAlpha = 1;
      context.fillStyle = colours.css("--ink");
      context.fillText(words, width - 3, y(side.cpus) - 7);
    }
    drawTimes(context, side, width, base + 10);
    shadeOutside(context, side, width, top, base);
  }

  when(event) {
    const bounds = this.canvas.getBoundingClientRect(), { side } = this;
    const part = (event.clientX - bounds.left - GUTTER) / (bounds.width - GUTTER);
    return Math.min(Math.max(part, 0), 1) * (side.end_ns - side.start_ns);
  }

  start(event) {
    this.drag = this.when(event);
    event.preventDefault();
  }

  move(event) {
    const { side } = this, { bins, bin_ns, names } = side.states, at = this.when(event);
    if (this.drag !== null && Math.abs(at - this.drag) > side.tick_ns / 2) {
      this.app.select(side, Math.min(at, this.drag), Math.max(at, this.drag));
    }
    const number = Math.min(Math.floor(at / bin_ns), bins.length - 1), bin = bins[number];
    if (!bin) return;
    const threads = (state) => bin[state] / this.length(number);
    const pairs = this.shown().filter(({ state }) => bin[state] > 0).reverse()
      .map(({ state }) => [names[state], threads(state).toFixed(2)]);
    const from = side.start_ns + number * bin_ns, to = from + this.length(number);
    this.app.tip.show([`${figures.moment(from)} – ${figures.moment(to)}`, "threads on average", ...pairs], event);
  }
}

/** The next round number. */
function nice(number) {
  const power = 10 ** Math.floor(Math.log10(number));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= number) * power;
}

/** Times below a chart. */
function drawTimes(context, side, width, y) {
  const length = side.end_ns - side.start_ns, room = width - GUTTER;
  if (length <= 0) return;
  const step = nice(length / 1e9 / Math.max(Math.floor(room / 90), 1)) * 1e9;
  context.fillStyle = colours.css("--faint");
  context.font = `10.5px ${Flame.font}`;
  context.textBaseline = "middle";
  const first = Math.ceil(side.start_ns / step) * step;
  for (let at = first; at <= side.end_ns; at += step) {
    const x = GUTTER + (at - side.start_ns) / length * room;
    context.textAlign = x < GUTTER + 12 ? "left" : x > width - 20 ? "right" : "center";
    context.fillText(`${+(at / 1e9).toPrecision(6)} s`, x, y);
  }
}

/** Covers what is not in the selected range. */
function shadeOutside(context, side, width, top, base) {
  if (!side.range) return;
  const length = Math.max(side.end_ns - side.start_ns, 1), room = width - GUTTER;
  const x = (ns) => GUTTER + ns / length * room;
  context.globalAlpha = 0.72;
  context.fillStyle = colours.css("--page");
  context.fillRect(GUTTER, top - 2, x(side.range.from) - GUTTER, base - top + 3);
  context.fillRect(x(side.range.to), top - 2, width - x(side.range.to), base - top + 3);
  context.globalAlpha = 1;
  context.fillStyle = colours.css("--accent");
  context.fillRect(x(side.range.from) - 1, top - 2, 1.5, base - top + 3);
  context.fillRect(x(side.range.to) - 0.5, top - 2, 1.5, base - top + 3);
}
