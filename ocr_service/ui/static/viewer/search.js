/** The search: the pages that have a text, and its places on the shown page. */

const HIGHLIGHT = "found";

/** Return the pattern of a text, in which each space is any white space; null if there is no text. */
export function patternOf(text) {
  const words = text.trim().split(/\s+/).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return words[0] ? new RegExp(words.join("\\s+"), "giu") : null;
}

/** Return the numbers of the pages with a match. texts: number → text. */
export function pagesWith(pattern, texts) {
  const found = Array.from(texts).filter(([, text]) => text.search(pattern) >= 0);
  return found.map(([number]) => number).sort((one, other) => one - other);
}

/** Return sorted numbers as a text such as `1, 4–7`. */
export function asRanges(numbers) {
  const ranges = [];
  for (const number of numbers) {
    const range = ranges.at(-1);
    if (range?.last === number - 1) range.last = number;
    else ranges.push({ first: number, last: number });
  }
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}–${last}`)).join(", ");
}

/** Mark the matches below an element and return the first of them as a range, or null. The document stays as it is. */
export function mark(pattern, root) {
  const ranges = pattern ? rangesOf(pattern, root) : [];
  if (CSS.highlights) CSS.highlights.set(HIGHLIGHT, new Highlight(...ranges));
  return ranges[0] ?? null;
}

function rangesOf(pattern, root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const starts = [];
  let text = "";
  while (walker.nextNode()) {
    starts.push([text.length, walker.currentNode]);
    text += walker.currentNode.data;
  }
  return Array.from(text.matchAll(pattern), ({ index, 0: { length } }) => {
    const range = new Range();
    const [start, first] = starts.findLast(([place]) => place <= index);
    const [end, last] = starts.findLast(([place]) => place < index + length);
    range.setStart(first, index - start);
    range.setEnd(last, index + length - end);
    return range;
  });
}
