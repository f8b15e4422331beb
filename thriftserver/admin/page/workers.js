// The workers, the calls they have in flight, and what went wrong lately.

import { fullName, slowness, state } from "./data.js";
import { age, badge, cell, clock, count, h, number, table, time } from "./dom.js";
import { methodLink, slowCell } from "./methods.js";
import { plot } from "./plot.js";

const LATE = 1;
/** Days before the end of a certificate from which on the log warns of it. */
const SOON = 14;

function tile(worker) {
  const stuck = worker.state === "stuck";
  return h("li", { class: `worker ${stuck ? "bad" : ""}`, "data-key": `w${worker.number}` },
    h("div", { class: "line1" }, h("b", {}, `Worker ${worker.number}`), badge(worker.state)),
    h("div", { class: stuck ? "why" : "faint" }, stuck ? `no sign of life for ${age(worker.heartbeat_age)}` : `up ${age(worker.age)}`),
    h("div", { class: "faint" }, `${worker.connections} connections${worker.full ? ", full" : ""}, ${worker.in_flight} in flight`),
    worker.oldest_call > LATE && h("div", { class: stuck ? "why" : "late" }, `${worker.oldest_method} for ${age(worker.oldest_call)}`));
}

const tiles = () => h("ul", { class: "workers" }, state.workers.workers.map(tile));

export function overview() {
  const { methods, workers, history } = state, all = history.series[""], total = methods.total;
  const slowest = methods.methods.filter((method) => slowness(method) > 0).sort((a, b) => slowness(b) - slowness(a)).slice(0, 6);
  const figure = (name, value, tone = "") => h("div", { class: `figure ${tone}` }, h("dt", {}, name), h("dd", {}, value));
  return [
    h("h1", { class: "unseen" }, "Overview"),
    h("dl", { class: "figures" },
      figure("Calls/s", count(total.rate)), figure("Failures/s", count(total.failures), total.failures > 0 ? "bad" : ""),
      figure("p50", time(total.p50)), figure("p99", time(total.p99)),
      figure("In flight", count(methods.in_flight)), figure("Waiting", count(methods.queued)),
      figure("Connections", count(methods.connections))),
    h("section", {}, h("h2", {}, "Workers"), tiles()),
    h("div", { class: "plots" },
      h("section", { class: "card" }, plot("Calls", [
        { name: "calls", values: all.rate, tone: "rate", filled: true },
        { name: "failures", values: all.failures, tone: "fail" }], history.step, count, { unit: "/s" })),
      h("section", { class: "card" }, plot("Duration", [
        { name: "p50", values: all.p50, tone: "p50" }, { name: "p99", values: all.p99, tone: "p99" }], history.step, time, { log: true }))),
    h("div", { class: "columns" },
      h("section", { class: "card flush" }, h("h2", {}, "Slowest methods"),
        table("Slowest methods", ["Method", "p99, or oldest call", ">Calls/s"], slowest.map((method) =>
          h("tr", { "data-key": fullName(method) }, h("th", { scope: "row" }, methodLink(method)), slowCell(method), number(count(method.rate)))),
        "No calls in the last seconds.")),
      h("section", { class: "card flush" }, h("h2", {}, "Recent errors"), errorTable(6, false))),
    dialects(),
    tls(),
    troubles(),
  ];
}

/** What clients speak: nothing is drawn while all of them speak the plainest. */
function dialects() {
  const found = Object.entries(state.workers.dialects).filter(([, each]) => each.connections || each.calls);
  return found.some(([name]) => name !== "framed-binary") && h("section", { class: "card flush dialects" }, h("h2", {}, "Dialects"),
    table("Dialects", ["Dialect", ">Connections", ">Calls"], found.map(([name, each]) =>
      h("tr", { "data-key": name }, h("th", { scope: "row" }, name), number(count(each.connections)), number(count(each.calls)))), ""));
}

/** TLS, where it is spoken. */
function tls() {
  const found = state.workers.tls;
  if (!found) return null;
  const days = found.expires_in_days, soon = days < SOON;
  return h("section", { class: "card flush tls" }, h("h2", {}, "TLS"),
    table("TLS", [">Connections", ">Handshakes under way", ">Refused", "First certificate"], [h("tr", { class: soon && "bad" },
      number(count(found.connections)), number(count(found.handshakes)), number(count(found.refused)),
      cell(days < 0 ? "has expired" : `expires in ${days} ${days === 1 ? "day" : "days"}`))], ""));
}

/** What was lost or is strange: nothing is drawn while nothing is. */
function troubles() {
  const found = state.workers.troubles;
  return found.length > 0 && h("section", { class: "card flush troubles" }, h("h2", {}, "Lost and strange, since the server started"),
    table("Lost and strange", [">Times", "What"], found.map((each) =>
      h("tr", { "data-key": each.kind, class: each.kind.endsWith("_lost") && "bad" }, number(count(each.count)), h("td", { class: "said" }, each.text))), ""));
}

const reasons = () => Object.entries(state.workers.exit_reasons).map(([reason, many]) => `${many} ${reason.replace("_", " ")}`).join(", ");

export function workersView() {
  const { workers } = state;
  return [
    h("h1", {}, "Workers"),
    h("p", { class: "faint" }, `${workers.serving} of ${workers.wanted} serve; generation ${workers.generation}; ${workers.starts} started and ${workers.exits} ended since the server started${workers.exits ? ` (${reasons()})` : ""}.`),
    tiles(),
    h("section", { class: "card flush" }, table("Workers",
      [">Worker", ">Pid", ">Generation", "State", ">Up", ">Heartbeat", ">Connections", ">In flight", ">Waiting", ">Threads", ">Calls", ">Loop blocked", "Oldest call"],
      workers.workers.map((worker) => h("tr", { class: worker.state === "stuck" && "bad", "data-key": worker.number },
        h("th", { scope: "row", class: "number" }, worker.number), number(worker.pid), number(worker.generation), cell(badge(worker.state)),
        number(age(worker.age)), number(`${age(worker.heartbeat_age)} ago`), number(worker.connections), number(worker.in_flight),
        number(worker.queued), number(worker.threads), number(count(worker.calls)), number(worker.loop_blocked),
        cell(worker.oldest_call == null ? "–" : [h("span", { class: "code" }, worker.oldest_method), ` ${age(worker.oldest_call)}`]))),
      "There is no worker.")),
    troubles(),
    h("section", { class: "card flush" }, h("h2", {}, "What happened"), table("What happened", ["Time", ">Worker", ">Pid", ">Generation", "What"],
      [...workers.events].reverse().map((event) => h("tr", {}, cell(clock(event.time)), number(event.worker), number(event.pid), number(event.generation), cell(badge(event.what)))),
      "Nothing has happened to a worker since this page's process started.")),
  ];
}

export function callsView() {
  const { calls } = state;
  return [
    h("h1", {}, "Calls in flight"),
    calls.total > calls.calls.length && h("p", { class: "faint" }, `The ${calls.calls.length} oldest of ${calls.total}.`),
    h("section", { class: "card flush" }, table("Calls in flight", ["Running for", "Method", ">Worker", ">Pid", "Peer", ">Number", ">Bytes"],
      calls.calls.map((call) => h("tr", { class: call.age > 10 && "bad" }, cell(time(call.age)), cell(methodLink(call)),
        number(call.worker), number(call.pid), cell(h("span", { class: "code" }, call.peer)), number(call.seqid), number(count(call.bytes)))),
      "No call is running.")),
  ];
}

/** Equal errors as one, the newest first: what is said once a second must not hide what was said once. */
function grouped() {
  const groups = new Map();
  for (const error of state.errors.errors) {
    const key = JSON.stringify([error.service, error.method, error.outcome, error.text]);
    const group = groups.get(key);
    if (group) group.times += 1;
    else groups.set(key, { ...error, key, times: 1 });
  }
  return [...groups.values()];
}

function errorTable(most, whole) {
  const heads = ["Time", "Method", "What", "Id"];
  return h("div", { class: "errors" }, table("Recent errors", heads, grouped().slice(0, most).map((error) => h("tr", { "data-key": error.key },
    cell(clock(error.time)), cell(methodLink(error)),
    h("td", { class: "said" }, whole && badge(error.outcome), error.times > 1 && h("b", { class: "times" }, `${error.times} times `),
      h("span", { class: whole ? "" : "cut" }, error.text || error.outcome)),
    cell(error.times > 1 && h("span", { class: "faint" }, "last "), h("code", {}, error.error_id)))), "No call has failed."));
}

export function errorsView() {
  return [
    h("h1", {}, "Recent errors"),
    h("p", { class: "faint" }, "A client reads the id; the log has the traceback under the same one."),
    h("section", { class: "card flush" }, errorTable(200, true)),
  ];
}
