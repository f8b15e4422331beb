// Elements from plain calls, and the least change that makes a page look like a new one. All text is text: nothing
// that a peer or an IDL says is ever read as markup.

const SVG = new Set(["svg", "path", "line", "text", "g", "rect", "circle", "title"]);

/** h("p", {class: "faint", "data-action": "go"}, "text", child, [more], null): an element. */
export function h(name, attributes = {}, ...children) {
  const made = SVG.has(name) ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    if (key === "width%") made.style.width = `${value}%`;
    else made.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat(4)) {
    if (child != null && child !== false) made.append(child instanceof Node ? child : String(child));
  }
  return made;
}

/** Make the children of `root` equal to `nodes`, keeping the elements, and so focus, selection and scroll position. */
export function show(root, ...nodes) {
  morphChildren(root, nodes.flat(4).filter((node) => node != null && node !== false));
}

function morphChildren(root, wanted) {
  wanted.forEach((next, place) => {
    const old = root.childNodes[place];
    if (!old) root.append(next);
    else if (!sameKind(old, next)) root.replaceChild(next, old);
    else if (old.nodeType === Node.TEXT_NODE) {
      if (old.data !== next.data) old.data = next.data;
    } else {
      if (old.hasAttribute("data-keep")) return; // it changes with the pointer, not with the data
      morphAttributes(old, next);
      morphChildren(old, [...next.childNodes]);
    }
  });
  while (root.childNodes.length > wanted.length) root.lastChild.remove();
}

function sameKind(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName
    && a.getAttribute?.("data-key") === b.getAttribute?.("data-key");
}

function morphAttributes(old, next) {
  for (const { name } of [...old.attributes]) {
    // What a person has opened, sized or typed is theirs.
    if (!next.hasAttribute(name) && name !== "open" && !(name === "style" && old.nodeName === "TEXTAREA")) {
      old.removeAttribute(name);
    }
  }
  for (const { name, value } of next.attributes) {
    if (name === "style") old.style.cssText = next.style.cssText; // the attribute itself is forbidden by the policy
    else if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

const SHORT = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];

/** 1234567 as 1.23M. */
export function count(value) {
  if (value == null) return "–";
  for (const [unit, letter] of SHORT) if (value >= unit) return digits(value / unit) + letter;
  return Number.isInteger(value) ? String(value) : digits(value);
}

/** Seconds as 1.2 ms. */
export function time(seconds) {
  if (seconds == null) return "–";
  if (seconds >= 100) return age(seconds);
  if (seconds >= 1) return `${digits(seconds)} s`;
  return seconds >= 1e-3 ? `${digits(seconds * 1e3)} ms` : `${digits(seconds * 1e6)} µs`;
}

/** Seconds as 3 d 4 h. */
export function age(seconds) {
  if (seconds == null) return "–";
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = units.findIndex(([size]) => seconds >= size);
  if (first < 0) return "0 s";
  const [[size, name], next] = [units[first], units[first + 1]];
  const rest = next && Math.floor((seconds % size) / next[0]);
  return `${Math.floor(seconds / size)} ${name}` + (rest ? ` ${rest} ${next[1]}` : "");
}

/** Seconds since 1970 as the time of day. */
export function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });
}

function digits(value) {
  return String(Number(value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)));
}

/** A colour, a sign and a word, so that none of them alone carries the meaning. */
export function badge(state) {
  const [tone, sign] = {
    serving: ["good", "●"], ready: ["good", "●"], booting: ["calm", "◔"], started: ["calm", "+"],
    draining: ["calm", "◑"], gone: ["calm", "○"], ended: ["calm", "×"], stuck: ["bad", "▲"], "not ready": ["bad", "▲"],
    success: ["good", "●"], declared: ["calm", "◆"], result: ["good", "●"], exception: ["calm", "◆"],
  }[state] ?? ["warn", "■"];
  return h("span", { class: `badge ${tone}` }, h("span", { class: "sign", "aria-hidden": "true" }, sign), state.replace("_", " "));
}

export function table(label, heads, rows, none) {
  if (!rows.length) return h("p", { class: "faint empty" }, none);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    h("table", {}, h("thead", {}, h("tr", {}, heads.map((head) =>
      head instanceof Node ? head : h("th", { scope: "col", class: head.startsWith(">") && "number" }, head.replace(">", ""))))),
    h("tbody", {}, rows)));
}

export const cell = (...children) => h("td", {}, ...children);
export const number = (...children) => h("td", { class: "number" }, ...children);
