/** Files of a result: downloads in every form of the API, and the clipboard. */

import { byId, el } from "../dom.js";
import { t } from "../texts/i18n.js";
import { zipped } from "./zip.js";

const SUFFIXES = { markdown: "md", text: "txt", pdfa: "pdf" };
const TITLES = { markdown: "Markdown", text: "TXT", pdfa: "PDF/A" };

export const titleOf = (format) => TITLES[format] ?? format.toUpperCase();

/** Save a result in one form. The Markdown comes as an archive if it has pictures. */
export async function download(reading, format) {
  const name = reading.name.replace(/\.\w{1,5}$/, "").replace(/[\\/:*?"<>|]+/g, "_") || "document";
  const [file, suffix] = format === "markdown" ? await markdownOf(reading) : [await reading.file(format), SUFFIXES[format] ?? format];
  save(file, `${name}.${suffix}`);
}

/** Copy a text. Without TLS the browser has no clipboard, so the old way is the second one. */
export async function copy(text) {
  const isCopied = navigator.clipboard ? await written(text) : selectedCopy(text);
  byId("said").textContent = t(isCopied ? "copied" : "notCopied");
}

async function markdownOf(reading) {
  const result = JSON.parse(await (await reading.file("json")).text());
  const pictures = result.pages.flatMap((page) => Object.entries(page.images));
  const markdown = new TextEncoder().encode(result.markdown);
  if (!pictures.length) return [new Blob([markdown], { type: "text/markdown" }), "md"];
  const files = pictures.map(([path, file]) => [path, Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0))]);
  return [zipped([["result.md", markdown], ...new Map(files)]), "zip"];
}

function save(file, name) {
  const url = URL.createObjectURL(file);
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  byId("said").textContent = t("saved", { name });
}

const written = (text) => navigator.clipboard.writeText(text).then(() => true, () => false);

function selectedCopy(text) {
  const area = el("textarea", { class: "unseen", "aria-hidden": true });
  area.value = text;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  return isCopied;
}
