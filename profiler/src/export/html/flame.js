"use strict";
// One flame graph on a canvas: draws what can be seen, and says what is under the pointer or the keyboard.

/** The node above all others, which is in no tree. */
const ALL = -1;

class Flame {
  static row = 17;
  /** Frames narrower than this many pixels are not drawn. */
  static least = 0.8;
  /** Rows at the far end without a frame of so many pixels are not drawn: they are for who zooms in. */
  static worth = 2.5;

  /**
   * `shared` is what graphs side by side have in common: tree, inverted, found (by frame), colour(node), zoom(node),
   * hover(node, flame, event), say(text).
   */
  constructor(shared, side) {
    this.shared = shared;
    this.side = side;
    this.weights = null;
    this.zoomed = ALL;
    this.hovered = null;
    this.focused = ALL;
    // What was drawn: a list for each row, left to right.
    this.rows = [];
    this.canvas = element("canvas", {
      tabIndex: 0, className: "flame", role: "application",
      "aria-label": "Flame graph. Arrow keys move, Enter zooms, Escape shows all.",
      onmousemove: (event) => this.hover(event),
      onmouseleave: () => this.leave(),
      onclick: (event) => this.click(event),
      onkeydown: (event) => this.key(event),
      onfocus: () => this.draw(),
      onblur: () => { this.shared.hover(null, this); this.draw(); },
    });
  }

  total(node) {
    return node === ALL ? this.weights.whole : this.weights.total[node];
  }

  samples(node) {
    return node === ALL ? this.weights.wholeSamples : this.weights.samples[node];
  }

  begin(node) {
    return node === ALL ? 0 : this.weights.start[node];
  }

  level(node) {
    return node === ALL ? 0 : this.shared.tree.depth[node] + 1;
  }

  parent(node) {
    return node === ALL ? null : this.shared.tree.parent[node];
  }

  label(node) {
    return node === ALL ? "all" : this.shared.tree.labels[this.shared.tree.frame[node]];
  }

  /** What of the whole a frame is. */
  share(node) {
    return { part: this.total(node), whole: this.weights.whole, samples: this.weights.wholeSamples };
  }

  /** Lays out what can be seen: the frames above the zoomed one at full width, and all below it by their share. */
  layout(width) {
    const { tree } = this.shared, rows = [];
    const put = (node, x, w) => (rows[this.level(node)] ??= []).push({ node, x, w });
    for (let node = this.zoomed; node !== null; node = this.parent(node)) put(node, 0, width);
    const base = this.begin(this.zoomed), scale = width / (this.total(this.zoomed) || 1);
    const first = this.zoomed === ALL ? 0 : this.zoomed + 1;
    const end = this.zoomed === ALL ? tree.count : tree.end[this.zoomed];
    for (let node = first; node < end;) {
      const w = this.weights.total[node] * scale;
      if (w < Flame.least) {
        node = tree.end[node];
        continue;
      }
      put(node, (this.weights.start[node] - base) * scale, w);
      node++;
    }
    const last = rows.findLastIndex((row) => row.some((box) => box.w >= Flame.worth));
    this.rows = rows.slice(0, Math.max(last, this.level(this.zoomed)) + 1);
  }

  draw() {
    const { canvas } = this, width = canvas.parentElement?.clientWidth ?? 0;
    if (!this.weights || width === 0) return;
    this.layout(width);
    const height = Math.max(this.rows.length, 3) * Flame.row + 1, ratio = window.devicePixelRatio || 1;
    this.height = height;
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.textBaseline = "middle";
    this.rows.forEach((row, level) => {
      for (const box of row) this.box(context, box, this.top(level));
    });
    this.outline(context);
  }

  top(level) {
    return this.shared.inverted ? level * Flame.row : this.height - (level + 1) * Flame.row;
  }

  box(context, { node, x, w }, y) {
    const { tree, found } = this.shared;
    const above = node !== this.zoomed && this.isAbove(node);
    const matches = found && node !== ALL && found[tree.frame[node]];
    context.globalAlpha = above ? 0.55 : found && !matches ? 0.32 : 1;
    context.fillStyle = matches ? colours.css("--found") : node === ALL ? colours.css("--all") : this.shared.colour(node);
    const gap = w > 3 ? 1 : w > 1.2 ? 0.4 : 0;
    context.fillRect(x, y + 1, w - gap, Flame.row - 1);
    if (w < 26) {
      context.globalAlpha = 1;
      return;
    }
    const inlined = node !== ALL && tree.inlined[tree.frame[node]];
    context.globalAlpha = above || (found && !matches) ? 0.75 : 1;
    context.fillStyle = matches ? colours.css("--found-ink") : node === ALL ? colours.css("--ink") : this.shared.ink;
    context.font = `${inlined ? "italic " : ""}11.5px ${Flame.font}`;
    const text = this.fit(context, this.label(node), w - 8, inlined);
    if (text) context.fillText(text, x + 4, y + Flame.row / 2 + 1);
    context.globalAlpha = 1;
  }

  static font = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
  static widths = new Map();

  /** As much of the text as has room. */
  fit(context, text, room, inlined) {
    const key = inlined ? `i${text}` : `n${text}`;
    let width = Flame.widths.get(key);
    if (width === undefined) Flame.widths.set(key, width = context.measureText(text).width);
    if (width <= room) return text;
    let letters = Math.floor(text.length * room / width);
    const cut = () => `${text.slice(0, letters)}…`;
    while (letters > 1 && context.measureText(cut()).width > room) letters--;
    return letters < 2 ? "" : cut();
  }

  isAbove(node) {
    if (this.zoomed === ALL) return false;
    return node === ALL || (node < this.zoomed && this.shared.tree.end[node] > this.zoomed);
  }

  /** Around what the pointer is on, and around what has the keyboard. */
  outline(context) {
    const around = (node, colour) => {
      const box = this.rows[this.level(node)]?.find((box) => box.node === node);
      if (!box) return;
      context.strokeStyle = colour;
      context.lineWidth = 2;
      context.strokeRect(box.x + 1, this.top(this.level(node)) + 1.5, Math.max(box.w - 2, 1), Flame.row - 2);
    };
    if (this.hovered !== null) around(this.hovered, colours.css("--ink"));
    if (document.activeElement === this.canvas) around(this.focused, colours.css("--accent"));
  }

  at(event) {
    const bounds = this.canvas.getBoundingClientRect(), x = event.clientX - bounds.left;
    const line = Math.floor((event.clientY - bounds.top) / Flame.row);
    const level = this.shared.inverted ? line : Math.ceil((this.height - (event.clientY - bounds.top)) / Flame.row) - 1;
    const box = this.rows[level]?.find((box) => box.x <= x && x < Math.max(box.x + box.w, box.x + 1));
    return box ? box.node : null;
  }

  hover(event) {
    const node = this.at(event);
    this.canvas.style.cursor = node === null ? "default" : "pointer";
    this.shared.hover(node, this, event);
  }

  leave() {
    this.shared.hover(null, this);
  }

  click(event) {
    const node = this.at(event);
    if (node === null) return;
    this.focused = node;
    this.shared.zoom(node);
  }

  /** Moves the keyboard's place, to what is drawn only. */
  key(event) {
    const { inverted } = this.shared, inward = inverted ? "ArrowDown" : "ArrowUp";
    const outward = inverted ? "ArrowUp" : "ArrowDown";
    const row = this.rows[this.level(this.focused)] ?? [];
    const place = row.findIndex((box) => box.node === this.focused);
    let node = null;
    if (event.key === inward) {
      const below = (this.rows[this.level(this.focused) + 1] ?? []).filter(
        (box) => this.parent(box.node) === this.focused);
      // The widest: the way on that most samples take.
      node = below.reduce((best, box) => (best === null || box.w > best.w ? box : best), null)?.node ?? null;
    } else if (event.key === outward) {
      node = this.parent(this.focused);
    } else if (event.key === "ArrowLeft") {
      node = row[place - 1]?.node ?? null;
    } else if (event.key === "ArrowRight") {
      node = row[place + 1]?.node ?? null;
    } else if (event.key === "Home") {
      node = ALL;
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.shared.zoom(this.focused);
      return;
    } else if (event.key === "Escape") {
      this.shared.zoom(ALL);
      return;
    } else {
      return;
    }
    event.preventDefault();
    if (node === null) return;
    this.focus(node);
  }

  focus(node) {
    this.focused = node;
    this.draw();
    this.shared.say(node, this);
    const bounds = this.canvas.getBoundingClientRect(), y = bounds.top + this.top(this.level(node));
    if (y < 60) window.scrollBy(0, y - 80);
    else if (y > window.innerHeight - 40) window.scrollBy(0, y - window.innerHeight + 80);
  }
}
