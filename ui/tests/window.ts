// A window on a made-up engine.

import { render } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import App from "../src/App.svelte";
import { mock, type Scene } from "../src/backend/mock";
import { Live } from "../src/live.svelte";

export async function open(scene: Scene, prepare: (backend: ReturnType<typeof mock>) => void = () => {}) {
  const backend = mock(scene);
  prepare(backend);
  const live = new Live(backend);
  await live.start();
  const view = render(App, { live });
  return { backend, live, user: userEvent.setup(), ...view };
}
