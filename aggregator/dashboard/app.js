// The page: what is followed, and which part draws it.

import { Refused, call } from "./api.js";
import { Book } from "./book.js";
import { drawBest } from "./best.js";
import { Depth } from "./depth.js";
import { $, element, perFrame, setAttribute, setClass, setText } from "./dom.js";
import { Halt } from "./halt.js";
import { Ladder } from "./ladder.js";
import { Orders } from "./orders.js";
import { Session } from "./session.js";
import { Stream } from "./stream.js";
import { preferredLanguage, speak, text, whenSpoken } from "./texts.js";
import { startTheme } from "./theme.js";
import { Ticket } from "./ticket.js";
import { Clock } from "./times.js";
import { Trades } from "./trades.js";
import { Venues } from "./venues.js";

const DEPTHS = [200, 1000]; // levels a side; the second once somebody zooms out beyond the first
const OWN = ["orders", "fills"];
const RETRY_MS = 1000;

await speak(preferredLanguage());

const clock = new Clock();
const venues = new Venues(clock);
const stream = new Stream(connected, refused);
const session = new Session(signedIn);
const ticket = new Ticket(venues, session, announce);
const ladder = new Ladder(venues, (price) => ticket.take(price));
const depth = new Depth(venues, deepen);
const trades = new Trades(venues);
const orders = new Orders(venues, session, announce);
const halt = new Halt(session);

let book = null;
let followed = "";
let leaveBook = () => {};
let leaveTrades = () => {};
let leaveOwn = () => {};
let isConnected = null;
let levels = DEPTHS[0];

const drawBook = perFrame(() => {
  drawBest(book, venues.nameOf);
  ladder.draw(book);
  depth.show(book);
});
const drawTrades = perFrame(() => trades.draw());
const drawOrders = perFrame(() => orders.draw());

startTheme(() => depth.repaint());
whenSpoken(() => {
  drawBook();
  drawConnection();
});
$("language").value = document.documentElement.lang;
$("language").addEventListener("change", (event) => {
  localStorage.setItem("language", event.target.value);
  speak(event.target.value);
});
$("instrument").addEventListener("change", follow);
$("view").addEventListener("change", follow);
setInterval(drawConnection, 1000);

stream.follow({ channel: "venues" }, (message) => venues.receive(message));
await session.start(); // first: where the market is closed, nothing comes for nobody
if (isConnected === null) stream.reconnect();
await configure();

/** What is listed where, asked again until it is known: right after a start no venue has told its listings yet. */
async function configure() {
  for (;;) {
    try {
      const [listed, known] = await Promise.all([call("GET", "/v1/instruments"), call("GET", "/v1/venues")]);
      if (listed.instruments.length) {
        offer(listed.instruments.map((instrument) => instrument.symbol));
        venues.configure(known.venues);
        ticket.drawVenues();
        depth.repaint();
        follow();
        return;
      }
    } catch (failure) {
      // Of anything else the banner of a lost connection says so already.
      if (failure instanceof Refused && failure.status === 401) await session.required();
    }
    await new Promise((later) => setTimeout(later, RETRY_MS));
  }
}

function offer(symbols) {
  const chosen = localStorage.getItem("instrument") ?? "BTC/USDT";
  $("instrument").replaceChildren(...symbols.map((symbol) => element("option", { value: symbol }, symbol)));
  $("instrument").value = symbols.includes(chosen) ? chosen : symbols[0];
}

function follow() {
  const symbol = $("instrument").value;
  const view = $("view").querySelector(":checked").value;
  localStorage.setItem("instrument", symbol);
  if (followed !== symbol) {
    followed = symbol;
    levels = DEPTHS[0];
    book = null;
    leaveTrades();
    trades.clear();
    leaveTrades = stream.follow({ channel: "trades", symbol }, receiveTrades);
    venues.choose(symbol);
    ticket.choose(symbol);
    document.title = `${symbol} · ${text("page.title")}`;
  }
  leaveBook();
  leaveBook = stream.follow({ channel: "book", symbol, view, depth: levels }, receiveBook);
  drawBook();
}

function deepen() {
  if (levels === DEPTHS[1]) return;
  levels = DEPTHS[1];
  follow();
}

function receiveBook(message) {
  clock.learn(message.as_of_ns);
  if (message.type === "snapshot") book = new Book(message);
  else book.change(message);
  venues.exclude(book.excluded);
  drawBook();
}

function receiveTrades(message) {
  trades.receive(message);
  drawTrades();
}

/** The stream knows who reads it from its opening on. */
function signedIn() {
  leaveOwn();
  leaveOwn = () => {};
  orders.clear();
  stream.reconnect();
  if (session.may("read", "trade")) {
    const leaveOrders = stream.follow({ channel: "orders" }, (message) => (orders.receiveOrders(message), drawOrders()));
    const leaveFills = stream.follow({ channel: "fills" }, (message) => (orders.receiveFills(message), drawOrders()));
    leaveOwn = () => (leaveOrders(), leaveFills());
  }
  ticket.draw();
  halt.look();
  halt.draw();
  drawOrders();
}

function connected(isUp) {
  const wasUp = isConnected;
  isConnected = isUp;
  drawConnection();
  if (isUp && wasUp === false) {
    session.look();
    announce(text("connection.back"));
  }
}

/** Whoever's orders were followed is signed out by now. Without the market, too, there is no page. */
async function refused(error) {
  if (error.status !== 401) return announce(error.detail);
  await session.look();
  if (!OWN.includes(error.asked.channel)) session.required();
}

function drawConnection() {
  setClass($("connection"), isConnected ? "connection up" : "connection down");
  setText($("connection"), text(isConnected ? "connection.up" : "connection.down"));
  setAttribute(document.body, "data-lost", isConnected === false);
  setAttribute($("lost"), "hidden", isConnected !== false);
  setText($("lost"), isConnected === false ? text("connection.lost") : "");
}

function announce(words) {
  $("announcement").textContent = words;
}
