// One consolidated book, from a snapshot and its changes, best levels first.

import { units } from "./decimals.js";

class Side {
  constructor(levels, isBetter) {
    this.isBetter = isBetter;
    this.levels = levels.map(levelOf);
  }

  change(changed) {
    for (const [price, quantity, shares] of changed) {
      const level = levelOf([price, quantity, shares]);
      const at = this.#place(level.key);
      const isThere = this.levels[at]?.key === level.key;
      if (level.units === 0n) {
        if (isThere) this.levels.splice(at, 1);
      } else {
        this.levels.splice(at, isThere ? 1 : 0, level);
      }
    }
  }

  #place(key) {
    let low = 0;
    let high = this.levels.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.isBetter(this.levels[middle].key, key)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** `key` and `units` are exact; `x` and `parts` are for pixels only. */
function levelOf([price, quantity, shares]) {
  const parts = Object.fromEntries(Object.entries(shares).map(([venue, share]) => [venue, Number(share)]));
  return { price, quantity, shares, key: units(price), units: units(quantity), x: Number(price), parts };
}

export class Book {
  constructor(snapshot) {
    this.symbol = snapshot.symbol;
    this.bids = new Side(snapshot.bids, (left, right) => left > right);
    this.asks = new Side(snapshot.asks, (left, right) => left < right);
    this.#take(snapshot);
  }

  change(message) {
    if (message.bids) this.bids.change(message.bids);
    if (message.asks) this.asks.change(message.asks);
    this.#take(message);
  }

  get best() {
    const [bid] = this.bids.levels;
    const [ask] = this.asks.levels;
    return { bid, ask };
  }

  #take(message) {
    for (const name of ["crossed", "venues", "excluded", "as_of_ns", "oldest_ns"]) {
      if (message[name] !== undefined) this[name] = message[name];
    }
  }
}
