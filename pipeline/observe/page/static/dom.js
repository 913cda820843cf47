// Elements by name, and lists that are changed in place: what has the focus keeps it, and nothing is read out twice.
const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  return fill(element, attributes, children);
}

export function draw(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// A long name, which may be broken where its words end: after dots, slashes and dashes, and before capital letters.
export function foldable(text) {
  return text.split(/(?<=[./:_-])|(?<=[a-z])(?=[A-Z])/).flatMap((part) => [part, make("wbr")]).slice(0, -1);
}

// Calls `then` with an element's width in pixels, now and whenever it changes, so that a drawing's text keeps its size.
export function sized(element, then) {
  new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.width >= 1) then(Math.round(contentRect.width));
  }).observe(element);
}

// One child for each item, found again by its key; `update` writes what has changed into it.
export function list(parent, items, key, create, update) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, at) => {
    const name = key(item);
    const child = old.get(name) ?? create(item);
    child.dataset.key = name;
    old.delete(name);
    update(child, item);
    if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
  });
  old.forEach((child) => child.remove());
}

// Terms and values; [term, value, class of the term] each. A value's element can be found by its term.
export function terms(parent, pairs) {
  list(parent, pairs, ([term]) => term, ([term, , kind]) => {
    const label = make("dt", kind ? { class: kind } : {}, term);
    return make("div", {}, label, make("dd", { "data-term": term }));
  }, (child, [, value, , state]) => {
    say(child.lastChild, value);
    child.lastChild.className = state ?? "";
  });
}
