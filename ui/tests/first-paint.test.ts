// What the shell hears of the first picture.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { tellFirstPaint } from "../src/first-paint";

let frames: FrameRequestCallback[] = [];
let said: string[] = [];
const backend = {
  painted: async () => void said.push("painted"),
  unpainted: async (visible: boolean) => {
    said.push(visible ? "unpainted" : "hidden");
    return said.length < 20;
  },
};

/** Lets the screen show one picture. */
function frame(): void {
  const due = frames;
  frames = [];
  for (const callback of due) callback(0);
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("requestAnimationFrame", (callback: FrameRequestCallback) => frames.push(callback));
  [frames, said] = [[], []];
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

test("a page is painted two frames later, and then there is nothing more to say", async () => {
  const told = tellFirstPaint(backend);
  await vi.advanceTimersByTimeAsync(250);
  frame();
  expect(said).toEqual(["unpainted", "unpainted"]);
  frame();
  await vi.advanceTimersByTimeAsync(1000);
  await told;
  expect(said).toEqual(["unpainted", "unpainted", "painted"]);
});

test("a page that nobody sees says so", async () => {
  vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
  void tellFirstPaint(backend);
  await vi.advanceTimersByTimeAsync(150);
  expect(said).toEqual(["hidden"]);
});

test("a page that is never painted stops when nobody wants to know", async () => {
  const told = tellFirstPaint(backend);
  await vi.advanceTimersByTimeAsync(10_000);
  await told;
  expect(said.length).toBe(20);
});
