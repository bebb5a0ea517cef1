// A route plan as the service made it: who gets which part, what that costs and saves, and why others get none.

import { element } from "./dom.js";
import { text } from "./texts.js";

/** Nodes that show it. */
export function planNodes(plan, venues) {
  const [base, quote] = plan.symbol.split("/");
  const nodes = [];
  if (plan.children.length) nodes.push(bar(plan, venues), split(plan, venues, quote), figures(plan, venues, quote));
  else nodes.push(element("p", { class: "error" }, text("plan.nothing")));
  if (plan.unfilled !== "0") {
    nodes.push(element("p", { class: "error" }, text("plan.unfilled", { quantity: plan.unfilled, base })));
    nodes.push(reasons(Object.entries(plan.unfilled_reasons ?? {})));
  }
  const excluded = named(plan.excluded, venues);
  const unused = named(plan.unused, venues);
  if (excluded.length) nodes.push(element("h3", {}, text("plan.excluded")), reasons(excluded));
  if (unused.length) nodes.push(element("h3", {}, text("plan.unused")), reasons(unused));
  return nodes;
}

const named = (reasons, venues) => Object.entries(reasons ?? {}).map(([venue, why]) => [venues.nameOf(venue), why]);

function split(plan, venues, quote) {
  const head = ["plan.venue", "plan.quantity", "plan.limit"].map((key, index) =>
    element("th", { scope: "col", class: index ? "number" : "" }, text(key)),
  );
  const rows = plan.children.flatMap((child) => {
    const swatch = element("i", { class: `swatch ${venues.colourOf(child.venue)}` });
    const name = element("th", { scope: "row" }, swatch, venues.nameOf(child.venue));
    const numbers = [child.quantity, child.limit_price].map((number) => element("td", { class: "number" }, number));
    const costs = text("plan.costs", { fee: child.expected_fee, quote, price: child.net_price });
    return [
      element("tr", {}, name, ...numbers),
      element("tr", { class: "costs" }, element("td", { colspan: 3, class: "number" }, costs)),
    ];
  });
  const caption = element("caption", { class: "unseen" }, text("plan.caption"));
  const table = element("table", {}, caption, element("thead", {}, element("tr", {}, ...head)));
  table.append(element("tbody", {}, ...rows));
  return table;
}

/** How wide each part is, for pixels only. */
function bar(plan, venues) {
  const parts = plan.children.map((child) => {
    const part = element("i", { class: venues.colourOf(child.venue) });
    part.style.setProperty("flex-grow", Number(child.quantity));
    return part;
  });
  return element("div", { class: "split-bar", "aria-hidden": "true" }, ...parts);
}

function figures(plan, venues, quote) {
  const single = plan.best_single_venue;
  const facts = [
    ["plan.filled", plan.filled_by_plan],
    ["plan.average", plan.average_price],
    ["plan.net_price", plan.net_price],
    ["plan.net_total", `${plan.net_total} ${quote}`],
    ["plan.bound", plan.bound_price],
    ["plan.single", single ? `${venues.nameOf(single)} ${plan.best_single_net_price ?? ""}` : null],
    ["plan.saving", plan.saving_bps === null ? null : text("best.bps", { bps: plan.saving_bps })],
    ["plan.gap", plan.optimality_gap_bps === null ? null : text("best.bps", { bps: plan.optimality_gap_bps })],
  ];
  const shown = facts.filter(([, value]) => value !== null && value !== undefined);
  const rows = shown.map(([key, value]) =>
    element("div", {}, element("dt", {}, text(key)), element("dd", { class: key === "plan.saving" ? "saving" : "" }, value)),
  );
  return element("dl", { class: "figures" }, ...rows);
}

function reasons(pairs) {
  const items = pairs.map(([name, why]) => element("li", { lang: "en" }, element("b", {}, name), ` ${why}`));
  return element("ul", { class: "reasons" }, ...items);
}
