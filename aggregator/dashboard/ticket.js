// The ticket: what is wanted, how it would be routed, and only then the order.

import { Unanswered, call } from "./api.js";
import { $, element, reconcile, setAttribute, setText } from "./dom.js";
import { planNodes } from "./plan.js";
import { text, whenSpoken } from "./texts.js";

export class Ticket {
  #form = $("ticket-form");
  #venues;
  #session;
  #symbol = "";
  #plan = null;
  #order = null; // what was sent last; it is sent again under the same id while no answer came
  #isBusy = false;

  constructor(venues, session, announce) {
    this.#venues = venues;
    this.#session = session;
    this.announce = announce;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask();
    });
    this.#form.addEventListener("input", () => this.#changed());
    $("ticket-send").addEventListener("click", () => this.#send());
    whenSpoken(() => this.#spoken());
    this.#changed();
  }

  choose(symbol) {
    this.#symbol = symbol;
    const [base, quote] = symbol.split("/");
    setText($("ticket-base"), base);
    setText($("ticket-quote"), quote);
    this.#form.elements.limit_price.value = "";
    this.#changed();
  }

  /** A price from the ladder. */
  take(price) {
    this.#form.elements.type.value = "limit";
    this.#form.elements.limit_price.value = price;
    this.#changed();
  }

  drawVenues() {
    reconcile($("ticket-venues"), this.#venues.routed, (venue) => venue, makeVenue, (node, venue) => {
      setText(node.lastElementChild, this.#venues.nameOf(venue));
    });
  }

  draw() {
    const mayTrade = this.#session.may("trade");
    const isMarket = this.#form.elements.type.value === "market";
    const tif = this.#form.elements.time_in_force;
    setAttribute($("ticket-limit"), "hidden", isMarket);
    setAttribute(tif.querySelector("[value=GTC]"), "disabled", isMarket);
    if (isMarket && tif.value === "GTC") tif.value = "IOC";
    setAttribute($("ticket-post-only"), "hidden", isMarket || tif.value !== "GTC");
    setAttribute($("ticket-plan"), "disabled", this.#isBusy);
    setAttribute($("ticket-send"), "disabled", this.#isBusy || !mayTrade || !(this.#plan || this.#order));
    setAttribute($("ticket-send"), "title", mayTrade ? null : text("ticket.sign_in_first"));
    const side = text(`side.${this.#form.elements.side.value}`);
    setText($("ticket-send"), text(this.#order ? "ticket.send_again" : "ticket.send", { side }));
  }

  /** A plan holds for what it was made for. */
  #changed() {
    this.#plan = this.#order = null;
    setText($("ticket-error"), "");
    $("plan").replaceChildren();
    this.draw();
  }

  #spoken() {
    this.draw();
    if (this.#plan) $("plan").replaceChildren(...planNodes(this.#plan, this.#venues));
  }

  #wanted() {
    const form = this.#form.elements;
    const boxes = [...$("ticket-venues").querySelectorAll("input")];
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
    const wanted = { symbol: this.#symbol, side: form.side.value, quantity: form.quantity.value.trim() };
    if (form.type.value === "limit") wanted.limit_price = form.limit_price.value.trim();
    if (chosen.length < boxes.length) wanted.venues = chosen;
    return wanted;
  }

  async #ask() {
    await this.#busily(async () => {
      this.#plan = this.#order = null;
      this.#plan = await call("POST", "/v1/quotes", this.#wanted());
      $("plan").replaceChildren(...planNodes(this.#plan, this.#venues));
    });
  }

  async #send() {
    await this.#busily(async () => {
      const form = this.#form.elements;
      this.#order ??= {
        ...this.#wanted(),
        client_order_id: `page-${crypto.randomUUID()}`,
        type: form.type.value,
        time_in_force: form.time_in_force.value,
        post_only: form.type.value === "limit" && form.time_in_force.value === "GTC" && form.post_only.checked,
      };
      const order = await call("POST", "/v1/orders", this.#order);
      this.#plan = this.#order = null;
      $("plan").replaceChildren(element("p", { class: "sent" }, text("ticket.sent", { id: order.order_id })));
    });
  }

  async #busily(work) {
    this.#isBusy = true;
    setText($("ticket-error"), "");
    this.draw();
    try {
      await work();
    } catch (failure) {
      // An order without an answer may have been taken: only the same id is safe to send again.
      if (!(failure instanceof Unanswered)) this.#order = null;
      const isInDoubt = failure instanceof Unanswered && this.#order;
      const words = isInDoubt ? text("ticket.in_doubt") : text("problem.unanswered");
      setText($("ticket-error"), failure instanceof Unanswered ? words : failure.message);
    } finally {
      this.#isBusy = false;
      this.draw();
    }
  }
}

function makeVenue(venue) {
  return element("label", { class: "check" }, element("input", { type: "checkbox", value: venue, checked: true }), element("span"));
}
