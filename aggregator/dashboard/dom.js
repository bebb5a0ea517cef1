// Changes to the page: only what differs is written, so that nothing moves when nothing has changed.

export const $ = (id) => document.getElementById(id);

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value === null || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, String(value));
  }
}

export function setClass(node, name) {
  if (node.className !== name) node.className = name;
}

/** An element with children; `attributes` are set as they are, `on...` listened to. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else setAttribute(node, name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/**
 * Let `parent` have one child per item, in this order. Children are made once per key and then only updated; a node is
 * moved only when it is out of place, so that focus and selection stay where they are.
 */
export function reconcile(parent, items, keyOf, make, update) {
  const known = (parent.made ??= new Map());
  const keys = new Set();
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    keys.add(key);
    let node = known.get(key);
    if (!node) known.set(key, (node = make(item)));
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
    update(node, item);
  }
  for (const [key, node] of known) {
    if (keys.has(key)) continue;
    node.remove();
    known.delete(key);
  }
}

/** Calls `draw` in the next frame, once, however often it is asked for. */
export function perFrame(draw) {
  let isAsked = false;
  return () => {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      draw();
    });
  };
}
