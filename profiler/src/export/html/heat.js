"use strict";
// When samples were taken: a column for each stretch of time, upwards the offset in it. Choosing cells chooses a range.

class Heat {
  /** Room for times below, where no chart of states above has them. */
  get height() {
    return this.side.states.bins.length > 0 ? 132 : 150;
  }

  constructor(side, app) {
    this.side = side;
    this.app = app;
    this.anchor = null;
    this.cursor = 0;
    this.cells = null;
    this.canvas = element("canvas", {
      className: "heat", tabIndex: 0, role: "application",
      "aria-label": "Heat map of samples over time. Arrow keys move, Shift and arrows select a range, Escape selects all.",
      onmousedown: (event) => this.start(event),
      onmousemove: (event) => this.move(event),
      onmouseleave: () => app.tip.hide(),
      onkeydown: (event) => this.key(event),
      onfocus: () => this.draw(),
      onblur: () => { app.tip.hide(); this.draw(); },
    });
    window.addEventListener("mouseup", () => { this.dragging = false; });
  }

  /** How long a column is, and a cell: so that there are some sixty columns, and seconds where there is time. */
  divide() {
    const { side } = this, length = Math.max(side.end_ns - side.start_ns, 1);
    const short = [1e8, 2e8, 5e8].find((period) => period > side.tick_ns && length / period <= 60);
    const long = [1, 2, 5, 10, 20, 60, 120, 300, 600, 1800, 3600].map((seconds) => seconds * 1e9);
    this.period = short ?? long.find((period) => period > side.tick_ns && length / period <= 1000)
      ?? Math.max(side.tick_ns, length / 1000);
    // No finer than samples are, and whole ticks.
    const least = Math.max(side.tick_ns, 1e9 / (side.frequency_hz || 99), this.period / 40);
    this.cell = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500].map((step) => step * side.tick_ns)
      .find((cell) => cell >= least && this.period % cell === 0) ?? Math.ceil(least / side.tick_ns) * side.tick_ns;
    this.rows = Math.max(Math.ceil(this.period / this.cell), 1);
    this.columns = Math.max(Math.ceil(length / this.period), 1);
  }

  count() {
    this.divide();
    const { side } = this, streams = [...side.streams.values()];
    this.busy = side.streams.has("cpu");
    const stream = side.streams.get("cpu") ?? streams[0];
    this.cells = new Float64Array(this.columns * this.rows);
    if (!stream) return;
    const last = this.cells.length - 1, period = 1e9 / (side.frequency_hz || 99);
    for (let at = 0; at < stream.count; at++) {
      const when = (stream.tick[at] + 0.5) * side.tick_ns, number = stream.number[at];
      if (!this.busy) {
        this.cells[Math.min(this.cellOf(when), last)] += number;
        continue;
      }
      // A sample stands for the period before it, so that cells show time and not the beat of the clock against them.
      for (let from = Math.max(when - period, 0); from < when;) {
        const cell = Math.min(this.cellOf(from), last), to = cell === last ? when : Math.min(this.to(cell), when);
        this.cells[cell] += number * (to - from) / this.length(cell);
        if (to <= from) break;
        from = to;
      }
    }
    const sorted = this.cells.filter((cell) => cell > 0).sort();
    // One cell that is beyond all others does not darken them; nor does the beat where all CPUs are busy.
    const most = sorted[Math.floor(sorted.length * 0.99)] ?? 1;
    this.most = this.busy && most > side.cpus / 2 ? Math.max(side.cpus, 1) : most;
  }

  length(cell) {
    return Math.max(Math.min(this.to(cell), this.side.end_ns - this.side.start_ns) - this.from(cell), this.side.tick_ns);
  }

  cellOf(ns) {
    const column = Math.floor(ns / this.period);
    return column * this.rows + Math.min(Math.floor((ns - column * this.period) / this.cell), this.rows - 1);
  }

  /** When a cell begins. */
  from(cell) {
    const column = Math.floor(cell / this.rows);
    return column * this.period + (cell - column * this.rows) * this.cell;
  }

  to(cell) {
    const column = Math.floor(cell / this.rows);
    return Math.min(this.from(cell) + this.cell, (column + 1) * this.period);
  }

  geometry() {
    const width = this.canvas.parentElement?.clientWidth ?? 0, room = width - GUTTER, { side } = this;
    const column = room * this.period / Math.max(side.end_ns - side.start_ns, 1);
    return { width, room, column, base: this.side.states.bins.length > 0 ? 128 : 132, top: 4 };
  }

  draw() {
    if (!this.cells) this.count();
    const { canvas, side } = this, { width, room, column, base, top } = this.geometry();
    if (width === 0) return;
    const ratio = window.devicePixelRatio || 1, height = this.height;
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.save();
    context.beginPath();
    context.rect(GUTTER, top, room, base - top);
    context.clip();
    context.fillStyle = colours.heat(0);
    context.fillRect(GUTTER, top, room, base - top);
    const row = (base - top) / this.rows, gap = column > 6 ? 1 : 0, line = row > 5 ? 1 : 0;
    // Whole pixels: no seams.
    const y = (up) => Math.round(base - up * row), x = (at) => Math.round(GUTTER + at * column);
    for (let cell = 0; cell < this.cells.length; cell++) {
      const chosen = !side.range || (this.from(cell) < side.range.to && this.to(cell) > side.range.from);
      if (this.cells[cell] === 0 && chosen) continue;
      const at = Math.floor(cell / this.rows), up = cell - at * this.rows;
      context.fillStyle = colours.heat(this.cells[cell] === 0 ? 0 : 0.06 + 0.94 * this.cells[cell] / this.most);
      context.globalAlpha = chosen ? 1 : 0.3;
      context.fillRect(x(at), y(up + 1), Math.max(x(at + 1) - x(at) - gap, 1), y(up) - y(up + 1) - line);
    }
    context.globalAlpha = 1;
    this.outline(context, column, row, base);
    context.restore();
    context.font = `10.5px ${Flame.font}`;
    context.fillStyle = colours.css("--faint");
    context.textAlign = "right";
    context.textBaseline = "middle";
    const period = this.period >= 1e9 ? `${this.period / 1e9} s` : `${this.period / 1e6} ms`;
    context.fillText(period, GUTTER - 6, top + 5);
    context.fillText("0", GUTTER - 6, base - 5);
    if (height > base + 10) drawTimes(context, side, width, base + 10);
  }

  outline(context, column, row, base) {
    const around = (cell, colour) => {
      const at = Math.floor(cell / this.rows), up = cell - at * this.rows;
      context.strokeStyle = colour;
      context.lineWidth = 2;
      context.strokeRect(GUTTER + at * column, base - (up + 1) * row, column, Math.max(row, 3));
    };
    if (document.activeElement === this.canvas) around(this.cursor, colours.css("--accent"));
  }

  at(event) {
    const bounds = this.canvas.getBoundingClientRect(), { column, base, top } = this.geometry();
    const x = Math.min(Math.max(Math.floor((event.clientX - bounds.left - GUTTER) / column), 0), this.columns - 1);
    const part = (base - (event.clientY - bounds.top)) / (base - top);
    const y = Math.min(Math.max(Math.floor(part * this.rows), 0), this.rows - 1);
    return x * this.rows + y;
  }

  start(event) {
    this.dragging = true;
    this.anchor = this.cursor = this.at(event);
    this.moved = false;
  }

  move(event) {
    const cell = this.at(event);
    if (this.dragging && (this.moved || cell !== this.anchor)) {
      this.moved = true;
      this.cursor = cell;
      this.choose();
    }
    this.describe(cell, event);
  }

  describe(cell, event) {
    const { side } = this, from = side.start_ns + this.from(cell), to = side.start_ns + this.to(cell);
    this.app.tip.show([
      `${figures.moment(from)} – ${figures.moment(to)}`,
      this.busy ? ["busy", `${this.cells[cell].toFixed(2)} of ${figures.plural(side.cpus, "CPU")}`]
        : ["samples", figures.count(this.cells[cell])],
      this.dragging || side.range ? null : "drag to choose a range",
    ], event);
  }

  /** From the anchor to the cursor, whichever comes first. */
  choose() {
    const first = Math.min(this.anchor, this.cursor), last = Math.max(this.anchor, this.cursor);
    this.app.select(this.side, this.from(first), this.to(last));
  }

  key(event) {
    const step = { ArrowLeft: -this.rows, ArrowRight: this.rows, ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (event.key === "Escape") {
      this.anchor = null;
      this.app.select(this.side, null);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.anchor = this.cursor;
      this.choose();
    } else if (step !== undefined) {
      event.preventDefault();
      if (!event.shiftKey) this.anchor = null;
      else this.anchor ??= this.cursor;
      this.cursor = Math.min(Math.max(this.cursor + step, 0), this.cells.length - 1);
      if (event.shiftKey) this.choose();
      this.draw();
      const bounds = this.canvas.getBoundingClientRect(), { column } = this.geometry();
      const x = bounds.left + GUTTER + (Math.floor(this.cursor / this.rows) + 1) * column;
      this.describe(this.cursor, { clientX: x, clientY: bounds.top + 20 });
    }
  }
}
