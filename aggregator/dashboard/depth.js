// Two-sided depth, stacked by venue, on a canvas. It is drawn again only when the book, the view of it or the page changed.

import { show } from "./decimals.js";
import { $, perFrame, setText } from "./dom.js";
import { text, whenSpoken } from "./texts.js";

const PADDING = { left: 4, right: 52, top: 10, bottom: 20 };
const CLOSEST = 1 / 64; // of the whole range

export class Depth {
  #canvas = $("depth-canvas");
  #book = null;
  #venues;
  #zoom = 1; // 1 shows all levels that are there
  #centre = null;
  #half = 0;
  #most = 0;
  #wantMore;
  #cursor = null; // a price, for pixels
  #scale = null;
  #colours = null;
  redraw = perFrame(() => this.#draw());

  /** `wantMore` is called when somebody zooms out beyond what is there. */
  constructor(venues, wantMore) {
    this.#venues = venues;
    this.#wantMore = wantMore;
    const canvas = this.#canvas;
    new ResizeObserver(this.redraw).observe(canvas);
    canvas.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    canvas.addEventListener("pointerleave", () => this.#leave());
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.#leave());
    $("zoom-in").addEventListener("click", () => this.#zoomBy(1 / 2));
    $("zoom-out").addEventListener("click", () => this.#zoomBy(2));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.repaint());
    whenSpoken(() => this.redraw());
  }

  show(book) {
    if (book?.symbol !== this.#book?.symbol) this.#centre = null;
    if (book !== this.#book) this.#half = this.#most = 0;
    this.#book = book;
    this.redraw();
  }

  /** After the theme has changed. */
  repaint() {
    this.#colours = null;
    this.redraw();
  }

  #zoomBy(factor) {
    if (this.#zoom * factor > 1) this.#wantMore();
    this.#zoom = Math.min(1, Math.max(CLOSEST, this.#zoom * factor));
    this.redraw();
  }

  #wheel(event) {
    if (!event.deltaY) return;
    event.preventDefault();
    this.#zoomBy(event.deltaY > 0 ? 1.25 : 0.8);
  }

  #key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1 };
    if (event.key === "+" || event.key === "=") this.#zoomBy(1 / 2);
    else if (event.key === "-") this.#zoomBy(2);
    else if (event.key === "Escape") this.#leave();
    else if (event.key in steps) this.#step(steps[event.key]);
    else return;
    event.preventDefault();
  }

  #point(offsetX) {
    if (!this.#scale) return;
    this.#cursor = this.#scale.priceAt(offsetX);
    this.redraw();
  }

  #leave() {
    this.#cursor = null;
    this.redraw();
  }

  /** To the next level of either side. */
  #step(direction) {
    if (!this.#book) return;
    const prices = [...this.#book.bids.levels, ...this.#book.asks.levels].map((level) => level.x).sort((a, b) => a - b);
    const from = this.#cursor ?? this.#centre;
    const next = direction > 0 ? prices.find((price) => price > from) : prices.findLast((price) => price < from);
    if (next === undefined) return;
    this.#cursor = next;
    $("depth-readout").setAttribute("aria-live", "polite");
    this.redraw();
  }

  #draw() {
    const canvas = this.#canvas;
    const [width, height, ratio] = [canvas.clientWidth, canvas.clientHeight, devicePixelRatio];
    if (!width || !height) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    this.#colours ??= readColours(this.#venues);
    this.#scale = this.#fit(width, height);
    this.#tellCursor();
    if (!this.#scale) return;
    const { bids, asks } = this.#scale;
    drawAxes(pen, this.#scale, this.#colours);
    for (const [side, levels] of [["bid", bids], ["ask", asks]]) {
      drawSide(pen, levels, side, this.#scale, this.#venues.ids, this.#colours);
    }
    drawCrossed(pen, this.#book.best, this.#scale, this.#colours);
    if (this.#cursor !== null) drawCursor(pen, this.#cursor, this.#scale, this.#colours);
  }

  /** What is in sight, and where it goes. Neither the centre nor a scale follows before there is a reason to. */
  #fit(width, height) {
    const { bid, ask } = this.#book?.best ?? {};
    if (!bid || !ask) return null;
    const mid = (bid.x + ask.x) / 2;
    const worst = [this.#book.bids.levels.at(-1).x, this.#book.asks.levels.at(-1).x];
    // No further than both sides are known: a flat end would look like a book without any more in it.
    const whole = Math.max(Math.min(mid - worst[0], worst[1] - mid), mid * 1e-6) * this.#zoom;
    if (Math.abs(whole - this.#half) > this.#half / 8) this.#half = whole;
    const half = this.#half;
    if (this.#centre === null || Math.abs(mid - this.#centre) > half / 20) this.#centre = mid;
    const [low, high] = [this.#centre - half, this.#centre + half];
    const bids = cumulated(this.#book.bids.levels, (x) => x >= low, this.#venues.ids);
    const asks = cumulated(this.#book.asks.levels, (x) => x <= high, this.#venues.ids);
    const highest = Math.max(bids.at(-1)?.total ?? 0, asks.at(-1)?.total ?? 0) || 1;
    if (highest > this.#most || highest < this.#most * 0.4) this.#most = nice(highest * 1.05);
    const most = this.#most;
    const inner = { width: width - PADDING.left - PADDING.right, height: height - PADDING.top - PADDING.bottom };
    return {
      width, height, low, high, most, bids, asks,
      x: (price) => PADDING.left + ((price - low) / (high - low)) * inner.width,
      y: (quantity) => PADDING.top + (1 - quantity / most) * inner.height,
      priceAt: (pixel) => low + ((pixel - PADDING.left) / inner.width) * (high - low),
    }; // prettier-ignore
  }

  #tellCursor() {
    const readout = $("depth-readout");
    if (this.#cursor === null) readout.removeAttribute("aria-live");
    setText(readout, this.#cursor === null || !this.#scale ? "" : this.#readout());
  }

  /** What stands between the best price and the cursor, in exact numbers. */
  #readout() {
    const { bid, ask } = this.#book.best;
    const isBid = this.#cursor <= (bid.x + ask.x) / 2;
    const reached = isBid
      ? this.#book.bids.levels.filter((level) => level.x >= this.#cursor)
      : this.#book.asks.levels.filter((level) => level.x <= this.#cursor);
    if (!reached.length) return text("depth.between");
    const total = show(reached.reduce((sum, level) => sum + level.units, 0n));
    const parts = { price: reached.at(-1).price, quantity: total, base: this.#book.symbol.split("/")[0] };
    const shares = this.#venues.ids
      .map((venue) => [venue, this.#venues.totalOf(reached, venue)])
      .filter(([, quantity]) => quantity !== "0")
      .map(([venue, quantity]) => `${this.#venues.nameOf(venue)} ${quantity}`);
    return [text(isBid ? "depth.bids_to" : "depth.asks_to", parts), ...shares].join(" · ");
  }
}

function cumulated(levels, isInSight, venues) {
  const sums = venues.map(() => 0);
  const points = [];
  for (const level of levels) {
    if (!isInSight(level.x)) break;
    venues.forEach((venue, index) => (sums[index] += level.parts[venue] ?? 0));
    let below = 0;
    points.push({ x: level.x, stacked: sums.map((sum) => (below += sum)), total: below });
  }
  return points;
}

/** The highest venue first, each painted over by those below it. */
function drawSide(pen, points, side, scale, venues, colours) {
  if (!points.length) return;
  const edge = scale.x(side === "bid" ? scale.low : scale.high);
  for (let index = venues.length - 1; index >= 0; index -= 1) {
    pen.beginPath();
    pen.moveTo(scale.x(points[0].x), scale.y(0));
    trace(pen, points, edge, scale, (point) => point.stacked[index]);
    pen.lineTo(edge, scale.y(0));
    pen.fillStyle = colours.venues[index];
    pen.fill();
  }
  pen.beginPath();
  pen.moveTo(scale.x(points[0].x), scale.y(0));
  trace(pen, points, edge, scale, (point) => point.total);
  pen.strokeStyle = colours[side];
  pen.lineWidth = 2;
  pen.stroke();
}

function trace(pen, points, edge, scale, heightOf) {
  let before = 0;
  for (const point of points) {
    pen.lineTo(scale.x(point.x), scale.y(before));
    before = heightOf(point);
    pen.lineTo(scale.x(point.x), scale.y(before));
  }
  pen.lineTo(edge, scale.y(before));
}

function drawAxes(pen, scale, colours) {
  pen.font = colours.font;
  pen.fillStyle = colours.muted;
  pen.strokeStyle = colours.line;
  pen.lineWidth = 1;
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  for (let part = 1; part <= 4; part += 1) {
    const quantity = (scale.most * part) / 4;
    const y = Math.round(scale.y(quantity)) + 0.5;
    line(pen, PADDING.left, y, scale.width - PADDING.right, y);
    pen.fillText(short(quantity), scale.width - PADDING.right + 6, y);
  }
  pen.textBaseline = "alphabetic";
  const step = nice((scale.high - scale.low) / Math.max(2, scale.width / 110));
  for (let price = Math.ceil(scale.low / step) * step; price <= scale.high; price += step) {
    const label = short(price);
    const half = pen.measureText(label).width / 2;
    const x = Math.min(Math.max(scale.x(price), half + 2), scale.width - PADDING.right - half);
    pen.fillText(label, x - half, scale.height - 5);
  }
}

/** Bids above asks: the stretch between them is marked. */
function drawCrossed(pen, { bid, ask }, scale, colours) {
  if (bid.x <= ask.x) return;
  const [left, right] = [scale.x(ask.x), scale.x(bid.x)];
  pen.fillStyle = colours.warn;
  pen.globalAlpha = 0.25;
  pen.fillRect(left, PADDING.top, Math.max(right - left, 1), scale.height - PADDING.top - PADDING.bottom);
  pen.globalAlpha = 1;
}

function drawCursor(pen, price, scale, colours) {
  const x = Math.round(scale.x(price)) + 0.5;
  pen.strokeStyle = colours.text;
  pen.lineWidth = 1;
  pen.setLineDash([3, 3]);
  line(pen, x, PADDING.top, x, scale.height - PADDING.bottom);
  pen.setLineDash([]);
}

function line(pen, fromX, fromY, toX, toY) {
  pen.beginPath();
  pen.moveTo(fromX, fromY);
  pen.lineTo(toX, toY);
  pen.stroke();
}

/** The next of 1, 2, 2.5, 4, 5 or 10 times a power of ten. */
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 4, 5, 10].find((step) => step * power >= value * 0.999) * power;
}

/** A label of an axis, which is a place and not somebody's number. */
const short = (value) => String(Number(value.toPrecision(6)));

function readColours(venues) {
  const style = getComputedStyle(document.body);
  const probe = document.createElement("span");
  document.body.append(probe);
  const read = (name) => {
    probe.style.setProperty("color", `var(--${name})`);
    return getComputedStyle(probe).color;
  };
  const names = ["bid", "ask", "text", "muted", "line", "warn"];
  const colours = Object.fromEntries(names.map((name) => [name, read(name)]));
  colours.venues = venues.ids.map((venue) => read(venues.colourOf(venue)));
  colours.font = `11px ${style.fontFamily}`;
  probe.remove();
  return colours;
}
