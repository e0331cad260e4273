"use strict";
// What is known of a frame or a moment, beside the pointer.

class Tooltip {
  constructor(box) {
    this.box = box;
  }

  /** Lines of text or of [name, figure]; the first is the heading. */
  show(lines, event) {
    const made = lines.filter(Boolean).map((line, at) => {
      if (Array.isArray(line)) {
        return element("p", { className: "pair" }, element("span", {}, line[0]), element("b", {}, line[1]));
      }
      return element("p", { className: at === 0 ? "name" : "" }, line);
    });
    this.box.replaceChildren(...made);
    this.box.hidden = false;
    const { width, height } = this.box.getBoundingClientRect(), edge = 8;
    let left = event.clientX + 14, top = event.clientY + 16;
    if (left + width > document.documentElement.clientWidth - edge) left = Math.max(edge, event.clientX - width - 10);
    if (top + height > window.innerHeight - edge) top = Math.max(edge, event.clientY - height - 12);
    this.box.style.left = `${left}px`;
    this.box.style.top = `${top}px`;
  }

  hide() {
    this.box.hidden = true;
  }
}
