// Which view is shown, when it is drawn again, and what happens when somebody clicks or types.

import { submit } from "./call.js";
import { fullName, keepAsking, refresh, slowness, state } from "./data.js";
import { age, badge, h, show } from "./dom.js";
import { idlView } from "./idl.js";
import { methodView, methodsView, visible } from "./methods.js";
import { followPointer } from "./plot.js";
import { callsView, errorsView, overview, workersView } from "./workers.js";

const VIEWS = {
  overview: ["Overview", overview], methods: ["Methods", methodsView], workers: ["Workers", workersView],
  calls: ["Calls", callsView], errors: ["Errors", errorsView], idl: ["IDL", idlView],
};

/** The view that the address names, and what of it. */
function place() {
  const [view, ...rest] = location.hash.slice(1).split("/");
  let of = rest.join("/");
  try {
    of = decodeURIComponent(of);
  } catch { /* a broken address names nothing */ }
  return [view in VIEWS || view === "method" ? view : "overview", of];
}

function head(view) {
  const { workers } = state;
  const name = state.idl?.services.filter((service) => service.served).map((service) => service.name).join(", ");
  const alarm = { workers: workers.workers.some((worker) => worker.state === "stuck"), methods: state.methods.methods.some((method) => slowness(method) >= 2) };
  document.title = `${workers.ready ? "" : "▲ "}${name || "thriftserver"}`;
  return [
    h("div", { class: "name" }, h("b", {}, name || "thriftserver"), badge(workers.ready ? "ready" : "not ready"),
      h("span", { class: "faint" }, `up ${age(workers.uptime)}, generation ${workers.generation}, version ${workers.version}`)),
    h("nav", { "aria-label": "Views" }, Object.entries(VIEWS).map(([key, [label]]) =>
      h("a", { href: `#${key}`, "aria-current": (key === view || (key === "methods" && view === "method")) && "page" }, label,
        alarm[key] && h("span", { class: "alarm", role: "img", "aria-label": "needs a look" }, "▲")))),
  ];
}

function notice() {
  if (state.failure) return h("p", { class: "bad" }, `No answer for ${age((Date.now() - state.failure) / 1000)}; what you see is older. Trying again.`);
  const reasons = state.workers?.reasons ?? [];
  return reasons.length > 0 && h("p", { class: state.workers.ready ? "warn" : "bad" }, reasons.map((reason, place) => [place > 0 && h("br"), reason]));
}

/** What stands around every view; whether there is anything to show in it. */
function drawFrame(view) {
  show(document.getElementById("notice"), notice());
  const known = Boolean(state.workers && state.history && state.idl);
  if (known) show(document.getElementById("top"), head(view));
  return known;
}

function draw() {
  const [view, of] = place();
  if (!drawFrame(view)) return;
  show(document.getElementById("content"), view === "method" ? methodView(of) : VIEWS[view][1](of));
  const search = document.getElementById("search");
  if (search && search !== document.activeElement && search.value !== state.search) search.value = state.search;
}

async function update() {
  const [view, of] = place();
  if (view === "method") await refresh([of]);
  else if (view === "methods") await refresh(state.methods ? visible().map(fullName) : [], 60);
  else await refresh([]);
  if (view !== "idl" || !state.drawn || state.failure) draw(); // a text that somebody reads is left in peace
  else drawFrame(view);
  state.drawn = state.idl !== null;
}

const ACTIONS = {
  sort(button) {
    const key = button.dataset.value;
    state.descending = state.sort === key ? !state.descending : key !== "name";
    state.sort = key;
    state.page = 0;
  },
  page(button) {
    state.page = Number(button.dataset.value);
  },
  skip() {
    document.getElementById("content").focus();
  },
};

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-action]");
  const action = target && ACTIONS[target.dataset.action];
  if (!action) return;
  event.preventDefault();
  action(target);
  draw();
  if (place()[0] === "methods") update();
});
document.addEventListener("input", (event) => {
  if (event.target.dataset.action !== "search") return;
  state.search = event.target.value;
  state.page = 0;
  draw();
});
document.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.target.dataset.action === "call") submit(event.target, draw);
});
document.addEventListener("pointermove", followPointer);
addEventListener("hashchange", () => {
  state.search = "";
  const search = document.getElementById("search");
  if (search) search.value = "";
  draw();
  scrollTo(0, 0);
  update();
});
keepAsking(update);
