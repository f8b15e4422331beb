// Lines over time, drawn as SVG. Values may be null: a gap. The newest value stands at the right edge.

import { h } from "./dom.js";

const WIDTH = 560, HEIGHT = 170, LEFT = 56, RIGHT = 8, TOP = 10, BOTTOM = 22;

/**
 * `lines`: [{name, values, tone}]; `format` makes a value readable; `log` for values of many magnitudes.
 * A person who cannot see it reads the summary; one who points at it reads the values of that moment.
 */
export function plot(title, lines, step, format, { log = false, unit = "" } = {}) {
  const known = lines.flatMap((line) => line.values).filter((value) => value != null && (!log || value > 0));
  const scale = log ? logarithmic(known) : linear(known);
  const most = Math.max(2, ...lines.map((line) => line.values.length));
  const x = (place, length) => LEFT + (WIDTH - LEFT - RIGHT) * (1 - (length - 1 - place) / (span(most) - 1));
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - scale.at(value));
  const last = (line) => line.values.at(-1);
  const summary = `${title}: ` + lines.map((line) => `${line.name} ${format(last(line))}${unit} now`).join(", ");
  return h("figure", { class: "plot" },
    h("figcaption", {}, h("span", { class: "title" }, title),
      h("span", { class: "legend" }, lines.map((line) => h("span", { class: `key ${line.tone}` },
        h("i", { "aria-hidden": "true" }), `${line.name} `, h("b", {}, format(last(line)), unit))))),
    h("div", { class: "canvas", "data-plot": JSON.stringify({ step, shown: span(most), lines: lines.map(
      (line) => ({ name: line.name, values: line.values.map((value) => value == null ? "–" : format(value) + unit) })) }) },
      h("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": summary },
        scale.ticks.map((value) => h("g", { class: "grid" },
          h("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
          h("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, format(value)))),
        [0, 0.5, 1].map((part) => h("text", {
          class: "axis", x: LEFT + (WIDTH - LEFT - RIGHT) * part, y: HEIGHT - 5,
          "text-anchor": ["start", "middle", "end"][part * 2],
        }, part === 1 ? "now" : ago((1 - part) * (span(most) - 1) * step))),
        lines.map((line) => [
          line.filled && h("path", { class: `area ${line.tone}`, d: area(line.values, x, y, HEIGHT - BOTTOM) }),
          h("path", { class: `line ${line.tone}`, d: path(line.values, x, y, log) }),
        ]),
        h("line", { class: "cursor", "data-keep": true, y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" })),
      h("output", { class: "tip", "data-keep": true, hidden: true })),
    known.length === 0 && h("p", { class: "faint nothing" }, "no calls in this time"));
}

/** A row's own little plot; it has no axes, its numbers stand beside it. */
export function sparkline(values, label) {
  const known = values.filter((value) => value != null);
  const high = Math.max(1e-9, ...known);
  const x = (place, length) => 118 * (1 - (length - 1 - place) / 59) + 1;
  const y = (value) => 21 - 18 * (value / high);
  return h("svg", { class: "spark", viewBox: "0 0 120 24", role: "img", "aria-label": label },
    h("path", { class: "area rate", d: area(values, x, y, 22) }), h("path", { class: "line rate", d: path(values, x, y) }));
}

const span = (samples) => Math.max(30, samples);

const ago = (seconds) => seconds >= 90 ? `${Math.round(seconds / 60)} min ago` : `${Math.round(seconds)} s ago`;

function path(values, x, y, positive = false) {
  let drawn = "", pen = false;
  values.forEach((value, place) => {
    const here = value != null && (!positive || value > 0);
    if (here) {
      const at = `${x(place, values.length).toFixed(1)} ${y(value).toFixed(1)}`;
      const alone = !pen && values[place + 1] == null;
      drawn += `${pen ? "L" : "M"}${at}${alone ? "h.01" : ""}`;
    }
    pen = here;
  });
  return drawn;
}

function area(values, x, y, floor) {
  const first = values.findIndex((value) => value != null);
  if (first < 0) return "";
  const points = values.map((value, place) => `L${x(place, values.length).toFixed(1)} ${y(value ?? 0).toFixed(1)}`).slice(first);
  return `M${x(first, values.length).toFixed(1)} ${floor}${points.join("")}L${x(values.length - 1, values.length).toFixed(1)} ${floor}Z`;
}

function linear(values) {
  const high = Math.max(...values, 0) || 1;
  const power = 10 ** Math.floor(Math.log10(high));
  const top = [1, 2, 2.5, 5, 10].map((part) => part * power).find((value) => value >= high);
  return { at: (value) => value / top, ticks: [0, top / 2, top] };
}

function logarithmic(values) {
  let low = Math.floor(Math.log10(Math.min(...values, Infinity))), high = Math.ceil(Math.log10(Math.max(...values, 0)));
  if (!Number.isFinite(low) || !Number.isFinite(high)) [low, high] = [-3, 0];
  if (high <= low) high = low + 1;
  const skip = Math.ceil((high - low) / 4);
  const ticks = [];
  for (let power = low; power <= high; power += skip) ticks.push(10 ** power);
  return { at: (value) => (Math.log10(value) - low) / (high - low), ticks };
}

/** Show the values under the pointer. */
export function followPointer(event) {
  const canvas = event.target.closest?.("[data-plot]");
  for (const tip of document.querySelectorAll(".tip:not([hidden])")) {
    if (!canvas?.contains(tip)) hide(tip.parentNode);
  }
  if (!canvas) return;
  const { step, shown, lines } = JSON.parse(canvas.dataset.plot);
  const box = canvas.getBoundingClientRect();
  const part = ((event.clientX - box.left) / box.width * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT);
  const back = Math.round((1 - part) * (shown - 1));
  if (part < 0 || part > 1) return hide(canvas);
  const tip = canvas.querySelector(".tip"), at = LEFT + (WIDTH - LEFT - RIGHT) * (1 - back / (shown - 1));
  const cursor = canvas.querySelector(".cursor");
  cursor.setAttribute("visibility", "visible");
  cursor.setAttribute("x1", at);
  cursor.setAttribute("x2", at);
  tip.textContent = [back ? ago(back * step) : "now",
    ...lines.map((line) => `${line.name} ${line.values.at(-1 - back) ?? "–"}`)].join("\n");
  tip.hidden = false;
  tip.style.left = `${Math.min(at / WIDTH * 100, 72)}%`;
}

function hide(canvas) {
  canvas.querySelector(".tip").hidden = true;
  canvas.querySelector(".cursor").setAttribute("visibility", "hidden");
}
