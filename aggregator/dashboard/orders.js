// The account's own orders with their children, and its fills, as they change.

import { call } from "./api.js";
import { confirm } from "./confirm.js";
import { $, element, reconcile, setAttribute, setClass, setText } from "./dom.js";
import { clockTime } from "./times.js";
import { text, whenSpoken } from "./texts.js";

const KEPT = 200;
const OPEN = new Set(["working", "canceling"]);
const TABS = ["open", "all", "fills"];

export class Orders {
  #orders = new Map();
  #fills = [];
  #unfolded = new Set();
  #tab = "open";
  #venues;
  #session;
  #announce;

  constructor(venues, session, announce) {
    this.#venues = venues;
    this.#session = session;
    this.#announce = announce;
    for (const tab of TABS) $(`tab-${tab}`).addEventListener("click", () => this.#choose(tab));
    $("order-tabs").addEventListener("keydown", (event) => this.#key(event));
    $("cancel-all").addEventListener("click", () => this.#askCancelAll());
    whenSpoken(() => this.draw());
    this.#choose("open");
  }

  clear() {
    this.#orders.clear();
    this.#fills = [];
    this.draw();
  }

  receiveOrders(message) {
    if (message.type === "snapshot") this.#orders.clear();
    for (const order of message.orders) {
      const before = this.#orders.get(order.order_id);
      this.#orders.delete(order.order_id);
      this.#orders.set(order.order_id, order);
      if (message.type === "change" && before?.state !== order.state) this.#announceState(order);
    }
    for (const [id, order] of this.#orders) {
      if (this.#orders.size <= KEPT) break;
      if (!OPEN.has(order.state)) this.#orders.delete(id);
    }
  }

  receiveFills(message) {
    const told = [...message.fills].reverse();
    this.#fills = (message.type === "snapshot" ? told : [...told, ...this.#fills]).slice(0, KEPT);
  }

  draw() {
    const all = [...this.#orders.values()].sort((left, right) => right.received_ns - left.received_ns);
    const open = all.filter((order) => OPEN.has(order.state));
    const shown = this.#tab === "open" ? open : all;
    const rows = shown.flatMap((order) =>
      this.#unfolded.has(order.order_id)
        ? [{ key: order.order_id, order }, { key: `${order.order_id} children`, order, isDetail: true }]
        : [{ key: order.order_id, order }],
    );
    reconcile($("orders-rows"), rows, (row) => row.key, (row) => this.#make(row), (node, row) => this.#update(node, row));
    setText($("tab-open"), text("orders.open", { n: open.length }));
    setText($("orders-nothing"), shown.length ? "" : this.#nothing());
    setAttribute($("cancel-all"), "disabled", !open.length || !this.#session.may("trade"));
    this.#drawFills();
  }

  #nothing() {
    if (!this.#session.may("read", "trade")) return text("orders.signed_out");
    return text(this.#tab === "open" ? "orders.none_open" : "orders.none");
  }

  #drawFills() {
    reconcile($("fills-rows"), this.#fills, (fill) => fill.id, makeFill, (row, fill) => {
      setClass(row, fill.side === "buy" ? "bid" : "ask");
      const venue = this.#venues.nameOf(fill.venue);
      const texts = [clockTime(fill.received_ns), fill.symbol, text(`side.${fill.side}`), venue, fill.price, fill.quantity];
      const rest = [`${fill.fee} ${fill.fee_asset}`, text(`liquidity.${fill.liquidity}`)];
      [...texts, ...rest].forEach((word, index) => setText(row.children[index], word));
    });
    setText($("fills-nothing"), this.#fills.length ? "" : this.#session.scopes.length ? text("orders.no_fills") : text("orders.signed_out"));
  }

  #choose(tab) {
    this.#tab = tab;
    for (const name of TABS) {
      setAttribute($(`tab-${name}`), "aria-selected", String(name === tab));
      setAttribute($(`tab-${name}`), "tabindex", name === tab ? 0 : -1);
    }
    setAttribute($("panel-orders"), "hidden", tab === "fills");
    setAttribute($("panel-orders"), "aria-labelledby", tab === "fills" ? "tab-open" : `tab-${tab}`);
    setAttribute($("panel-fills"), "hidden", tab !== "fills");
    this.draw();
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const next = TABS[(TABS.indexOf(this.#tab) + step + TABS.length) % TABS.length];
    this.#choose(next);
    $(`tab-${next}`).focus();
  }

  #make({ order, isDetail }) {
    if (isDetail) return element("tr", { class: "detail" }, element("td", { colspan: 11 }));
    const id = order.order_id;
    const unfold = element("button", { type: "button", class: "unfold", onclick: () => this.#unfold(id) });
    const cancel = element("button", { type: "button", class: "small", onclick: () => this.#cancel(id) });
    const numbers = ["quantity", "limit", "filled", "average"].map(() => element("td", { class: "number" }));
    const words = ["time", "instrument", "side", "kind"].map(() => element("td"));
    const state = element("td", {}, element("span", { class: "order-state" }), element("small", { lang: "en" }));
    return element("tr", {}, element("td", {}, unfold), ...words, ...numbers, state, element("td", {}, cancel));
  }

  #update(node, { order, isDetail }) {
    if (isDetail) return this.#drawDetail(node.firstElementChild, order);
    const cells = node.children;
    const isUnfolded = this.#unfolded.has(order.order_id);
    setClass(node, order.side === "buy" ? "bid" : "ask");
    const unfold = cells[0].firstElementChild;
    setText(unfold, isUnfolded ? "▾" : "▸");
    setAttribute(unfold, "aria-expanded", String(isUnfolded));
    setAttribute(unfold, "aria-label", text("orders.details_of", { id: order.order_id }));
    const kind = [text(`type.${order.type}`), order.time_in_force, order.post_only ? text("ticket.post_only") : ""];
    const texts = [clockTime(order.received_ns), order.symbol, text(`side.${order.side}`), kind.filter(Boolean).join(" ")];
    const numbers = [order.quantity, order.limit_price ?? "–", order.filled, order.average_price ?? "–"];
    [...texts, ...numbers].forEach((word, index) => setText(cells[index + 1], word));
    setText(cells[9].firstElementChild, text(`parent.${order.state}`));
    setClass(cells[9].firstElementChild, `order-state state-${order.state}`);
    setText(cells[9].lastElementChild, order.reason);
    const cancel = cells[10].firstElementChild;
    setText(cancel, text("orders.cancel"));
    setAttribute(cancel, "aria-label", text("orders.cancel_of", { id: order.order_id }));
    setAttribute(cancel, "hidden", order.state !== "working" || !this.#session.may("trade"));
  }

  #drawDetail(cell, order) {
    cell.list ??= cell.appendChild(element("ul", { class: "children" }));
    reconcile(cell.list, order.children, (child) => child.child_id, makeChild, (node, child) => {
      const parts = node.parts;
      setClass(parts.swatch, `swatch ${this.#venues.colourOf(child.venue)}`);
      setText(parts.venue, this.#venues.nameOf(child.venue));
      setText(parts.state, text(`child.${child.state}`));
      setClass(parts.state, `order-state state-${child.state}`);
      setText(parts.numbers, text("orders.child", { filled: child.filled, quantity: child.quantity, price: child.limit_price }));
      setText(parts.reason, child.reason);
    });
  }

  #unfold(id) {
    if (!this.#unfolded.delete(id)) this.#unfolded.add(id);
    this.draw();
  }

  #announceState(order) {
    const parts = { side: text(`side.${order.side}`), quantity: order.quantity, symbol: order.symbol, filled: order.filled };
    this.#announce(text("orders.announced", { ...parts, state: text(`parent.${order.state}`) }));
  }

  async #cancel(id) {
    try {
      await call("DELETE", `/v1/orders/${id}`);
    } catch (failure) {
      this.#announce(failure.message || text("problem.unanswered"));
    }
  }

  #askCancelAll() {
    const n = [...this.#orders.values()].filter((order) => OPEN.has(order.state)).length;
    confirm({
      title: text("orders.cancel_all"),
      explained: text("orders.cancel_all_explained", { n }),
      yes: text("orders.cancel_all"),
      work: () => call("DELETE", "/v1/orders"),
    });
  }
}

function makeFill() {
  const names = ["", "", "", "", "number price", "number", "number", ""];
  return element("tr", {}, ...names.map((name) => element("td", { class: name })));
}

function makeChild() {
  const parts = {
    swatch: element("i"),
    venue: element("b"),
    state: element("span"),
    numbers: element("span", { class: "numbers" }),
    reason: element("small", { lang: "en" }),
  };
  const node = element("li", {}, ...Object.values(parts));
  node.parts = parts;
  return node;
}
