/** The picture of a page with its blocks as frames over it. */

import { svg } from "../dom.js";
import { t } from "../texts/i18n.js";

// Below it the service itself warns.
const DOUBTFUL = 0.75;
const SHOWN_LETTERS = 120;
const KINDS = {
  title: ["doc_title", "paragraph_title", "figure_title", "abstract"],
  list: ["list", "content", "reference", "reference_content"],
  table: ["table"],
  formula: ["display_formula", "inline_formula", "formula", "formula_number", "algorithm"],
  picture: ["image", "chart", "seal", "header_image", "footer_image"],
  margin: ["header", "footer", "number", "footnote", "vision_footnote", "aside_text"],
};

/** Return the kind of a block, which has a colour. */
export const kindOf = ({ label }) => Object.keys(KINDS).find((kind) => KINDS[kind].includes(label)) ?? "text";

/** Draw a page. url: address of its picture, or null. Return the drawing, and the frame of each block. */
export function drawn(page, url) {
  const frames = new Map(page.blocks.map((block) => [block, frame(block)]));
  const view = `0 0 ${page.width || 1} ${page.height || 1}`;
  const drawing = svg("svg", { viewBox: view, role: "group", "aria-label": t("picture", { number: page.index }) });
  drawing.append(svg("rect", { class: "paper", width: "100%", height: "100%" }));
  if (url) drawing.append(picture(page, url));
  drawing.append(...frames.values());
  return { drawing, frames };
}

/** Return the picture, turned as the engine turned it. */
function picture({ width, height, rotation }, url) {
  const isTurned = rotation % 180 !== 0;
  const [ownWidth, ownHeight] = isTurned ? [height, width] : [width, height];
  const moves = {
    0: "",
    90: `rotate(-90) translate(${-ownWidth} 0)`,
    180: `rotate(180) translate(${-ownWidth} ${-ownHeight})`,
    270: `rotate(90) translate(0 ${-ownHeight})`,
  };
  const size = { width: ownWidth, height: ownHeight, preserveAspectRatio: "none" };
  return svg("image", { href: url, ...size, transform: moves[rotation] ?? "" });
}

function frame(block) {
  const [left, top, right, bottom] = block.bbox;
  const marks = [`block kind-${kindOf(block)}`];
  if (block.error) marks.push("failed");
  else if (block.confidence !== null && block.confidence < DOUBTFUL) marks.push("doubtful");
  const name = nameOf(block);
  const box = { x: left, y: top, width: Math.max(right - left, 1), height: Math.max(bottom - top, 1) };
  const attributes = { ...box, class: marks.join(" "), tabindex: 0, role: "img", "aria-label": name };
  return svg("rect", attributes, svg("title", {}, name));
}

function nameOf({ label, content, confidence, error }) {
  const plain = content.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ").trim();
  const text = error ? error.detail : plain.length > SHOWN_LETTERS ? `${plain.slice(0, SHOWN_LETTERS)}…` : plain;
  if (confidence === null) return t("block", { label, text });
  return t("blockConfidence", { label, text, percent: Math.round(confidence * 100) });
}
