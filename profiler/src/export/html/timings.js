"use strict";
// How long operations took, added up: counts, sums and histograms, and from these percentiles, as `profiler report` has them.

/** Histograms have eight buckets an octave from 64 ns on; the first has all that is shorter, the last all that is longer. */
const buckets = {
  last: 248,

  of(ns) {
    if (ns < 64) return 0;
    let octave = 0;
    while (octave < 31 && ns >= 2 ** (octave + 7)) octave++;
    return octave === 31 ? buckets.last : 1 + octave * 8 + (Math.floor(ns / 2 ** (octave + 3)) & 7);
  },

  /** The shortest time in a bucket. */
  lower(bucket) {
    return bucket === 0 ? 0 : (8 + ((bucket - 1) & 7)) * 2 ** (((bucket - 1) >> 3) + 3);
  },
};

class Timing {
  constructor() {
    Object.assign(this, { count: 0, timed: 0, total: 0, min: Infinity, max: 0, buckets: new Map(), errors: new Map() });
  }

  add(cell) {
    this.count += cell.count;
    this.total += cell.total;
    this.min = Math.min(this.min, cell.min);
    this.max = Math.max(this.max, cell.max);
    for (const [bucket, count] of cell.buckets) {
      this.buckets.set(bucket, (this.buckets.get(bucket) ?? 0) + count);
      this.timed += count;
    }
    for (const [error, count] of cell.errors) this.errors.set(error, (this.errors.get(error) ?? 0) + count);
  }

  get failed() {
    return [...this.errors.values()].reduce((sum, count) => sum + count, 0);
  }

  /** What so many percent of the operations did not exceed; `null` if there is none. */
  percentile(percent) {
    if (this.timed === 0) return null;
    const rank = Math.max(Math.ceil(this.timed * percent / 100), 1);
    if (rank >= this.timed) return this.max;
    let seen = 0;
    const bucket = [...this.buckets.keys()].sort((a, b) => a - b).find((bucket) => (seen += this.buckets.get(bucket)) >= rank);
    const from = buckets.lower(bucket);
    const middle = bucket === buckets.last ? this.max : from + Math.floor((buckets.lower(bucket + 1) - from) / 2);
    return Math.min(Math.max(middle, this.min), this.max);
  }
}

/** What is known of the operations of a row: by interval; of one interval alone only which it is. */
function readTimings(text) {
  const numbers = new Numbers(text), cells = [];
  if (text === "") return { cells };
  const first = numbers.next();
  if (numbers.done) return { only: first, cells };
  numbers.at = 0;
  let interval = 0;
  while (!numbers.done) {
    const head = numbers.next(), cell = { buckets: [], errors: [] };
    cell.interval = interval += Math.floor(head / 4);
    if (head & 1) {
      cell.count = 1;
      cell.total = cell.min = cell.max = numbers.next();
      cell.buckets.push([buckets.of(cell.total), 1]);
    } else {
      cell.count = numbers.next();
      let bucket = 0;
      for (let left = numbers.next(); left > 0; left--) cell.buckets.push([bucket += numbers.next(), numbers.next()]);
      [cell.total, cell.min, cell.max] = cell.buckets.length > 0 ? [numbers.next(), numbers.next(), numbers.next()] : [0, Infinity, 0];
    }
    if (head & 2) for (let left = numbers.next(); left > 0; left--) cell.errors.push([numbers.next(), numbers.next()]);
    cells.push(cell);
  }
  return { cells };
}

/** The operations of some intervals; `null` if there is none, and `undefined` if the row itself has all of them. */
function timingOf({ only, cells }, { first, behind }) {
  if (only !== undefined) return first <= only && only < behind ? undefined : null;
  const within = cells.filter(({ interval }) => first <= interval && interval < behind);
  if (within.length === 0) return null;
  const sum = new Timing();
  within.forEach((cell) => sum.add(cell));
  return sum;
}
