// Tells the shell whether the page gets onto the screen: some graphics drivers leave it blank.

import type { Backend } from "./backend";

/** Between two words to the shell, milliseconds. */
const MOMENT = 100;

/** Says that the first picture is on the screen, and until then, for as long as the shell wants to know, that it is not. */
export async function tellFirstPaint(backend: Pick<Backend, "painted" | "unpainted">): Promise<void> {
  let painted = false;
  // Two frames later the first one is on the screen.
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      painted = true;
      void backend.painted();
    }),
  );
  let wanted = true;
  while (wanted) {
    await new Promise((done) => setTimeout(done, MOMENT));
    wanted = !painted && (await backend.unpainted(document.visibilityState === "visible"));
  }
}
