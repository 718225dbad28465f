/** Errors as sentences for people. */

import { Away, Unreadable } from "./api.js";
import { known, t } from "../texts/i18n.js";

/** Return an error in the language of the page as far as there is one, and the detail of the service. */
export function sentence(error) {
  if (error instanceof Away) return t("away");
  if (error instanceof Unreadable) return t("unreadable");
  const own = known(`error_${error.code}`);
  const detail = error.detail ?? error.message;
  return own ? `${own} ${detail}` : detail;
}
