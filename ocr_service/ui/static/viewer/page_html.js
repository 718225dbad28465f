/** The rendered page: the HTML of the service, which it sanitised, without the notes that the page shows itself. */

/** Return the part of a whole HTML document that is one page. */
export const sectionOf = (html, number) => parsed(html).getElementById(`page-${number}`)?.outerHTML ?? "";

/** Return the elements of a page. Parsing runs nothing, and the policy of the page forbids scripts as well. */
export function elementsOf(html) {
  const section = parsed(html).querySelector("section");
  for (const note of section?.querySelectorAll(":scope > .error, :scope > .warning") ?? []) note.remove();
  for (const link of section?.querySelectorAll("a") ?? []) link.target = "_blank";
  return Array.from(section?.children ?? []);
}

/** Parse the body of a document: its head has styles, which the policy forbids. */
const parsed = (html) => new DOMParser().parseFromString(html.slice(Math.max(html.indexOf("<body>"), 0)), "text/html");
