"use strict";
// The head of the page, and what its colours mean.

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

/** What colours mean: those of states, and those of frames or of changes. */
function drawLegends() {
  const { data } = app, swatch = (name, colour) => {
    const mark = element("i");
    mark.style.background = colour;
    return element("li", {}, mark, name);
  };
  const states = app.overviews.find((overview) => overview.some);
  document.getElementById("states-legend").replaceChildren(
    ...(states ? states.shown().map(({ name, state }) => swatch(name, colours.states[state])) : []));
  const kinds = document.getElementById("kinds-legend");
  if (!app.graph) return kinds.replaceChildren();
  if (app.compares) {
    const points = [-10, -3, -0.5, 0, 0.5, 3, 10];
    return kinds.replaceChildren(
      ...points.map((at) => swatch(at === 0 ? "no change" : `${at > 0 ? "+" : "−"}${Math.abs(at)}`, colours.change({ points: at, sure: true }))),
      element("li", {}, "percentage points of all samples; pale: may be chance"));
  }
  const { tree } = data, used = new Set(tree.kind);
  const look = (kind) => (app.graph.cold ? kind.cold : kind.hot);
  const shown = data.kinds.map((kind, at) => ({ ...kind, at })).filter(({ at, kind }) => used.has(at)
    && (kind !== "waiting" || app.graph.streams.length > 1));
  kinds.replaceChildren(...shown.map((kind) => swatch(kind.kind, colours.rgb(colours.mix(...look(kind), 0.5)))),
    tree.inlined.some((inlined) => inlined) ? element("li", { className: "inlined" }, "inlined: paler, in italics") : "");
}
