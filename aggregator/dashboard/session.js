// Who the page is signed in as. A secret that is typed signs one request and is then forgotten; what remains is a cookie that
// scripts cannot read.

import { Refused, call, useToken } from "./api.js";
import { $, setAttribute, setText } from "./dom.js";
import { text, whenSpoken } from "./texts.js";

const LINK = "#sign-in=";
const LOOK_EVERY_MS = 5 * 60 * 1000;

export class Session {
  scopes = [];
  account = "";
  #changed;
  #isSignedIn = false;
  #awaited = [];

  /** `changed` is called when somebody else, or nobody, is signed in. */
  constructor(changed) {
    this.#changed = changed;
    $("sign-in").addEventListener("click", () => this.#ask());
    $("sign-out").addEventListener("click", () => this.#leave());
    $("sign-in-form").addEventListener("submit", (event) => this.#submit(event));
    $("sign-in-dialog").querySelector(".close").addEventListener("click", () => $("sign-in-dialog").close());
    setInterval(() => this.look(), LOOK_EVERY_MS);
    whenSpoken(() => this.#draw());
  }

  /** By the one-time link that the page was opened with, or by the cookie. */
  async start() {
    const link = location.hash.startsWith(LINK) ? location.hash.slice(LINK.length) : "";
    await this.look();
    if (!link) return;
    history.replaceState(null, "", location.pathname);
    try {
      this.#take(await call("POST", "/session/link", { link }));
    } catch (failure) {
      if (!this.#isSignedIn) this.#ask(failure.message);
    }
  }

  may(...scopes) {
    return scopes.some((scope) => this.scopes.includes(scope));
  }

  /** Ask the service; that also keeps the session from ending for want of use. */
  async look() {
    try {
      this.#take(await call("GET", "/session"));
    } catch (failure) {
      if (failure instanceof Refused) this.#take({ signed_in: false });
    }
  }

  /** Ask who it is, once, until somebody is signed in. */
  async required() {
    if (this.#isSignedIn) return;
    if (!$("sign-in-dialog").open) this.#ask(text("session.required"));
    await new Promise((known) => this.#awaited.push(known));
  }

  #take(told) {
    const before = `${this.#isSignedIn} ${this.account} ${this.scopes}`;
    this.#isSignedIn = told.signed_in;
    this.account = told.account ?? "";
    this.scopes = told.scopes ?? [];
    useToken(told.token ?? "");
    this.#draw();
    if (this.#isSignedIn) {
      $("sign-in-dialog").close();
      this.#awaited.splice(0).forEach((known) => known());
    }
    if (before !== `${this.#isSignedIn} ${this.account} ${this.scopes}`) this.#changed();
  }

  #draw() {
    setAttribute($("sign-in"), "hidden", this.#isSignedIn);
    setAttribute($("sign-out"), "hidden", !this.#isSignedIn);
    setText($("account"), this.#isSignedIn ? text("session.account", { account: this.account }) : "");
  }

  #ask(problem = "") {
    setText($("sign-in-error"), problem);
    $("sign-in-dialog").showModal();
  }

  async #leave() {
    try {
      this.#take(await call("DELETE", "/session"));
    } catch {
      await this.look();
    }
  }

  async #submit(event) {
    event.preventDefault();
    const form = $("sign-in-form");
    const { key, secret } = Object.fromEntries(new FormData(form));
    try {
      this.#take(await call("POST", "/session", undefined, await signed(key, secret, "POST", "/session")));
      form.reset();
    } catch (failure) {
      setText($("sign-in-error"), failure instanceof Refused ? failure.message : text("problem.unanswered"));
    }
  }
}

/** The headers that prove a key: an HMAC over time, method, path and an empty body, each ended by a newline. */
async function signed(key, secret, method, path) {
  const timestamp = `${Date.now()}000000`;
  const bytes = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const hmacKey = await crypto.subtle.importKey("raw", bytes.encode(secret), algorithm, false, ["sign"]);
  const told = await crypto.subtle.sign("HMAC", hmacKey, bytes.encode(`${timestamp}\n${method}\n${path}\n\n`));
  const hex = Array.from(new Uint8Array(told), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { "X-API-Key": key, "X-Timestamp-Ns": timestamp, "X-Signature": hex };
}
