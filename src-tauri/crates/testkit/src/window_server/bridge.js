// Stands in for the shell where the windows run in a plain browser: what Tauri gives a page, as far as ui/src/backend/shell.ts
// uses it. Wishes go to the server that sent this page, events come from there.
(() => {
  const callbacks = new Map();
  const listeners = new Map();
  let last = 0;

  function transformCallback(callback) {
    last += 1;
    callbacks.set(last, callback);
    return last;
  }

  // One stream of the engine's events for the page. It opens once the engine has noted who listens, so that nothing
  // falls between that and the first question.
  let stream;
  const listening = () =>
    (stream ??= new Promise((opened) => {
      const source = new EventSource("events");
      source.onopen = opened;
      source.onmessage = ({ data }) => tell("engine", JSON.parse(data));
    }));

  function tell(event, payload) {
    for (const id of listeners.get(event) ?? []) callbacks.get(id)?.({ event, id, payload });
  }

  async function invoke(command, args = {}) {
    if (command === "plugin:event|listen") {
      listeners.set(args.event, [...(listeners.get(args.event) ?? []), args.handler]);
      if (args.event === "engine") await listening();
      return args.handler;
    }
    if (command === "plugin:event|unlisten") return null;
    const answer = await fetch("invoke", { method: "POST", body: JSON.stringify({ command, args }) });
    const value = await answer.json();
    if (!answer.ok) throw value;
    return value;
  }

  function unregisterListener(event, id) {
    callbacks.delete(id);
    listeners.set(event, (listeners.get(event) ?? []).filter((other) => other !== id));
  }

  window.__TAURI_INTERNALS__ = { invoke, transformCallback };
  window.__TAURI_EVENT_PLUGIN_INTERNALS__ = { unregisterListener };
})();
