// Venues: their names and colours everywhere on the page, and a card for each with how its book of this instrument fares.

import { show, units } from "./decimals.js";
import { $, element, reconcile, setAttribute, setClass, setText } from "./dom.js";
import { seconds } from "./times.js";
import { text, whenSpoken } from "./texts.js";

const COLOURS = 8;

export class Venues {
  ids = [];
  #configured = new Map();
  #state = new Map();
  #symbol = "";
  #excluded = {};

  constructor(clock) {
    this.clock = clock;
    setInterval(() => this.draw(), 1000);
    whenSpoken(() => this.draw());
  }

  /** The documents of GET /v1/venues. */
  configure(documents) {
    this.ids = documents.map((venue) => venue.venue);
    this.#configured = new Map(documents.map((venue) => [venue.venue, venue]));
    this.#legend();
    this.draw();
  }

  nameOf = (venue) => this.#configured.get(venue)?.name ?? venue;

  /** The name of a colour, which is also that of a class. */
  colourOf = (venue) => `venue-${Math.max(this.ids.indexOf(venue), 0) % COLOURS}`;

  totalOf = (levels, venue) => show(levels.reduce((total, level) => total + units(level.shares[venue] ?? "0"), 0n));

  /** What may be chosen for an order. */
  get routed() {
    return this.ids.filter((venue) => this.#configured.get(venue).route);
  }

  receive(message) {
    this.clock.learn(message.as_of_ns);
    if (message.type === "snapshot") this.#state = new Map();
    for (const [venue, changed] of Object.entries(message.venues)) {
      this.#state.set(venue, merged(this.#state.get(venue) ?? {}, changed));
    }
    this.draw();
  }

  choose(symbol) {
    this.#symbol = symbol;
    this.draw();
  }

  exclude(excluded) {
    this.#excluded = excluded;
  }

  draw() {
    const known = this.ids.filter((venue) => this.#state.has(venue));
    reconcile($("venue-cards"), known, (venue) => venue, makeCard, (card, venue) => this.#drawCard(card, venue));
    const listed = known.filter((venue) => this.#book(venue));
    const live = listed.filter((venue) => this.#book(venue).health === "live").length;
    setText($("venues-marks"), listed.length ? text("venues.live", { live, all: listed.length }) : "");
  }

  #book(venue) {
    return this.#state.get(venue)?.books?.[this.#symbol];
  }

  #drawCard(card, venue) {
    const state = this.#state.get(venue);
    const book = this.#book(venue);
    const { parts } = card;
    const health = book?.health ?? "none";
    setClass(card, `card health-${health}`);
    setClass(parts.swatch, `swatch ${this.colourOf(venue)}`);
    setText(parts.name, this.nameOf(venue));
    setText(parts.health, book ? text(`health.${health}`) : text("venues.not_listed"));
    setText(parts.reason, book?.reason || this.#excluded[venue] || "");
    setText(parts.received, this.#age(book?.received_ns));
    setText(parts.venue_time, this.#age(book?.venue_time_ns));
    setText(parts.changed, this.#age(book?.changed_ns));
    setText(parts.gaps, String(book?.gaps ?? 0));
    setText(parts.resyncs, String(book?.resyncs ?? 0));
    setText(parts.crossed, String(book?.crossed ?? 0));
    setText(parts.rejected, String(state.rejected_frames ?? 0));
    this.#drawConnection(parts, state);
  }

  #drawConnection(parts, { connection = {}, state, route, display }) {
    setText(parts.sockets, connection.connections ? `${connection.open_connections}/${connection.connections}` : "–");
    setText(parts.budget, connection.weight_limit ? `${connection.weight_used}/${connection.weight_limit}` : "–");
    setAttribute(parts.meter, "max", connection.weight_limit || 1);
    setAttribute(parts.meter, "value", connection.weight_limit ? connection.weight_used : 0);
    const notes = [];
    if (state !== "active") notes.push(text(`venue_state.${state}`));
    if (!route) notes.push(text("venues.no_route"));
    if (!display) notes.push(text("venues.no_display"));
    if (connection.breaker_reason) {
      const remaining = Math.ceil(connection.breaker_remaining_ns / 1e9);
      notes.push(text("venues.breaker", { seconds: remaining, reason: connection.breaker_reason }));
    }
    if (connection.open_connections < connection.connections && connection.last_failure) {
      notes.push(connection.last_failure);
    }
    setText(parts.notes, notes.join(" · "));
  }

  #age(ns) {
    return ns ? seconds(this.clock.nowMs() - ns / 1e6) : "–";
  }

  #legend() {
    $("legend").replaceChildren(
      ...this.ids.map((venue) =>
        element("li", {}, element("i", { class: `swatch ${this.colourOf(venue)}` }), this.nameOf(venue)),
      ),
    );
  }
}

/** What has changed put into what was there; null stands for what is gone. */
function merged(before, changed) {
  const after = { ...before };
  for (const [name, value] of Object.entries(changed)) {
    const isNested = value !== null && typeof value === "object" && !Array.isArray(value);
    after[name] = isNested ? merged(before[name] ?? {}, value) : value;
  }
  return after;
}

const FACTS = ["received", "venue_time", "changed", "gaps", "resyncs", "crossed", "rejected", "sockets", "budget"];

function makeCard() {
  const parts = {
    swatch: element("i", { class: "swatch" }),
    name: element("b"),
    health: element("span", { class: "health" }),
    reason: element("p", { class: "reason", lang: "en" }),
    meter: element("meter", { min: 0 }),
    notes: element("p", { class: "notes" }),
  };
  const facts = element("dl", { class: "facts" });
  for (const name of FACTS) {
    const term = element("dt");
    parts[name] = element("dd");
    whenSpoken(() => setText(term, text(`venues.${name}`)));
    facts.append(element("div", {}, term, parts[name]));
  }
  facts.lastElementChild.append(parts.meter);
  whenSpoken(() => parts.meter.setAttribute("aria-label", text("venues.budget")));
  const head = element("h3", {}, parts.swatch, parts.name, parts.health);
  const card = element("li", {}, head, parts.reason, facts, parts.notes);
  card.parts = parts;
  return card;
}
