// The kill switch, for those who may turn it, and the word that it is on, for everyone who is signed in.

import { call } from "./api.js";
import { confirm } from "./confirm.js";
import { $, setAttribute, setText } from "./dom.js";
import { text, whenSpoken } from "./texts.js";

const LOOK_EVERY_MS = 2000;

export class Halt {
  #session;
  #told = { halted: false, reason: "", reconciling: {} };

  constructor(session) {
    this.#session = session;
    $("halt").addEventListener("click", () => this.#ask());
    setInterval(() => this.look(), LOOK_EVERY_MS);
    whenSpoken(() => this.draw());
  }

  async look() {
    if (!this.#session.scopes.length || document.hidden) return;
    try {
      this.#told = await call("GET", "/v1/halt");
    } catch {
      return; // the banner of a lost connection says so already
    }
    this.draw();
  }

  draw() {
    const { halted, reason, reconciling } = this.#told;
    const isKnown = this.#session.scopes.length > 0;
    setAttribute($("halt"), "hidden", !this.#session.may("admin"));
    setAttribute($("halt"), "aria-pressed", halted);
    setText($("halt"), text(halted ? "halt.off" : "halt.on"));
    const waiting = Object.entries(reconciling).map(([venue, why]) => `${venue}: ${why}`);
    const told = halted ? text("halt.is_on", { reason }) : text("halt.reconciling", { venues: waiting.join(" · ") });
    setAttribute($("halted"), "hidden", !isKnown || !(halted || waiting.length));
    setText($("halted"), isKnown && (halted || waiting.length) ? told : "");
  }

  #ask() {
    const isOn = this.#told.halted;
    confirm({
      title: text(isOn ? "halt.off" : "halt.on"),
      explained: text(isOn ? "halt.off_explained" : "halt.on_explained"),
      yes: text(isOn ? "halt.off" : "halt.on"),
      needsReason: !isOn,
      work: async (reason) => {
        this.#told = await (isOn ? call("DELETE", "/v1/halt") : call("POST", "/v1/halt", { reason }));
        this.draw();
      },
    });
  }
}
