/** The API's own description: the fields of a request, and the forms of a result. */

import { json } from "./api.js";

// The page sends the document itself, and asks for the form of a result later.
const NOT_OPTIONS = ["file", "image_url", "format", "images", "timeout", "password"];

let description = null;

const openapi = () => (description ??= json("openapi.json").catch((error) => ((description = null), Promise.reject(error))));

/** Return the options for an engine, name → JSON schema. An option without `x-engine` is for all engines. */
export async function optionsOf(engine) {
  const { paths, components } = await openapi();
  const form = paths["/jobs"].post.requestBody.content["multipart/form-data"].schema;
  return Object.entries(components.schemas[form.$ref.split("/").at(-1)].properties).filter(
    ([name, schema]) => !NOT_OPTIONS.includes(name) && (schema["x-engine"] ?? engine) === engine,
  );
}

/** Return the names of the forms of a result, such as `markdown`. */
export async function formats() {
  const { paths } = await openapi();
  const { schema } = paths["/jobs/{job_id}/result"].get.parameters.find(({ name }) => name === "format");
  return schema.anyOf.flatMap((each) => each.enum ?? each.const ?? []);
}
