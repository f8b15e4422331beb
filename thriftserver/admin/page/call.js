// An example of a call; and, where the server allows it, a form that makes one and shows the reply.

import { call, state } from "./data.js";
import { badge, h, time } from "./dom.js";

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export function callForm(service, found) {
  const name = `${service.name}.${found.name}`, example = JSON.stringify(found.example ?? {}, null, 2);
  const includes = state.idl.include.map((folder) => ` -I ${folder}`).join("");
  const command = `thriftserver call ${state.idl.address} ${service.call}${found.name} ${quoted(JSON.stringify(found.example ?? {}))} --idl ${state.idl.files[service.file]}${includes}`;
  return [
    h("h2", {}, "Example"), h("pre", { class: "command", tabindex: "0" }, command),
    state.idl.calls_allowed && h("form", { class: "call", "data-action": "call", "data-service": service.name, "data-method": found.name, "data-key": name },
      h("label", {}, "Arguments, as JSON", h("textarea", { name: "arguments", rows: Math.min(14, example.split("\n").length + 1), spellcheck: "false", "data-key": name }, example)),
      h("button", { type: "submit" }, "Call ", found.name), h("div", { class: "answer", "aria-live": "polite" }, answer(name))),
  ];
}

function answer(name) {
  const reply = state.answers.get(name);
  if (!reply) return null;
  if (reply === "waiting") return h("p", { class: "faint" }, "waiting for the reply ...");
  const text = reply.kind === "result" || reply.kind === "exception" ? JSON.stringify(reply.value, null, 2) : reply.message;
  return [h("p", {}, badge(reply.kind), ` ${reply.name ?? ""} `, h("span", { class: "faint" }, reply.seconds == null ? "" : time(reply.seconds))), h("pre", { tabindex: "0" }, text)];
}

export async function submit(form, draw) {
  const { service, method } = form.dataset, name = `${service}.${method}`;
  state.answers.set(name, "waiting");
  draw();
  state.answers.set(name, await call(service, method, form.elements.arguments.value));
  draw();
}
