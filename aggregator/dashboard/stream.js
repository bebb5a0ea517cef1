// The only way in for what moves: the service's WebSocket, opened again whenever it is lost.
//
// A channel is told as a whole and then as numbered changes. A number that does not follow means that something was lost:
// the channel is asked for anew, and nothing of it is passed on until it has come.

const PING_EVERY_MS = 2000;
const SILENT_AFTER_MS = 5000;
const LONGEST_PAUSE_MS = 5000;

const nameOf = ({ channel, symbol = "", view = "", depth = 0 }) => [channel, symbol, view, depth].join("|");

export class Stream {
  #socket = null;
  #wanted = new Map();
  #failures = 0;
  #heardAt = 0;
  #timer = 0;
  #changed;
  #refused;

  /** `changed` is told whether the connection is up, at once, whenever that changes; `refused` of errors. */
  constructor(changed, refused) {
    this.#changed = changed;
    this.#refused = refused;
    setInterval(() => this.#watch(), PING_EVERY_MS / 2);
    addEventListener("online", () => this.reconnect());
    addEventListener("offline", () => this.#lose());
  }

  /** Follow a channel; `receive` gets its messages, snapshots first. Returns how to leave it. */
  follow(topic, receive) {
    const name = nameOf(topic);
    const subscription = { topic, receive, sequence: null };
    this.#wanted.set(name, subscription);
    this.#send({ op: "subscribe", ...topic });
    return () => {
      if (this.#wanted.get(name) !== subscription) return;
      this.#wanted.delete(name);
      this.#send({ op: "unsubscribe", ...topic });
    };
  }

  /** Anew, at once: also when somebody else is signed in now. */
  reconnect() {
    this.#drop();
    this.#failures = 0;
    this.#open();
  }

  #open() {
    clearTimeout(this.#timer);
    const socket = new WebSocket(new URL("/v1/stream", location.href.replace(/^http/, "ws")));
    this.#socket = socket;
    this.#heardAt = performance.now();
    socket.onopen = () => {
      this.#failures = 0;
      this.#changed(true);
      for (const subscription of this.#wanted.values()) this.#subscribe(subscription);
    };
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    socket.onclose = () => this.#lose();
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    // Browsers complain of one that is closed before it has opened.
    if (socket.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
    else socket.close();
  }

  #lose() {
    this.#drop();
    this.#changed(false);
    clearTimeout(this.#timer);
    const pause = Math.min(250 * 2 ** this.#failures, LONGEST_PAUSE_MS);
    this.#failures += 1;
    this.#timer = setTimeout(() => this.#open(), pause * (0.75 + Math.random() / 2));
  }

  #watch() {
    if (!this.#socket) return;
    const silentFor = performance.now() - this.#heardAt;
    if (silentFor > SILENT_AFTER_MS) this.#lose();
    else if (silentFor > PING_EVERY_MS) this.#send({ op: "ping" });
  }

  #receive(message) {
    this.#heardAt = performance.now();
    if (message.type === "error") this.#refused(message);
    const subscription = this.#wanted.get(nameOf(message));
    if (!subscription || (message.type !== "snapshot" && message.type !== "change")) return;
    if (message.type === "snapshot") subscription.sequence = message.sequence;
    else if (subscription.sequence === null) return;
    else if (message.sequence === subscription.sequence + 1) subscription.sequence = message.sequence;
    else return this.#subscribe(subscription);
    subscription.receive(message);
  }

  #subscribe(subscription) {
    subscription.sequence = null;
    this.#send({ op: "subscribe", ...subscription.topic });
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}
