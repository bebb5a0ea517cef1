// Requests to the service this page came from. The browser sends the session's cookie by itself; whatever changes something
// also carries the session's token.

let token = "";

export function useToken(told) {
  token = told;
}

/** The service answered with an error: its code is stable, its detail names the remedy. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? String(status));
    this.status = status;
    this.code = problem.code ?? "";
  }
}

/** Nobody answered: what was asked for may have been done, or not. */
export class Unanswered extends Error {}

export async function call(method, path, body, headers = {}) {
  const told = { ...headers };
  if (method !== "GET" && token) told["X-CSRF-Token"] = token;
  if (body !== undefined) told["Content-Type"] = "application/json";
  let answer;
  let document;
  try {
    const content = body === undefined ? undefined : JSON.stringify(body);
    answer = await fetch(path, { method, headers: told, body: content, cache: "no-store" });
    document = await answer.json();
  } catch (failure) {
    throw new Unanswered(failure.message);
  }
  if (!answer.ok) throw new Refused(answer.status, document);
  return document;
}
