// What jsdom lacks of a browser and the windows use.

import { cleanup, configure } from "@testing-library/svelte";
import { afterEach } from "vitest";

// jsdom has the element and not its behaviour: open and close are what the tests need.
HTMLDialogElement.prototype.showModal ??= function (this: HTMLDialogElement) {
  this.open = true;
};
HTMLDialogElement.prototype.close ??= function (this: HTMLDialogElement) {
  this.open = false;
  this.dispatchEvent(new Event("close"));
};
Element.prototype.scrollTo ??= () => {};
globalThis.ResizeObserver ??= class {
  observe() {}
  unobserve() {}
  disconnect() {}
};

configure({ asyncUtilTimeout: 20_000 });
afterEach(() => cleanup());
