// Asks before something is done that cannot be undone.

import { $, setAttribute, setText } from "./dom.js";
import { text } from "./texts.js";

/** `work` is given the reason, if one is asked for, and may throw; what it throws is shown. */
export function confirm({ title, explained, yes, needsReason = false, work }) {
  const dialog = $("confirm-dialog");
  const form = $("confirm-form");
  setText($("confirm-title"), title);
  setText($("confirm-explained"), explained);
  setText($("confirm-yes"), yes);
  setText($("confirm-error"), "");
  setAttribute($("confirm-reason"), "hidden", !needsReason);
  form.reset();
  form.onsubmit = async (event) => {
    event.preventDefault();
    try {
      await work(form.elements.reason.value);
      dialog.close();
    } catch (failure) {
      setText($("confirm-error"), failure.message || text("problem.unanswered"));
    }
  };
  dialog.querySelector(".close").onclick = () => dialog.close();
  dialog.showModal();
}
