// The IDL in force, with its doc comments, links between types, and an example of each call.

import { state } from "./data.js";
import { h } from "./dom.js";

const KINDS = { struct: "Structs", union: "Unions", exception: "Exceptions", enum: "Enums", typedef: "Typedefs" };

export function documentation(text) {
  return text ? h("p", { class: "doc" }, text) : null;
}

/** A type: its texts, and links where it names something. */
function type(pieces) {
  return h("span", { class: "type" }, pieces.map((piece) =>
    typeof piece === "string" ? piece : h("a", { href: `#idl/${encodeURIComponent(piece.ref)}` }, piece.ref.split(".").at(-1))));
}

const presence = { true: "required ", false: "optional ", null: "" };

function fieldText(field) {
  return [h("span", { class: "faint" }, `${field.id}: ${presence[field.required]}`), type(field.type), ` ${field.name}`,
    field.default != null && h("span", { class: "faint" }, ` = ${JSON.stringify(field.default)}`)];
}

const listed = (fields) => fields.map((field, place) => [place > 0 && ", ", fieldText(field)]);

export function functionText(found) {
  return h("p", { class: "code signature" }, found.oneway && h("span", { class: "faint" }, "oneway "), type(found.returns), " ",
    h("b", {}, found.name), "(", listed(found.args), ")",
    found.throws.length > 0 && [h("span", { class: "faint" }, " throws "), "(", listed(found.throws), ")"]);
}

function functionRow(service, found) {
  const name = `${service.name}.${found.name}`;
  return h("li", { class: "definition" }, functionText(found), documentation(found.doc),
    service.served && h("p", {}, h("a", { href: `#method/${encodeURIComponent(name)}` }, "numbers, an example and more")));
}

function typeBody(found) {
  if (found.kind === "enum") {
    return h("ul", { class: "fields code" }, found.members.map((member) =>
      h("li", {}, `${member.name} = ${member.value}`, documentation(member.doc))));
  }
  if (found.kind === "typedef") return h("p", { class: "code" }, "is ", type(found.type));
  return h("ul", { class: "fields code" }, found.fields.map((field) => h("li", {}, fieldText(field), documentation(field.doc))));
}

const matches = (name) => state.search.toLowerCase().split(/\s+/).every((part) => name.toLowerCase().includes(part));

function contents(current) {
  const { services, types, constants } = state.idl;
  const entry = (each) => h("li", {}, h("a", { href: `#idl/${encodeURIComponent(each.ref)}`, class: "code", "aria-current": each.ref === current && "page" }, each.name));
  const group = (label, list) => {
    const found = list.filter((each) => matches(each.ref) || each.functions?.some((one) => matches(one.name)));
    return found.length > 0 && [h("h3", {}, label), h("ul", {}, found.slice(0, 300).map(entry)),
      found.length > 300 && h("p", { class: "faint" }, `and ${found.length - 300} more: search for them`)];
  };
  return h("nav", { class: "contents", "aria-label": "Definitions" },
    h("label", {}, "Search ", h("input", { type: "search", id: "search", "data-action": "search", autocomplete: "off", spellcheck: "false" })),
    group("Services", services),
    Object.entries(KINDS).map(([kind, label]) => group(label, types.filter((each) => each.kind === kind))),
    constants.length > 0 && group("Constants", constants));
}

export function idlView(ref) {
  const { services, types, constants, modules } = state.idl;
  const found = [...services, ...types, ...constants].find((each) => each.ref === ref) ?? services[0] ?? types[0];
  return [h("h1", { class: "unseen" }, "IDL"), h("div", { class: "reader" }, contents(found?.ref),
    h("article", { class: "card", "data-key": found?.ref }, found ? definition(found) : h("p", {}, "The IDL is empty."),
      found && documentation(modules.find((module) => module.name === found.module)?.doc
        && `${found.module}: ${modules.find((module) => module.name === found.module).doc}`)))];
}

function definition(found) {
  const kind = found.functions ? "service" : found.kind ?? "const";
  const head = [h("p", { class: "faint" }, `${kind} of ${found.module}`), h("h2", { class: "code" }, found.name), documentation(found.doc)];
  if (kind === "service") return [head, serviceBody(found)];
  if (kind === "const") return [head, h("p", { class: "code" }, type(found.type), " = ", JSON.stringify(found.value))];
  return [head, typeBody(found), users(found)];
}

function serviceBody(service) {
  const hit = service.functions.filter((found) => matches(found.name));
  const functions = hit.length ? hit : service.functions;
  return [
    service.extends && h("p", { class: "code" }, h("span", { class: "faint" }, "extends "), h("a", { href: `#idl/${encodeURIComponent(service.extends)}` }, service.extends)),
    h("ul", { class: "functions" }, functions.slice(0, 200).map((found) => functionRow(service, found))),
    functions.length > 200 && h("p", { class: "faint" }, `and ${functions.length - 200} more: search for them`),
  ];
}

/** Where a type is used: links back. */
function users(found) {
  const names = (pieces) => pieces.some((piece) => piece.ref === found.ref);
  const { services, types } = state.idl;
  const methods = services.filter((each) => each.served).flatMap((service) => service.functions
    .filter((one) => names(one.returns) || [...one.args, ...one.throws].some((field) => names(field.type)))
    .map((one) => h("a", { href: `#method/${encodeURIComponent(`${service.name}.${one.name}`)}` }, `${service.name}.${one.name}`)));
  const structs = types.filter((each) => each.fields?.some((field) => names(field.type)))
    .map((each) => h("a", { href: `#idl/${encodeURIComponent(each.ref)}` }, each.name));
  const links = [...methods, ...structs].slice(0, 50);
  return links.length > 0 && h("p", {}, h("span", { class: "faint" }, "Used by "), links.map((link, place) => [place > 0 && ", ", link]));
}
