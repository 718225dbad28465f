/** The language of the page: Russian if the browser prefers it to English, or else English. */

import { EN } from "./en.js";
import { RU } from "./ru.js";

const LANGUAGES = { en: EN, ru: RU };

export const language = navigator.languages.map((name) => name.slice(0, 2)).find((name) => name in LANGUAGES) ?? "en";
const texts = LANGUAGES[language];

/** Return a text with its values in place of `{name}`. */
export function t(name, values = {}) {
  return texts[name].replace(/\{(\w+)\}/g, (_, value) => values[value]);
}

/** Return a text if there is one. */
export const known = (name) => texts[name] ?? null;

/** Put the texts into the elements that name one in `data-text`. */
export function translate(root) {
  document.documentElement.lang = language;
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
}
