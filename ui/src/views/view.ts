// What every view is given.

import type { Live } from "../live.svelte";

export interface ViewProps {
  live: Live;
  /** Starts the setting up of a folder. */
  setUp: () => void;
}
