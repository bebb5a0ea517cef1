// Best bid and offer, spread and mid, exactly; and what must be marked of the book as a whole.

import { basisPoints, show, units } from "./decimals.js";
import { $, setAttribute, setClass, setText } from "./dom.js";
import { text } from "./texts.js";

/** Spread and mid price of two levels, as texts; null without both. */
export function middle({ bid, ask }) {
  if (!bid || !ask) return null;
  const spread = ask.key - bid.key;
  const mid = (ask.key + bid.key) / 2n;
  return { spread: show(spread), mid: show(mid), bps: basisPoints(spread, mid), isCrossed: spread < 0n };
}

export function drawBest(book, nameOf) {
  const best = book?.best ?? {};
  for (const side of ["bid", "ask"]) {
    setText($(`best-${side}`), best[side]?.price ?? "–");
    setText($(`best-${side}-venues`), best[side] ? Object.keys(best[side].shares).map(nameOf).join(", ") : "");
    setText($(`best-${side}-quantity`), best[side]?.quantity ?? "");
  }
  const between = middle(best);
  setText($("spread"), between?.spread ?? "–");
  setText($("spread-bps"), between ? text("best.bps", { bps: between.bps }) : "");
  setText($("mid"), between?.mid ?? "–");
  setText($("ladder-middle"), between ? middleLine(between) : "");
  setClass($("ladder-middle").closest("tr"), between?.isCrossed ? "middle crossed" : "middle");
  drawMarks(book, nameOf);
}

function middleLine({ spread, mid, bps, isCrossed }) {
  if (isCrossed) return text("best.crossed_line", { by: show(-units(spread)), bps: bps.replace("-", ""), mid });
  return text("best.spread_line", { spread, bps, mid });
}

function drawMarks(book, nameOf) {
  const marks = [];
  if (book && book.venues.length === 0) marks.push(text("book.no_venue"));
  const excluded = Object.entries(book?.excluded ?? {});
  for (const [venue, reason] of excluded) marks.push(text("book.excluded", { venue: nameOf(venue), reason }));
  setText($("book-marks"), marks.join(" · "));
  setAttribute($("book-marks"), "title", marks.join("\n") || null);
  setClass($("book-marks"), excluded.length || book?.venues.length === 0 ? "mark warn" : "mark");
}
