/** The API key: kept for this tab alone, asked for when the service wants one. */

import { byId } from "../dom.js";
import { t } from "../texts/i18n.js";

const NAME = "ocr-api-key";
// Other characters cannot be sent in a header, and no key of the service has them.
const KEY = /^[!-~]+$/;
let asking = null;

/** Return the key, or null. */
export const currentKey = () => sessionStorage.getItem(NAME);

/** Ask for a key, once for all requests that wait for it. refused: the key that was sent. Return false if there is none. */
export function askForKey(refused) {
  if (currentKey() !== refused) return Promise.resolve(true);
  asking ??= answered(refused && "keyRefused").finally(() => (asking = null));
  return asking;
}

/** Ask for another key. Return false if there is none. */
export const changeKey = () => answered(null);

/** Open the dialog. refused: the name of a text that says why the key before was not taken, or null. */
function answered(refused) {
  const dialog = byId("key-dialog");
  byId("key").hidden = false;
  const value = byId("key-value");
  showRefused(refused);
  value.value = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "use");
    byId("key-cancel").onclick = () => dialog.close("");
    byId("key-form").onsubmit = (event) => {
      event.preventDefault();
      const key = value.value.trim();
      if (!KEY.test(key)) return showRefused("keyImpossible");
      sessionStorage.setItem(NAME, key);
      dialog.close("use");
    };
    dialog.returnValue = "";
  });
}

function showRefused(name) {
  byId("key-refused").hidden = name === null;
  if (name !== null) byId("key-refused").textContent = t(name);
}
