// Decimal texts, exactly. What is shown is never a binary float: a float is only ever turned into pixels.

const SCALE = 30; // more decimals than any price, quantity or net price has

/** The text's value in units of 10^-30. */
export function units(text) {
  const isNegative = text.startsWith("-");
  const [whole, fraction = ""] = (isNegative ? text.slice(1) : text).split(".");
  const value = BigInt(whole + fraction.padEnd(SCALE, "0"));
  return isNegative ? -value : value;
}

/** The shortest text of so many units. */
export function show(value) {
  const digits = (value < 0n ? -value : value).toString().padStart(SCALE + 1, "0");
  const fraction = digits.slice(-SCALE).replace(/0+$/, "");
  return `${value < 0n ? "-" : ""}${digits.slice(0, -SCALE)}${fraction && "."}${fraction}`;
}

export const sum = (texts) => texts.reduce((total, text) => total + units(text), 0n);

/** `part` of `whole`, in hundredths of a basis point, rounded to the nearest, as a text in basis points. */
export function basisPoints(part, whole) {
  if (!whole) return "0";
  const hundredths = part * 1_000_000n;
  const half = (hundredths < 0n ? -whole : whole) / 2n;
  return show(((hundredths + half) / whole) * 10n ** BigInt(SCALE - 2));
}

const decimalsOf = (text) => text.length - 1 - (text.includes(".") ? text.indexOf(".") : text.length - 1);

/** How many decimals the longest of these has. */
export const mostDecimals = (texts) => texts.reduce((most, text) => Math.max(most, decimalsOf(text)), 0);

/** The text, with blanks as wide as digits behind it, so that the points of a column stand below one another. */
export function aligned(text, decimals) {
  const missing = decimals - decimalsOf(text);
  return text + (missing > 0 && !text.includes(".") ? "\u2008" : "") + "\u2007".repeat(Math.max(missing, 0));
}
