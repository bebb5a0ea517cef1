// Sends one request as its form says, signed when a key is given.

const encoder = new TextEncoder();

const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

// Browsers offer WebCrypto only where nobody on the way can change the page.
export const canSign = () => globalThis.crypto?.subtle !== undefined;

export async function signature(secret, timestamp, method, path, body) {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign"]);
  const signed = encoder.encode([timestamp, method, path, body, ""].join("\n"));
  return hex(await crypto.subtle.sign("HMAC", key, signed));
}

// The browser's clock tells ms; what is below them makes each request another one.
let last = 0n;
function now() {
  const told = BigInt(Date.now()) * 1000000n;
  last = told > last ? told : last + 1n;
  return last.toString();
}

export function target(template, places, query) {
  const path = template.replace(/{(\w+)}/g, (_, name) => encodeURIComponent(places[name] ?? ""));
  const given = Object.entries(query).filter(([, value]) => value !== "");
  const parts = given.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  // What the browser makes of it is what is sent, and so what is signed.
  const url = new URL(parts.length ? `${path}?${parts.join("&")}` : path, location.origin);
  return url.pathname + url.search;
}

export async function send(method, path, body, access) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  if (access.key && access.secret) {
    const timestamp = now();
    headers["X-API-Key"] = access.key;
    headers["X-Timestamp-Ns"] = timestamp;
    headers["X-Signature"] = await signature(access.secret, timestamp, method, path, body);
  }
  const begin = performance.now();
  const answer = await fetch(path, { method, headers, body: body || undefined, credentials: "omit" });
  const text = await answer.text();
  return { status: answer.status, ms: Math.round(performance.now() - begin), text: pretty(answer, text) };
}

// Only JSON without numbers beyond what JavaScript holds exactly would survive being parsed, so it is only spaced out.
function pretty(answer, text) {
  if (!/json/.test(answer.headers.get("Content-Type") ?? "")) return text;
  let depth = 0;
  const line = (change) => "\n" + "  ".repeat(depth += change);
  return text.replace(/"(?:[^"\\]|\\.)*"|\[\]|{}|[[\]{},:]/g, (part) => {
    if (part === "{" || part === "[") return part + line(1);
    if (part === "}" || part === "]") return line(-1) + part;
    if (part === ",") return part + line(0);
    return part === ":" ? ": " : part;
  });
}
