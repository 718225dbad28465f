/** The strip of the pages of a document. */

import { el } from "../dom.js";
import { t } from "../texts/i18n.js";

export class PageStrip {
  #list = el("ol");
  #buttons = new Map();
  #numbers = [];
  #show;

  /** show: called with the number of the chosen page. */
  constructor(show) {
    this.#show = show;
    this.element = el("nav", { class: "strip", "aria-label": t("pages") }, this.#list);
  }

  /** Add the pages that are new. pages: number → whether text is missing. */
  add(pages) {
    for (const [number, failed] of pages) if (!this.#buttons.has(number)) this.#insert(number, failed);
  }

  /** Mark the shown page and bring it into view. */
  select(number) {
    for (const [each, button] of this.#buttons) {
      if (each === number) button.setAttribute("aria-current", "page");
      else button.removeAttribute("aria-current");
    }
    this.#buttons.get(number)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** Mark the pages that a search found. */
  markFound(numbers) {
    for (const [number, button] of this.#buttons) button.classList.toggle("found", numbers.includes(number));
  }

  /** Return the page that is some steps from another, null beyond the ends. */
  neighbour(number, steps) {
    return this.#numbers[this.#numbers.indexOf(number) + steps] ?? null;
  }

  #insert(number, failed) {
    const label = t(failed ? "pageFailed" : "page", { number });
    const attributes = { type: "button", "aria-label": label, class: failed ? "failed" : "", click: () => this.#show(number) };
    const button = el("button", attributes, String(number));
    this.#buttons.set(number, button);
    const place = this.#numbers.findLastIndex((each) => each < number) + 1;
    this.#numbers.splice(place, 0, number);
    this.#list.insertBefore(el("li", {}, button), this.#list.children[place] ?? null);
  }
}
