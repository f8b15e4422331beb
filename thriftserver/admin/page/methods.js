// The methods: which is slow, which fails, which is busy; and one of them from near.

import { fullName, slowness, state } from "./data.js";
import { age, badge, cell, count, h, number, table, time } from "./dom.js";
import { callForm } from "./call.js";
import { functionText, documentation } from "./idl.js";
import { plot, sparkline } from "./plot.js";

export const PAGE = 50;
/** From here on a wait is worth a look, and from here on it is bad; in seconds. */
const SLOW = 0.5, BAD = 2;

const COLUMNS = {
  name: ["Method", (method) => fullName(method)],
  rate: ["Calls/s", (method) => method.rate],
  failures: ["Failures/s", (method) => method.failures],
  p50: ["p50", (method) => method.p50 ?? -1],
  slow: ["p99, or oldest call", slowness],
  in_flight: ["In flight", (method) => method.in_flight],
  calls: ["Calls ever", (method) => method.calls],
};

export function chosen() {
  const wanted = state.search.toLowerCase().split(/\s+/).filter(Boolean);
  const key = COLUMNS[state.sort][1];
  const found = state.methods.methods.filter((method) => {
    const name = fullName(method).toLowerCase();
    return wanted.every((part) => name.includes(part));
  });
  const sign = state.descending ? -1 : 1;
  return found.sort((a, b) => {
    const [left, right] = [key(a), key(b)];
    return (left < right ? -1 : left > right ? 1 : 0) * sign || b.calls - a.calls;
  });
}

export function visible() {
  const found = chosen();
  state.page = Math.min(state.page, Math.max(0, Math.ceil(found.length / PAGE) - 1));
  return found.slice(state.page * PAGE, (state.page + 1) * PAGE);
}

export const methodLink = (method) => h("a", { href: `#method/${encodeURIComponent(fullName(method))}`, class: "code" },
  method.service && h("span", { class: "faint" }, `${method.service}.`), method.method);

/** How slow, as a bar on a scale from 1 ms to 100 s, a number, and a word when it is bad. */
export function slowCell(method, scale = true) {
  const seconds = slowness(method);
  const waiting = (method.oldest ?? 0) > (method.p99 ?? 0) && method.oldest > SLOW;
  const held = waiting && method.stuck_in != null ? `in stuck worker ${method.stuck_in}` : waiting && "waiting";
  const tone = seconds >= BAD ? "bad" : seconds >= SLOW ? "warn" : "good";
  const part = Math.max(0, Math.min(100, (Math.log10(Math.max(seconds, 1e-5)) + 4) / 6 * 100));
  return h("td", { class: `slow ${tone}` }, h("span", { class: "amount" }, seconds ? time(seconds) : "–"),
    scale && h("span", { class: "bar", "aria-hidden": "true" }, h("i", { "width%": seconds ? part : 0 })),
    h("span", { class: "word" }, held || (tone === "bad" ? "very slow" : tone === "warn" ? "slow" : "")));
}

function row(method) {
  const rates = state.history?.series[fullName(method)]?.rate.slice(-60) ?? [];
  return h("tr", { "data-key": fullName(method) },
    h("th", { scope: "row" }, methodLink(method)),
    cell(sparkline(rates, `calls per second of the last two minutes`)),
    number(count(method.rate)),
    h("td", { class: `number ${method.failures > 0 ? "failing" : ""}` }, method.failures ? count(method.failures) : "–"),
    number(time(method.p50)), slowCell(method), number(method.in_flight || "–"), number(count(method.calls)));
}

function head(key) {
  const [label] = COLUMNS[key], on = state.sort === key;
  return h("th", { scope: "col", class: key !== "name" && key !== "slow" && "number", "aria-sort": on ? (state.descending ? "descending" : "ascending") : "none" },
    h("button", { type: "button", "data-action": "sort", "data-value": key }, label, h("span", { "aria-hidden": "true" }, on ? (state.descending ? " ↓" : " ↑") : "")));
}

export function methodsView() {
  const found = chosen(), pages = Math.max(1, Math.ceil(found.length / PAGE));
  const rows = visible().map(row);
  const heads = Object.keys(COLUMNS).map(head);
  heads.splice(1, 0, h("th", { scope: "col" }, "Last 2 min"));
  return [
    h("div", { class: "tools" },
      h("label", {}, "Search ", h("input", { type: "search", id: "search", "data-action": "search", placeholder: "part of a name", autocomplete: "off", spellcheck: "false" })),
      h("p", { class: "faint", role: "status" }, `${found.length} of ${state.methods.methods.length} methods`),
      h("nav", { class: "pages", "aria-label": "Pages" },
        h("button", { type: "button", "data-action": "page", "data-value": state.page - 1, disabled: state.page === 0 }, "Previous"),
        h("span", {}, `Page ${state.page + 1} of ${pages}`),
        h("button", { type: "button", "data-action": "page", "data-value": state.page + 1, disabled: state.page + 1 >= pages }, "Next"))),
    h("section", { class: "card flush" }, table("Methods", heads, rows, "No method has this in its name.")),
    h("p", { class: "faint" }, `Rates and percentiles are those of the last ${state.methods.window} seconds.`),
  ];
}

export function methodView(name) {
  const method = state.methods.methods.find((each) => fullName(each) === name);
  const [service, found] = definition(name);
  if (!method && !found) return [h("h1", {}, name), h("p", {}, "There is no such method now.")];
  const series = state.history?.series[name], step = state.history?.step;
  return [
    h("h1", { class: "code" }, name),
    found && documentation(found.doc),
    series && h("div", { class: "plots" },
      h("section", { class: "card" }, plot("Calls", [
        { name: "calls", values: series.rate, tone: "rate", filled: true },
        { name: "failures", values: series.failures, tone: "fail" }], step, count, { unit: "/s" })),
      h("section", { class: "card" }, plot("Duration", [
        { name: "p50", values: series.p50, tone: "p50" }, { name: "p99", values: series.p99, tone: "p99" }], step, time, { log: true }))),
    method && numbers(method),
    found && h("section", { class: "card" }, h("h2", {}, "In the IDL"), functionText(found), callForm(service, found)),
  ];
}

function definition(name) {
  for (const service of state.idl?.services ?? []) {
    for (const found of service.functions) if (service.served && `${service.name}.${found.name}` === name) return [service, found];
  }
  return [];
}

function numbers(method) {
  const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  return h("section", { class: "card" }, h("h2", {}, "Since the server started"),
    h("dl", { class: "facts" },
      fact("Calls", count(method.calls)), fact("Mean", time(method.mean)), fact("p50", time(method.p50_ever)), fact("p99", time(method.p99_ever)),
      fact("In flight", method.in_flight), fact("Oldest call", method.oldest == null ? "–" : age(method.oldest)),
      fact("Bytes in", count(method.request_bytes)), fact("Bytes out", count(method.reply_bytes))),
    h("ul", { class: "outcomes" },
      Object.entries(method.outcomes).map(([name, many]) => h("li", {}, badge(name), ` ${count(many)}`)),
      Object.entries(method.declared).map(([name, many]) => h("li", {}, h("span", { class: "code" }, name), ` ${count(many)}`))));
}
