/** Elements without markup in strings: text is always a text node, so a document cannot add elements. */

const SVG = "http://www.w3.org/2000/svg";

/** Make an element of HTML. attributes: a function is a listener, `true` an empty value; null is left out. */
export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** Make an element of SVG. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

/** Return the element with this id. */
export const byId = (id) => document.getElementById(id);

/** Return a function that runs a task before the next frame, once for all its calls. */
export function perFrame(task) {
  let isDue = false;
  const run = () => ((isDue = false), task());
  return () => {
    if (!isDue) requestAnimationFrame(run);
    isDue = true;
  };
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}
