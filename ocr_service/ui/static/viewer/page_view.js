/** One page: its picture with the blocks, and beside it its text in the chosen form. */

import { el } from "../dom.js";
import { t } from "../texts/i18n.js";
import { pairsOf } from "./matching.js";
import { elementsOf } from "./page_html.js";
import { drawn, kindOf } from "./page_picture.js";

export const FORMS = ["rendered", "markdown", "text", "json"];

export class PageView {
  #picture = el("div", { class: "picture" });
  #notes = el("div", { class: "notes" });
  #url = null;

  constructor() {
    this.text = el("div", { class: "page-text", tabindex: 0, role: "tabpanel" });
    this.element = el("div", { class: "page" }, this.#picture, el("div", { class: "beside" }, this.#notes, this.text));
  }

  /** Show a page. picture: a Blob or null. html: null if it is not there yet. form: one of FORMS. */
  show(page, picture, html, form) {
    this.close();
    this.#url = picture && URL.createObjectURL(picture);
    const { drawing, frames } = drawn(page, this.#url);
    const notice = this.#url ? [] : [el("p", { class: "note" }, t("noPicture"))];
    this.#picture.replaceChildren(...notice, legend(page), drawing);
    this.#notes.replaceChildren(...notesOf(page));
    this.#fill(page, html, form, frames);
  }

  /** Show an error in place of a page. */
  fail(text) {
    this.close();
    this.#picture.replaceChildren();
    this.#notes.replaceChildren(el("p", { class: "note error" }, text));
    this.text.replaceChildren();
  }

  /** Free the picture. */
  close() {
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = null;
  }

  #fill(page, html, form, frames) {
    this.text.className = `page-text ${form}`;
    if (form !== "rendered") {
      this.text.replaceChildren(el("pre", {}, sourceOf(page, form)));
    } else if (html === null) {
      this.text.replaceChildren(el("p", { class: "note" }, t("later")));
    } else {
      this.text.replaceChildren(...elementsOf(html));
      for (const [block, element] of pairsOf(page.blocks, Array.from(this.text.children))) {
        link(frames.get(block), element);
      }
    }
  }
}

/** Return the text of a page in a form that is plain text. The pictures are left out of the JSON. */
export function sourceOf(page, form) {
  if (form === "json") return JSON.stringify({ ...page, images: Object.keys(page.images) }, null, 2);
  return form === "text" ? page.text : page.markdown;
}

function* notesOf(page) {
  if (page.error) yield el("p", { class: "note error" }, page.error.detail);
  for (const { error } of page.blocks) if (error) yield el("p", { class: "note error" }, error.detail);
  for (const { detail } of page.warnings) yield el("p", { class: "note warning" }, detail);
  if (page.confidence !== null) yield el("p", {}, t("confidence", { percent: Math.round(page.confidence * 100) }));
  if (page.source === "text_layer") yield el("p", {}, t("textLayer"));
}

/** Return the labels of the page with their colours. */
function legend({ blocks }) {
  const labels = new Map(blocks.map((block) => [block.label, kindOf(block)]));
  return el("ul", { class: "legend" }, ...Array.from(labels, ([label, kind]) => el("li", { class: `kind-${kind}` }, label)));
}

/** Light both sides of a pair while one of them has the pointer or the focus. */
function link(frame, element) {
  const light = (isLit) => () => [frame, element].forEach((side) => side.classList.toggle("lit", isLit));
  const sides = [
    [frame, element],
    [element, frame],
  ];
  for (const [side, other] of sides) {
    for (const event of ["pointerenter", "focus"]) side.addEventListener(event, light(true));
    for (const event of ["pointerleave", "blur"]) side.addEventListener(event, light(false));
    side.addEventListener("click", () => other.scrollIntoView({ block: "nearest" }));
  }
  frame.addEventListener("focus", () => element.scrollIntoView({ block: "nearest" }));
}
