// Draws /openapi.json. Everything that is shown is set as text, never as markup.

import { canSign, send, target } from "./trying.js";

const at = (id) => document.getElementById(id);

function make(tag, { text, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

const code = (text) => make("code", { text });
const row = (...cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, cell)));
const schemaId = (name) => `schema-${name}`;

function table(heads, rows) {
  const head = make("tr", {}, ...heads.map((text) => make("th", { text, scope: "col" })));
  return make("div", { className: "wide" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
}

// A shape in one line: its type, or a link to where it is described.
function shown(shape) {
  const line = make("span");
  if (shape.$ref) {
    const name = shape.$ref.split("/").pop();
    line.append(make("a", { text: name, href: `#${schemaId(name)}` }));
  } else if (shape.allOf) {
    line.append(shown(shape.allOf[0]));
  } else if (shape.anyOf && !shape.properties) {
    shape.anyOf.forEach((part, index) => line.append(index ? " or " : "", shown(part)));
  } else if (shape.enum) {
    line.append(code(shape.enum.map((value) => JSON.stringify(value)).join(" | ")));
  } else if (shape.prefixItems) {
    line.append("[");
    shape.prefixItems.forEach((part, index) => line.append(index ? ", " : "", shown(part)));
    line.append("]");
  } else if (shape.items) {
    line.append("list of ", shown(shape.items));
  } else if (typeof shape.additionalProperties === "object") {
    line.append("object of ", shown(shape.additionalProperties));
  } else {
    const bounds = [shape.minimum !== undefined && `from ${shape.minimum}`, shape.maximum !== undefined && `to ${shape.maximum}`];
    line.append([shape.type ?? "anything", ...bounds.filter(Boolean)].join(" "));
  }
  return line;
}

const described = (shape) => shape.description ?? shape.anyOf?.find((part) => part.description)?.description ?? "";

function drawSchema(name, shape) {
  const box = make("details", { id: schemaId(name) }, make("summary", {}, code(name)), make("p", { text: shape.description ?? "" }));
  if (!shape.properties) {
    box.append(make("p", {}, shown(shape)));
    return box;
  }
  const required = new Set(shape.required);
  const rows = Object.entries(shape.properties).map(([member, part]) =>
    row(code(member), shown(part), required.has(member) ? "required" : "", described(part)));
  box.append(table(["Member", "Type", "", ""], rows));
  return box;
}

function field(parameter, inputs) {
  const input = make("input", { name: parameter.name, required: parameter.required, spellcheck: false });
  input.placeholder = String(parameter.schema.default ?? "");
  input.setAttribute("aria-label", parameter.name);
  inputs[parameter.name] = input;
  const about = parameter.description ?? parameter.schema.description ?? "";
  return row(code(parameter.name), parameter.in, input, make("span", {}, shown(parameter.schema), about ? `: ${about}` : ""));
}

const values = (inputs) => Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value]));

// An example of a body: what must be there, and nothing else.
function example(shape, schemas) {
  const resolve = (part) => (part.$ref ? schemas[part.$ref.split("/").pop()] : part);
  const value = (part) => {
    const told = resolve(part);
    if (told.examples) return told.examples[0];
    if (told.enum) return told.enum[0];
    return told.type === "boolean" ? false : "";
  };
  const members = resolve(shape);
  return JSON.stringify(Object.fromEntries((members.required ?? []).map((name) => [name, value(members.properties[name])])), null, 1);
}

function drawTrial(method, path, operation, schemas) {
  const places = {}, query = {};
  const form = make("form", { autocomplete: "off" });
  if (operation.parameters.length) {
    const rows = operation.parameters.map((parameter) => field(parameter, parameter.in === "path" ? places : query));
    form.append(table(["Parameter", "In", "Value", ""], rows));
  }
  const shape = operation.requestBody?.content["application/json"].schema;
  const body = make("textarea", { spellcheck: false });
  if (shape) {
    body.value = example(shape, schemas);
    form.append(make("label", {}, "Body: ", shown(shape), body));
  }
  const result = make("pre", { hidden: true, tabIndex: 0 });
  result.setAttribute("role", "status");
  form.append(make("p", {}, make("button", { text: "Send" })), result);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    result.hidden = false;
    result.textContent = "...";
    const access = { key: at("key").value, secret: at("secret").value };
    try {
      const told = await send(method, target(path, values(places), values(query)), shape ? body.value : "", access);
      result.textContent = `${told.status} in ${told.ms} ms\n\n${told.text}`;
    } catch (error) {
      result.textContent = `No answer: ${error.message}. What was asked for may have been done.`;
    }
  });
  return form;
}

function drawAnswers(operation) {
  const rows = Object.entries(operation.responses).map(([status, answer]) => {
    const kinds = make("span");
    Object.values(answer.content ?? {}).forEach((kind, index) => kinds.append(index ? ", " : "", shown(kind.schema)));
    return row(code(status), kinds, answer.description.replaceAll("`", ""));
  });
  return make("details", {}, make("summary", { text: "Answers" }), table(["Status", "Type", ""], rows));
}

function drawOperation(method, path, operation, schemas) {
  const title = make("summary", {}, make("span", { className: "method", text: method }), code(path), ` ${operation.summary}`);
  const box = make("details", { id: operation.operationId }, title);
  box.append(make("p", { className: "faint", text: operation.description ?? "Open to all." }), drawAnswers(operation));
  if (operation.responses["101"]) box.append(make("p", { text: "A WebSocket: open it with a client of that protocol." }));
  else box.append(drawTrial(method, path, operation, schemas));
  return box;
}

function draw(told) {
  at("about").textContent = told.info.description.replaceAll("`", "");
  const schemas = told.components.schemas;
  for (const { name } of told.tags) {
    const list = make("ul");
    at("contents").append(make("h2", { text: name }), list);
    at("routes").append(make("h2", { text: name }));
    for (const [path, methods] of Object.entries(told.paths)) {
      for (const [lower, operation] of Object.entries(methods)) {
        if (operation.tags[0] !== name) continue;
        const method = lower.toUpperCase();
        const link = make("a", { href: `#${operation.operationId}` }, make("span", { className: "method", text: method }), code(path));
        list.append(make("li", {}, link));
        at("routes").append(drawOperation(method, path, operation, schemas));
      }
    }
  }
  for (const [name, { statuses, cause, remedy }] of Object.entries(told["x-codes"])) {
    at("codes").append(row(code(name), statuses.join(", "), cause, remedy));
  }
  for (const [name, shape] of Object.entries(schemas)) at("schemas").append(drawSchema(name, shape));
}

// A link leads to something that is shut: it opens.
function open() {
  const wanted = location.hash && at(location.hash.slice(1));
  if (wanted?.tagName === "DETAILS") {
    wanted.open = true;
    wanted.scrollIntoView();
  }
}

if (!canSign()) at("signing").textContent = "This browser signs only over https, or on 127.0.0.1: open the page there to use a key.";
at("access").addEventListener("submit", (event) => event.preventDefault());
draw(await (await fetch("/openapi.json")).json());
document.documentElement.dataset.ready = "";
addEventListener("hashchange", open);
open();
