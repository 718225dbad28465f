/** The options of a request as a form, made of the API's own description. */

import { byId, el } from "./dom.js";
import { known, t } from "./texts/i18n.js";
import { optionsOf } from "./service/schema.js";

const PASSWORD = { type: "string", format: "password" };

/** Fill the form when it is opened for the first time. engine: a promise of its name. */
export function prepareOptions(engine) {
  const details = byId("options");
  details.addEventListener("toggle", () => fill(engine), { once: true });
}

/** Return the options that have a value. */
export function chosenOptions() {
  const fields = Array.from(byId("fields").querySelectorAll("[name]"), ({ name, value }) => [name, value.trim()]);
  return Object.fromEntries(fields.filter(([, value]) => value));
}

async function fill(engine) {
  const options = (await optionsOf(await engine)).map(([name, schema]) => field(name, schema, helpOf(name, schema)));
  byId("fields").replaceChildren(...options, field("password", PASSWORD, el("small", {}, t("passwordHelp"))));
}

function field(name, schema, help) {
  help.id = `help-${name}`;
  const label = name === "password" ? t("password") : name;
  return el("div", { class: "field" }, el("label", { for: `option-${name}` }, label), input(name, schema), help);
}

/** Return the help in the language of the page if there is one, or else that of the API. */
function helpOf(name, schema) {
  const own = known(`option_${name}`);
  return el("small", own ? {} : { lang: "en" }, own ?? schema.description);
}

function input(name, schema) {
  const attributes = { id: `option-${name}`, name, "aria-describedby": `help-${name}` };
  if (schema.type === "boolean") return select(attributes, { true: t("yes"), false: t("no") });
  if (schema.enum) return select(attributes, Object.fromEntries(schema.enum.map((value) => [value, value])));
  if (schema.format === "password") return el("input", { ...attributes, type: "password", autocomplete: "off" });
  return el("input", { ...attributes, type: "text", autocomplete: "off", placeholder: t("default") });
}

function select(attributes, values) {
  const all = Object.entries({ "": t("default"), ...values });
  return el("select", attributes, ...all.map(([value, text]) => el("option", { value }, text)));
}
