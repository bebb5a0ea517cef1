// Times: the service's clock as this page knows it, and how ages and moments are written.

import { text } from "./texts.js";

/** The service's time. Each message says when it was made; the quickest one so far says best how far we are off. */
export class Clock {
  #offsetMs = null;

  learn(asOfNs) {
    if (!asOfNs) return;
    const offset = asOfNs / 1e6 - Date.now();
    if (this.#offsetMs === null || offset > this.#offsetMs || Math.abs(offset - this.#offsetMs) > 2000) {
      this.#offsetMs = offset;
    }
  }

  nowMs() {
    return Date.now() + (this.#offsetMs ?? 0);
  }
}

/** An age, no finer than it is drawn. */
export function seconds(ms) {
  const whole = Math.max(0, Math.floor(ms / 1000));
  if (whole < 1) return text("age.now");
  if (whole < 120) return text("age.seconds", { n: whole });
  if (whole < 7200) return text("age.minutes", { n: Math.floor(whole / 60) });
  return text("age.hours", { n: Math.floor(whole / 3600) });
}

/** The time of day, here. */
export function clockTime(ns) {
  const date = new Date(ns / 1e6);
  const two = (part) => String(part).padStart(2, "0");
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
}
