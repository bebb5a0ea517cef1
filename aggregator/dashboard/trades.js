// Public trades of the instrument at every venue, the newest first.

import { aligned, mostDecimals } from "./decimals.js";
import { $, element, reconcile, setAttribute, setClass, setText } from "./dom.js";
import { clockTime } from "./times.js";
import { text, whenSpoken } from "./texts.js";

const SHOWN = 40;

export class Trades {
  #trades = [];
  #venues;
  #number = 0;

  constructor(venues) {
    this.#venues = venues;
    whenSpoken(() => this.draw());
  }

  clear() {
    this.#trades = [];
    this.draw();
  }

  receive(message) {
    if (message.type === "snapshot") this.#trades = [];
    // A venue's own trade ids need not be unique, so each has a number of ours.
    const told = message.trades.map((trade) => ({ ...trade, number: (this.#number += 1) }));
    this.#trades = [...told.reverse(), ...this.#trades].slice(0, SHOWN);
  }

  draw() {
    const decimals = {
      price: mostDecimals(this.#trades.map((trade) => trade.price)),
      quantity: mostDecimals(this.#trades.map((trade) => trade.quantity)),
    };
    reconcile($("trades-rows"), this.#trades, (trade) => trade.number, makeRow, (row, trade) => {
      const [time, price, quantity, venue] = row.children;
      setClass(row, trade.taker === "buy" ? "bid" : "ask");
      setText(time, clockTime(trade.venue_time_ns || trade.received_ns));
      setText(price, aligned(trade.price, decimals.price));
      setAttribute(price, "aria-label", `${text(`side.${trade.taker}`)} ${trade.price}`);
      setText(quantity, aligned(trade.quantity, decimals.quantity));
      setText(venue, this.#venues.nameOf(trade.venue));
    });
    setText($("trades-nothing"), this.#trades.length ? "" : text("trades.none"));
  }
}

function makeRow() {
  const cells = ["", "number price", "number", ""].map((name) => element("td", { class: name }));
  return element("tr", {}, ...cells);
}
