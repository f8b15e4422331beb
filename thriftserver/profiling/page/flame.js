"use strict";
// Draws the stacks of a profile as a flame graph, one bar for each function that was called from the same place.

const profile = JSON.parse(document.getElementById("data").textContent);
const ROW = 20;
const LEAST = 0.5; // pixels below which a bar is not worth drawing
const HIDDEN = 34; // pixels below which a name would say nothing
const flame = document.getElementById("flame");
const status = document.getElementById("status");
const search = document.getElementById("search");
const reset = document.getElementById("reset");

const percent = (share) => `${(share * 100).toFixed(1)} %`;
const seconds = (nanoseconds) => nanoseconds >= 1e9 ? `${(nanoseconds / 1e9).toFixed(2)} s` : `${(nanoseconds / 1e6).toFixed(1)} ms`;

function grow(parent, name, file, line) {
  const key = `${name}\n${file}`;
  let node = parent.children.get(key);
  if (!node) {
    node = { name, file, parent, depth: parent.depth + 1, cpu: 0, own: 0, lines: new Map(), children: new Map() };
    parent.children.set(key, node);
  }
  node.lines.set(line, node.lines.get(line) || 0);
  return node;
}

function tree() {
  const root = { name: "all", file: "", parent: null, depth: 0, cpu: 0, own: 0, lines: new Map(), children: new Map() };
  for (const [stack, cpu] of profile.stacks) {
    let node = root;
    root.cpu += cpu;
    for (const place of stack) {
      const [name, file, line] = profile.frames[place];
      node = grow(node, name, file, line);
      node.cpu += cpu;
      node.lines.set(line, node.lines.get(line) + cpu);
    }
    node.own += cpu;
  }
  return root;
}

const root = tree();
let shown = root;
let first = null;

function kind(node) {
  if (node.depth === 1) return "method";
  if (node.name === "(thriftserver)" || /\/thriftserver\//.test(node.file)) return "ours";
  return /\/(site-packages|lib\/python[\d.]+)\//.test(node.file) || node.file.startsWith("<") ? "library" : "handler";
}

const matches = (node) => {
  const word = search.value.trim().toLowerCase();
  return word !== "" && `${node.name}\n${node.file}`.toLowerCase().includes(word);
};

function describe(node) {
  const lines = [...node.lines].filter(([line]) => line).sort((a, b) => b[1] - a[1]).slice(0, 4);
  const where = lines.map(([line, cpu]) => `line ${line} ${percent(cpu / root.cpu)}`).join(", ");
  const file = node.file ? ` in ${node.file}` : "";
  return `${node.name}${file}: ${seconds(node.cpu)}, ${percent(node.cpu / root.cpu)}, itself ${percent(node.own / root.cpu)}${where ? `; ${where}` : ""}`;
}

function bar(node, left, width, above) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = `node ${kind(node)}${above ? " above" : ""}${matches(node) ? " found" : ""}`;
  element.style.left = `${left}px`;
  element.style.width = `${Math.max(width - 1, 1)}px`;
  element.style.top = `${(node.depth - 1) * ROW}px`;
  element.textContent = width > HIDDEN ? node.name : "";
  element.setAttribute("role", "treeitem");
  element.setAttribute("aria-level", node.depth);
  element.setAttribute("aria-label", describe(node));
  element.title = describe(node);
  element.tabIndex = -1;
  element.addEventListener("click", () => show(node));
  element.addEventListener("focus", () => { status.textContent = describe(node); });
  element.addEventListener("mouseenter", () => { status.textContent = describe(node); });
  element.node = node;
  node.element = element;
  flame.append(element);
}

const sorted = (node) => [...node.children.values()].sort((a, b) => b.cpu - a.cpu || (a.name < b.name ? -1 : 1));

function draw() {
  flame.replaceChildren();
  const width = flame.clientWidth;
  let deepest = shown.depth;
  for (let node = shown.parent; node && node !== root; node = node.parent) bar(node, 0, width, true);
  const below = (node, left) => {
    const size = (node.cpu / shown.cpu) * width;
    if (size < LEAST) return;
    if (node !== root) bar(node, left, size, false);
    deepest = Math.max(deepest, node.depth);
    let at = left;
    for (const child of sorted(node)) {
      below(child, at);
      at += (child.cpu / shown.cpu) * width;
    }
  };
  if (root.cpu) below(shown, 0);
  flame.style.height = `${Math.max(deepest, 1) * ROW}px`;
  reset.disabled = shown === root;
  first = flame.querySelector(".node:not(.above)");
  if (first) first.tabIndex = 0;
}

function total() {
  // Of a function that calls itself only the outermost bar counts.
  let found = 0;
  const look = (node) => {
    if (node !== root && matches(node)) found += node.cpu;
    else node.children.forEach(look);
  };
  look(root);
  return found;
}

function tell() {
  if (!root.cpu) status.textContent = "No CPU was used while it was looked at.";
  else if (search.value.trim()) status.textContent = `${percent(total() / root.cpu)} of the CPU time is in what was found.`;
  else status.textContent = shown === root ? "Point at a bar to see where it is." : describe(shown);
}

function show(node) {
  shown = node;
  draw();
  tell();
  if (node.element) node.element.focus();
}

function move(event) {
  const node = event.target.node;
  if (!node) return;
  const row = node.parent ? sorted(node.parent) : [];
  const next = {
    ArrowDown: sorted(node)[0],
    ArrowUp: node.parent,
    ArrowRight: row[row.indexOf(node) + 1],
    ArrowLeft: row[row.indexOf(node) - 1],
  }[event.key];
  if (event.key === "Escape") show(root);
  if (!next || !next.element || !next.element.isConnected) return;
  event.preventDefault();
  next.element.focus();
}

function table(id, head, rows) {
  const element = document.getElementById(id);
  const line = (cells, tag) => {
    const row = document.createElement("tr");
    cells.forEach((cell, place) => {
      const made = document.createElement(tag);
      if (place === 0) made.className = "number";
      const inner = place === 0 || tag === "th" ? made : made.appendChild(document.createElement("code"));
      inner.textContent = cell;
      row.append(made);
    });
    return row;
  };
  const top = element.createTHead();
  top.append(line(head, "th"));
  const body = element.createTBody();
  rows.forEach((cells) => body.append(line(cells, "td")));
}

table("methods", ["CPU", "Method"], profile.methods.map(([name, share]) => [percent(share), name]));
table("lines", ["CPU", "Function", "Line"], profile.lines.map(
  ([name, file, line, share]) => [percent(share), name, file ? `${file}:${line}` : ""]));
search.addEventListener("input", () => { draw(); tell(); });
reset.addEventListener("click", () => show(root));
flame.addEventListener("keydown", move);
new ResizeObserver(() => { if (flame.clientWidth !== flame.drawn) { flame.drawn = flame.clientWidth; draw(); } }).observe(flame);
draw();
tell();
