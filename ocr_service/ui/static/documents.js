/** The list of documents, each with its progress. */

import { byId, el, perFrame } from "./dom.js";
import { t } from "./texts/i18n.js";
import { sentence } from "./service/problems.js";

/**
 * Add a reading to the list.
 *
 * show: shows it. again: sends its document again, null if the page has it no more. first: above the others.
 */
export function addToList(reading, { show, again = null, first = true }) {
  const item = el("li");
  const list = byId("list");
  const attempted = (action) => () => action().catch((error) => reading.update({ error, waiting: null }));
  const remove = attempted(async () => (await reading.remove(), item.remove(), (byId("documents").hidden = !list.children.length)));
  const cancel = attempted(() => reading.cancel());
  const actions = { show, cancel, remove, again: again && (() => (item.remove(), again())) };
  let last = "";
  const refilled = perFrame(() => refill(item, reading, actions));
  reading.addEventListener("change", () => {
    refilled();
    if (reading.state !== last) say(reading);
    last = reading.state;
  });
  refill(item, reading, actions);
  if (first) list.prepend(item);
  else list.append(item);
  byId("documents").hidden = false;
}

/** Fill an item, and keep the focus on the button that has it. */
function refill(item, reading, actions) {
  const focused = item.contains(document.activeElement) ? document.activeElement.dataset.action : null;
  item.className = reading.state;
  item.replaceChildren(...parts(reading, actions));
  if (focused) (item.querySelector(`[data-action=${focused}]`) ?? item.querySelector("button")).focus();
}

function* parts(reading, { show, cancel, remove, again }) {
  yield button("show", reading.name || "–", show, { class: "name", "aria-label": t("open", { name: reading.name }) });
  yield el("span", { class: "state" }, stateOf(reading));
  if (reading.isOpen) yield progress(reading);
  if (reading.error) yield el("span", { class: "note error" }, sentence(reading.error));
  if (reading.waiting) yield el("span", { class: "note warning" }, `${t("waiting")} ${sentence(reading.waiting)}`);
  if (reading.isOpen) yield button("cancel", t("cancel"), cancel);
  else yield button("remove", t("remove"), remove);
  if (again && reading.state === "failed") yield button("again", t("again"), again);
}

const button = (action, text, onclick, more = {}) =>
  el("button", { type: "button", "data-action": action, click: onclick, ...more }, text);

function progress({ pages, total, name }) {
  return el("progress", { "aria-label": name, max: total ?? 1, value: total === null ? null : pages.size });
}

function stateOf({ state, pages, done, total }) {
  const counted = total === null ? "" : ` · ${t("progress", { done: Math.max(done, pages.size), total })}`;
  const failed = Array.from(pages.values()).filter(Boolean).length;
  return t(state) + counted + (failed ? ` · ${t("partly", { failed })}` : "");
}

/** Tell screen readers about the end. */
function say({ state, name }) {
  if (state === "done") byId("said").textContent = t("isDone", { name });
  if (state === "failed") byId("said").textContent = t("isFailed", { name });
}
