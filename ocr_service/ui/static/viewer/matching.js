/** Which element of the rendered page shows which block: they have the same letters, nearly in the same order. */

const PICTURES = ["image", "chart", "seal"];

/** Return pairs [block, element]; a block or an element without a partner is in none. */
export function pairsOf(blocks, elements) {
  const rest = elements.map((element) => ({ element, letters: lettersOf(element) }));
  const pairs = [];
  let next = 0;
  for (const block of blocks) {
    const letters = normalised(block.content.replace(/<[^>]*>/g, " "));
    const found = [...rest.keys()].map((step) => (next + step) % rest.length).find((place) => fits(rest[place], block, letters));
    if (found === undefined) continue;
    pairs.push([block, rest[found].element]);
    if (rest[found].letters === letters) rest[found].isTaken = true;
    next = found;
  }
  return pairs;
}

function fits({ element, letters, isTaken }, { label }, ofBlock) {
  if (isTaken) return false;
  if (!letters) return PICTURES.includes(label) && element.querySelector("img") !== null;
  return ofBlock !== "" && (letters.includes(ofBlock) || ofBlock.includes(letters));
}

/** Return the letters of an element; those of a formula are its LaTeX. */
function lettersOf(element) {
  const copy = element.cloneNode(true);
  for (const formula of copy.querySelectorAll("math")) formula.replaceWith(formula.getAttribute("alttext") ?? "");
  return normalised(copy.textContent);
}

const normalised = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");
