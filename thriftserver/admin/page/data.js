// What the server says, asked for every two seconds while somebody looks.

export const state = {
  workers: null, methods: null, calls: null, errors: null, history: null, idl: null,
  failure: null, // since when the server has not answered, in milliseconds
  search: "", sort: "slow", descending: true, page: 0, answers: new Map(),
};

const PERIOD = 2000;

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(10000) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

/** Read all that the current view shows; `names` are methods whose series it draws. */
export async function refresh(names, samples) {
  const query = new URLSearchParams(names.map((name) => ["method", name]));
  if (samples) query.set("samples", samples);
  try {
    [state.workers, state.methods, state.calls, state.errors, state.history, state.idl] = await Promise.all([
      ask("workers"), ask("methods"), ask("calls"), ask("errors"), ask(`history?${query}`), state.idl ?? ask("idl"),
    ]);
    if (state.failure) state.idl = await ask("idl"); // another process answers, perhaps with another IDL
    if (state.generation !== state.workers.generation) {
      if (state.generation !== undefined) state.idl = await ask("idl");
      state.generation = state.workers.generation;
    }
    state.failure = null;
  } catch (problem) {
    state.failure ??= Date.now();
  }
}

/** Call `step` now and then, one at a time, and at once when the page is looked at again. */
export function keepAsking(step) {
  let timer = 0, running = false;
  const turn = async () => {
    clearTimeout(timer);
    if (running) return;
    running = true;
    if (!document.hidden) await step();
    running = false;
    timer = setTimeout(turn, PERIOD);
  };
  document.addEventListener("visibilitychange", () => document.hidden || turn());
  turn();
}

/** Call a method of the service; what came of it, or {kind: "refused", message}. */
export async function call(service, method, args) {
  try {
    const answer = await fetch("call", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Thriftserver-Call": "1" },
      body: JSON.stringify({ service, method, arguments: args }),
    });
    const data = await answer.json();
    return answer.ok ? data : { kind: "refused", message: data.error };
  } catch (problem) {
    return { kind: "refused", message: `the server does not answer: ${problem.message}` };
  }
}

/** Seconds that a method keeps people waiting: its p99, or its oldest call in flight when that is worse. */
export function slowness(method) {
  return Math.max(method.p99 ?? 0, method.oldest ?? 0);
}

export const fullName = (method) => (method.service ? `${method.service}.${method.method}` : method.method);
