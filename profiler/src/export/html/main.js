"use strict";
// Puts the page together, and listens.

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
    drawLegends();
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
  // What scrolls away takes its explanation with it.
  for (const moved of ["wheel", "touchmove"]) window.addEventListener(moved, () => app.tip.hide(), { passive: true });
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
    drawLegends();
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
  drawLegends();
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
}

start();
