// The ladder: each side's best levels with what stands up to there, and whose they are.

import { aligned, mostDecimals, show } from "./decimals.js";
import { $, element, setAttribute, setClass, setText } from "./dom.js";

const narrow = matchMedia("(max-width: 719px)");
const rowsAside = () => (narrow.matches ? 8 : 16);

export class Ladder {
  #sides = { bids: [], asks: [] };
  #venues;

  /** `venues` tells names and colours; `choose` is told the price of a level that was clicked. */
  constructor(venues, choose) {
    this.#venues = venues;
    for (const side of ["bids", "asks"]) {
      $(`ladder-${side}`).addEventListener("click", (event) => {
        const price = event.target.closest("tr")?.price;
        if (price) choose(price);
      });
    }
    narrow.addEventListener("change", () => this.#build());
    this.#build();
  }

  draw(book) {
    const shown = {
      bids: cumulated(book?.bids.levels ?? [], rowsAside()),
      asks: cumulated(book?.asks.levels ?? [], rowsAside()),
    };
    const both = [...shown.bids, ...shown.asks];
    const widths = {
      price: mostDecimals(both.map((row) => row.level.price)),
      quantity: mostDecimals(both.map((row) => row.level.quantity)),
      total: mostDecimals(both.map((row) => row.total)),
    };
    const largest = both.reduce((most, row) => (row.units > most ? row.units : most), 1n);
    for (const side of ["bids", "asks"]) {
      this.#sides[side].forEach((row, index) => this.#drawRow(row, shown[side][index], widths, largest));
    }
  }

  #build() {
    for (const side of ["bids", "asks"]) {
      const rows = Array.from({ length: rowsAside() }, makeRow);
      this.#sides[side] = rows;
      const best = rows.map((row) => row.node);
      $(`ladder-${side}`).replaceChildren(...(side === "asks" ? best.reverse() : best));
    }
  }

  #drawRow(row, shown, widths, largest) {
    row.node.price = shown?.level.price;
    setText(row.price, shown ? aligned(shown.level.price, widths.price) : "\u00a0");
    setText(row.quantity, shown ? aligned(shown.level.quantity, widths.quantity) : "");
    setText(row.total, shown ? aligned(shown.total, widths.total) : "");
    const share = shown ? `${Number((shown.units * 100n) / largest)}%` : "0%";
    if (row.node.style.getPropertyValue("--share") !== share) row.node.style.setProperty("--share", share);
    this.#drawVenues(row, shown?.level.shares ?? {});
  }

  #drawVenues(row, shares) {
    const venues = Object.entries(shares);
    while (row.venues.length < venues.length) {
      const slot = makeSlot();
      row.venues.push(slot);
      row.cell.append(slot.node);
    }
    const whose = venues.map(([venue, quantity]) => `${this.#venues.nameOf(venue)} ${quantity}`).join(", ");
    setAttribute(row.cell, "title", whose || null);
    row.venues.forEach((slot, index) => {
      const [venue, quantity] = venues[index] ?? [];
      setAttribute(slot.node, "hidden", venue === undefined);
      if (venue === undefined) return;
      setClass(slot.swatch, `swatch ${this.#venues.colourOf(venue)}`);
      setText(slot.name, this.#venues.nameOf(venue));
      setText(slot.quantity, venues.length > 1 ? quantity : "");
    });
  }
}

/** The best levels with the sum of their quantities so far, exactly. */
function cumulated(levels, count) {
  let units = 0n;
  return levels.slice(0, count).map((level) => {
    units += level.units;
    return { level, units, total: show(units) };
  });
}

function makeRow() {
  const price = element("td", { class: "number price" });
  const quantity = element("td", { class: "number" });
  const total = element("td", { class: "number total" });
  const cell = element("td", { class: "venues" });
  return { node: element("tr", {}, price, quantity, total, cell), price, quantity, total, cell, venues: [] };
}

function makeSlot() {
  const swatch = element("i", { class: "swatch" });
  const name = element("span");
  const quantity = element("small");
  return { node: element("span", { class: "share" }, swatch, name, quantity), swatch, name, quantity };
}
