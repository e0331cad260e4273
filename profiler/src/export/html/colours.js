"use strict";
// Colours: of frames as in the SVG export, of states, of heat, of change.

const colours = {
  /** What the style sheet says; asked once for each theme. */
  css(name) {
    if (!colours.known.has(name)) {
      colours.known.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
    }
    return colours.known.get(name);
  },

  known: new Map(),

  rgb([r, g, b]) {
    return `rgb(${Math.round(r)},${Math.round(g)},${Math.round(b)})`;
  },

  mix(from, to, part) {
    return from.map((value, at) => value + (to[at] - value) * part);
  },

  /** Between 0 and 1, the same for the same text everywhere (FNV-1a over UTF-8). */
  shade(text) {
    let hash = 0x811c9dc5;
    const bytes = /^[\0-\x7f]*$/.test(text) ? null : new TextEncoder().encode(text);
    for (let at = 0; at < (bytes ?? text).length; at++) {
      hash = Math.imul(hash ^ (bytes ? bytes[at] : text.charCodeAt(at)), 0x01000193) >>> 0;
    }
    return (hash >>> 8) / (1 << 24);
  },

  made: new Map(),

  /** One colour for each frame; inlined calls are paler. Made once for each theme. */
  frames(tree, cold) {
    const dark = document.documentElement.dataset.theme === "dark", key = `${dark} ${cold}`;
    if (!colours.made.has(key)) {
      colours.made.set(key, tree.labels.map((label, frame) => {
        const look = tree.kinds[tree.kind[frame]];
        const kernel = look.kind.startsWith("kernel");
        const [from, to] = cold ? look.cold : look.hot;
        let colour = colours.mix(from, to, colours.shade(kernel ? `${label}_[k]` : label));
        if (tree.inlined[frame]) colour = colours.mix(colour, [255, 255, 255], 0.42);
        return colours.rgb(dark ? colours.mix(colour, [22, 24, 29], 0.12) : colour);
      }));
    }
    return colours.made.get(key);
  },

  /** What changed: red is more than before, blue less, and pale what may be chance. */
  change({ points, sure }) {
    const dark = document.documentElement.dataset.theme === "dark";
    const none = dark ? [74, 79, 88] : [226, 227, 230];
    if (points === 0) return colours.rgb(none);
    const most = points > 0 ? [222, 62, 54] : [46, 116, 222];
    // A tenth of a point can be seen, ten points are full colour.
    const strength = Math.min(Math.sqrt(Math.abs(points) / 10), 1);
    return colours.rgb(colours.mix(none, most, sure ? 0.25 + 0.75 * strength : 0.14 * strength));
  },

  /** From nothing (0) to most (1). */
  heat(part) {
    const dark = document.documentElement.dataset.theme === "dark";
    const steps = dark
      ? [[30, 33, 40], [84, 38, 24], [158, 62, 24], [232, 122, 46], [255, 204, 120]]
      : [[250, 247, 242], [253, 219, 170], [250, 152, 92], [214, 60, 40], [140, 16, 32]];
    const at = Math.min(Math.max(part, 0), 1) * (steps.length - 1), step = Math.min(Math.floor(at), steps.length - 2);
    return colours.rgb(colours.mix(steps[step], steps[step + 1], at - step));
  },

  /** In the order of the states. */
  states: [
    "#e4714d", "#f0b53a", "#4f8fe6", "#35b3ae", "#9a78dc", "#d6486b", "#b58a57", "#a9b4c4", "#c6cfda", "#8b8f99",
    "#6d7686", "#b3a4a4",
  ],
};
