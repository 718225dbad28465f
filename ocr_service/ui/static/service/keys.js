/** The API key: kept for this tab alone, asked for when the service wants one. */

import { byId } from "../dom.js";

const NAME = "ocr-api-key";
let asking = null;

/** Return the key, or null. */
export const currentKey = () => sessionStorage.getItem(NAME);

/** Ask for a key, once for all requests that wait for it. refused: the key that was sent. Return false if there is none. */
export function askForKey(refused) {
  if (currentKey() !== refused) return Promise.resolve(true);
  asking ??= answered(refused !== null).finally(() => (asking = null));
  return asking;
}

function answered(isRefused) {
  const dialog = byId("key-dialog");
  byId("key").hidden = false;
  const value = byId("key-value");
  byId("key-refused").hidden = !isRefused;
  value.value = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "use");
    byId("key-cancel").onclick = () => dialog.close("");
    byId("key-form").onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem(NAME, value.value.trim());
      dialog.close("use");
    };
    dialog.returnValue = "";
  });
}
