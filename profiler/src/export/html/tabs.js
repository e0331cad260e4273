"use strict";
// Rows of tabs.

/** A row of tabs, of which one is chosen; arrow keys go from one to the next. */
function tabs(box, all, chosen, choose) {
  const role = box.getAttribute("role") === "tablist" ? "tab" : "radio";
  const state = role === "tab" ? "aria-selected" : "aria-checked";
  const made = all.map(({ id, title }) => element("button", {
    type: "button", role, id: `${box.id}-${id}`, [state]: String(id === chosen), "aria-controls": box.dataset.controls, tabIndex: id === chosen ? 0 : -1,
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
