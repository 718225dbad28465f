/** The viewer of a document: tools, the strip of pages, and the shown page. */

import { byId, el, perFrame } from "../dom.js";
import { pause } from "../service/api.js";
import { copy, download, titleOf } from "./downloads.js";
import { t } from "../texts/i18n.js";
import { PageStrip } from "./page_strip.js";
import { FORMS, PageView, sourceOf } from "./page_view.js";
import { sentence } from "../service/problems.js";
import { formats } from "../service/schema.js";
import { asRanges, mark, pagesWith, patternOf } from "./search.js";

// A page that is passed more quickly is not fetched.
const TURN_SECONDS = 0.08;
const TEXT_FIELDS = "input, select, textarea";
let shown = null;

/** Show a document in place of the one before. */
export function view(reading) {
  shown?.close();
  shown = new Viewer(reading);
}

class Viewer {
  #strip = new PageStrip((number) => this.#choose(number));
  #page = new PageView();
  #downloads = el("span", { class: "row" });
  #search = el("input", { type: "search", "aria-label": t("search"), placeholder: t("search"), input: () => this.#find() });
  #found = el("span", { role: "status" });
  #problem = el("p", { class: "note error", role: "alert", hidden: true });
  #number = null;
  #current = null;
  #form = FORMS[0];
  #isChosen = false;
  #isLater = false;
  #hasFormats = false;
  #stop = new AbortController();

  constructor(reading) {
    this.reading = reading;
    this.section = byId("viewer");
    this.section.hidden = false;
    this.section.replaceChildren(...this.#parts());
    const { signal } = this.#stop;
    reading.addEventListener("change", perFrame(() => this.#changed()), { signal });
    document.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    reading.load();
    this.#changed();
    this.section.scrollIntoView({ block: "start" });
  }

  close() {
    this.#stop.abort();
    this.#page.close();
    this.section.hidden = true;
  }

  #parts() {
    const close = el("button", { type: "button", click: () => this.close() }, t("close"));
    const copied = () => this.#current && copy(sourceOf(this.#current, this.#form === "rendered" ? "markdown" : this.#form));
    return [
      el("div", { class: "row" }, el("h2", { id: "viewer-title", class: "grow" }, this.reading.name), close),
      this.#problem,
      el("div", { class: "row tools" }, this.#search, this.#found, this.#downloads),
      el("div", { class: "row" }, this.#step("previous", "‹", -1), this.#strip.element, this.#step("next", "›", 1)),
      el("div", { class: "row" }, this.#tabs(), el("button", { type: "button", click: copied }, t("copy"))),
      this.#page.element,
    ];
  }

  #step(name, sign, steps) {
    return el("button", { type: "button", "aria-label": t(name), click: () => this.#move(steps) }, sign);
  }

  #tabs() {
    const tabs = FORMS.map((form) => el("button", { type: "button", role: "tab", click: () => choose(form), keydown: (event) => turn(event) }, t(form)));
    const choose = (form) => {
      this.#form = form;
      FORMS.forEach((each, place) => {
        tabs[place].setAttribute("aria-selected", String(each === form));
        tabs[place].tabIndex = each === form ? 0 : -1;
      });
      if (this.#number !== null) this.#go(this.#number);
    };
    const turn = (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!steps) return;
      event.stopPropagation();
      const place = (tabs.indexOf(event.target) + steps + tabs.length) % tabs.length;
      tabs[place].focus();
      choose(FORMS[place]);
    };
    choose(this.#form);
    return el("div", { role: "tablist", "aria-label": t("views"), class: "tabs" }, ...tabs);
  }

  #changed() {
    const { pages, state, error } = this.reading;
    this.#problem.hidden = !error;
    if (error) this.#problem.textContent = sentence(error);
    this.#strip.add(pages);
    const first = Math.min(...pages.keys());
    if (!this.#isChosen && pages.size && this.#number !== first) this.#go(first);
    if (state === "done") this.#finished();
  }

  /** Offer the downloads, and show the page again: its HTML may be there now. */
  async #finished() {
    if (this.#hasFormats) return;
    this.#hasFormats = true;
    if (this.#isLater) this.#go(this.#number);
    const buttons = (await formats()).map((format) =>
      el("button", { type: "button", click: (event) => this.#download(event.target, format) }, titleOf(format)),
    );
    this.#downloads.replaceChildren(t("download"), ...buttons);
  }

  async #download(button, format) {
    button.disabled = true;
    await this.#reporting(() => download(this.reading, format));
    button.disabled = false;
  }

  #move(steps) {
    const number = this.#strip.neighbour(this.#number, steps);
    if (number !== null) this.#choose(number);
  }

  /** Show a page that a person chose. Before, the first page is shown that is read. */
  #choose(number) {
    this.#isChosen = true;
    return this.#go(number);
  }

  #pressed(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (steps && !event.altKey && !event.ctrlKey && !event.metaKey && !event.target.matches(TEXT_FIELDS)) this.#move(steps);
  }

  /** Show a page, unless another one is chosen before this one is there. */
  async #go(number) {
    this.#number = number;
    this.#strip.select(number);
    const form = this.#form;
    const { reading } = this;
    const isPassed = () => this.#number !== number || this.#form !== form || this.#stop.signal.aborted;
    await pause(TURN_SECONDS);
    if (isPassed()) return;
    try {
      const html = form === "rendered" ? reading.html(number) : null;
      const [page, picture, rendered] = await Promise.all([reading.page(number), reading.picture(number).catch(() => null), html]);
      if (isPassed()) return;
      this.#current = page;
      this.#isLater = form === "rendered" && rendered === null;
      this.#page.show(page, picture, rendered, form);
      mark(patternOf(this.#search.value), this.#page.text);
    } catch (error) {
      if (this.#number === number) this.#page.fail(sentence(error));
    }
  }

  async #find() {
    const sought = this.#search.value;
    const pattern = patternOf(sought);
    await this.#reporting(async () => {
      const found = pattern ? pagesWith(pattern, await this.reading.texts()) : [];
      if (this.#search.value !== sought) return;
      this.#strip.markFound(found);
      const text = found.length ? t("found", { pages: asRanges(found) }) : t("notFound");
      this.#found.textContent = pattern ? text : "";
      if (found.length && !found.includes(this.#number)) await this.#choose(found[0]);
      const first = mark(pattern, this.#page.text);
      first?.startContainer.parentElement.scrollIntoView({ block: "nearest" });
    });
  }

  async #reporting(task) {
    this.#problem.hidden = true;
    try {
      await task();
    } catch (error) {
      this.#problem.textContent = sentence(error);
      this.#problem.hidden = false;
    }
  }
}
