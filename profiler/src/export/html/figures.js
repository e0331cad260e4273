"use strict";
// Figures as a person reads them, in the words of `profiler report`. Rounding never turns some into none or all.

const figures = {
  count(number) {
    return Math.round(number).toLocaleString("en-US");
  },

  /** Nanoseconds in three digits: 850 ns, 12.3 µs, 1.20 ms. */
  time(ns) {
    if (ns < 1000) return `${Math.round(ns)} ns`;
    const units = [["µs", 1e3], ["ms", 1e6], ["s", 1e9], ["min", 6e10], ["h", 3.6e12], ["d", 8.64e13]];
    const [unit, length] = units.find(([, length]) => ns / length < 999.5) ?? units[5];
    const value = ns / length;
    return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${unit}`;
  },

  /** A moment since the recording began: at least two digits behind the point, at most three. */
  moment(ns) {
    return `${(ns / 1e9).toFixed(3).replace(/0$/, "")} s`;
  },

  percent(part, whole) {
    const percent = whole > 0 ? part / whole * 100 : 0;
    if (percent > 0 && percent < 0.05) return "<0.1 %";
    if (percent >= 99.95 && percent < 100) return ">99.9 %";
    return percent === 0 || percent === 100 ? `${percent} %` : `${percent.toFixed(1)} %`;
  },

  /** How far a share may be from the truth, in percentage points: the farther end of Wilson's 95 % interval. */
  margin(part, whole, samples) {
    if (!(whole > 0) || !(samples > 0)) return 0;
    const z = 1.959964, share = Math.min(part / whole, 1), n = samples;
    const scale = 1 + z * z / n, centre = (share + z * z / (2 * n)) / scale;
    const half = z / scale * Math.sqrt(share * (1 - share) / n + z * z / (4 * n * n));
    return Math.max(share - Math.max(centre - half, 0), Math.min(centre + half, 1) - share) * 100;
  },

  /** A share with its interval. */
  share(part, whole, samples) {
    return `${figures.percent(part, whole)} ±${figures.margin(part, whole, samples).toFixed(1)}`;
  },

  /** By how many percentage points one share is more than another, and how sure that is. */
  change(a, b) {
    const share = ({ part, whole }) => whole > 0 ? part / whole : 0;
    const points = (share(a) - share(b)) * 100;
    const margin = Math.hypot(
      figures.margin(a.part, a.whole, a.samples), figures.margin(b.part, b.whole, b.samples));
    return { points, margin, sure: Math.abs(points) > margin };
  },

  points({ points, margin }) {
    const sign = points > 0 ? "+" : points < 0 ? "−" : "";
    return `${sign}${Math.abs(points).toFixed(1)} ±${margin.toFixed(1)}`;
  },

  /** A value in the unit of its samples. */
  value(value, unit) {
    if (unit === "nanoseconds") return figures.time(value);
    if (unit === "bytes") return `${figures.count(value)} bytes`;
    return figures.count(value);
  },

  plural(number, thing) {
    return `${figures.count(number)} ${thing}${number === 1 ? "" : "s"}`;
  },
};

/** An element with text and children; text never becomes markup. */
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}
