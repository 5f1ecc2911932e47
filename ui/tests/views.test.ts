import { screen, waitFor, within } from "@testing-library/svelte";
import { describe, expect, it } from "vitest";
import type { Scene } from "../src/backend/mock";
import { open } from "./window";

const main = () => screen.getByRole("main");
const go = async (user: Awaited<ReturnType<typeof open>>["user"], view: RegExp) =>
  user.click(within(screen.getByRole("navigation")).getByRole("button", { name: view }));

describe("overview", () => {
  const states: [Scene, string, string][] = [
    ["upToDate", "Up to date", "All 4,212 files are on desktop and on Home-server."],
    ["waiting", "Waiting", "14 files wait for Archive, everything else is in its place."],
    ["working", "Working", "4,209 of 4,212 files are on desktop and on Home-server."],
    ["paused", "Paused", "Paused. 2 changes wait here."],
    ["needsYou", "Needs you", "Sync waits for your answer: 212 files were deleted at once."],
  ];
  it.each(states)("says %s in a shape with a name and in the engine's sentence", async (scene, word, sentence) => {
    await open(scene);
    const heading = screen.getByRole("heading", { level: 1 });
    expect(heading.textContent).toBe(sentence);
    expect(within(heading).getByRole("img", { name: word })).toBeTruthy();
  });

  it("names each place and what it has, not by colour alone", async () => {
    await open("waiting");
    expect(screen.getByText("Archive is not reached; 14 files wait for it")).toBeTruthy();
    expect(screen.getAllByText("desktop has everything")).toHaveLength(2);
    expect(screen.getByRole("img", { name: "This computer and Home-server, desktop and Archive" })).toBeTruthy();
  });

  it("shows progress as the events tell it, without asking for the snapshot", async () => {
    const { backend, live } = await open("working");
    const bar = () => screen.getByRole("progressbar", { name: "Day 2/IMG_2041.mov" });
    expect(bar().getAttribute("aria-valuenow")).toBe("73");
    const asked = backend.asked.length;
    backend.emit({ type: "transferAdvanced", folder: "/home/ann/Trip", file: "Day 2/IMG_2041.mov", place: "Archive", direction: "upload", bytesDone: 84_000_000, bytesTotal: 84_000_000 });
    await waitFor(() => expect(bar().getAttribute("aria-valuenow")).toBe("100"));
    expect(backend.asked).toHaveLength(asked);
    expect(live.snapshot?.event).toBe(1);
  });

  it("asks for the snapshot after a gap in the numbers", async () => {
    const { backend, live } = await open("working");
    backend.snapshot.event = 40;
    backend.snapshot.sentence = "All is well.";
    backend.emit({ type: "transferAdvanced", folder: "/home/ann/Trip", file: "Day 2/IMG_2041.mov", place: "Archive", direction: "upload", bytesDone: 1, bytesTotal: 2 });
    await waitFor(() => expect(screen.getByRole("heading", { level: 1 }).textContent).toBe("All is well."));
    expect(live.snapshot?.event).toBe(41);
  });

  it("gathers a storm of events into few snapshots", async () => {
    const { backend } = await open("upToDate");
    const before = backend.asked.length;
    for (let n = 0; n < 500; n++) backend.emit({ type: "folderChanged", folder: "/home/ann/Sync" });
    await waitFor(() => expect(backend.asked.length).toBeGreaterThan(before));
    expect(backend.asked.length - before).toBeLessThan(4);
  });
});

describe("pause", () => {
  it("offers the lengths by keyboard, and gives the focus back", async () => {
    const { backend, user } = await open("upToDate");
    const button = screen.getByRole("button", { name: "Pause" });
    button.focus();
    await user.keyboard("{Enter}");
    await user.keyboard("{ArrowDown}{Enter}");
    expect(backend.asked).toContainEqual({ type: "pause", folder: null, length: { type: "seconds", seconds: 7200 } });
    expect(await screen.findByRole("button", { name: "Resume" })).toBeTruthy();
  });

  it("closes on Escape", async () => {
    const { user } = await open("upToDate");
    const button = screen.getByRole("button", { name: "Pause" });
    await user.click(button);
    expect(screen.getAllByRole("menuitem")).toHaveLength(4);
    await user.keyboard("{Escape}");
    expect(screen.queryByRole("menuitem")).toBeNull();
    expect(document.activeElement).toBe(button);
  });
});

describe("folders", () => {
  it("stops syncing only after the question", async () => {
    const { backend, user } = await open("upToDate");
    await go(user, /Folders/);
    const sync = within(screen.getByRole("article", { name: /Sync/ }));
    await user.click(sync.getByRole("button", { name: "Remove…" }));
    expect(backend.asked.some((c) => c.type === "removeFolder")).toBe(false);
    await user.click(screen.getByRole("button", { name: "Stop syncing" }));
    expect(backend.asked).toContainEqual({ type: "removeFolder", folder: "/home/ann/Sync" });
    await waitFor(() => expect(screen.queryByRole("article", { name: /Sync/ })).toBeNull());
  });

  it("adds a storage folder with git-annex's parameters", async () => {
    const { backend, user } = await open("upToDate");
    await go(user, /Folders/);
    await user.click(within(screen.getByRole("article", { name: /Trip/ })).getByRole("button", { name: "Add a place…" }));
    await user.click(screen.getByRole("radio", { name: /storage folder/i }));
    await user.type(screen.getByLabelText("Folder for the contents"), "/mnt/box");
    await user.click(screen.getByRole("button", { name: "Add" }));
    expect(backend.asked).toContainEqual({
      type: "addSpecialRemote", folder: "/home/ann/Trip", name: "storage",
      parameters: { type: "directory", directory: "/mnt/box", encryption: "none" },
    });
  });

  it("says why a place cannot be used, and keeps what was typed", async () => {
    const { user } = await open("upToDate");
    await go(user, /Folders/);
    await user.click(within(screen.getByRole("article", { name: /Trip/ })).getByRole("button", { name: "Add a place…" }));
    const path = screen.getByLabelText("Transfer point on the drive or network folder");
    await user.type(path, "relative");
    await user.click(screen.getByRole("button", { name: "Add" }));
    expect(screen.getByText("Say where it is: a path that starts with /.")).toBeTruthy();
    await user.clear(path);
    await user.type(path, "/media/missing");
    await user.click(screen.getByRole("button", { name: "Add" }));
    expect(await screen.findByText(/\/media\/missing is not there/)).toBeTruthy();
    expect((path as HTMLInputElement).value).toBe("/media/missing");
  });
});

describe("problems", () => {
  it("has one card per cause, those that need a person first", async () => {
    const { user } = await open("needsYou");
    await go(user, /Problems/);
    expect(within(main()).getAllByRole("article")).toHaveLength(3);
  });

  it("asks about held deletions and sends the answer", async () => {
    const { backend, user } = await open("needsYou");
    await go(user, /Problems/);
    await user.click(screen.getByRole("button", { name: "Review deletions…" }));
    expect(await screen.findByText("Letters/2019.odt")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Restore here" }));
    expect(backend.asked).toContainEqual({ type: "held", folder: "/home/ann/Sync", answer: "restore" });
  });

  it("leads from a refused password to the password field", async () => {
    const { user } = await open("needsYou");
    await go(user, /Problems/);
    await user.click(screen.getByRole("button", { name: "Enter password…" }));
    await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText("Password")));
  });

  it("tells what is only to be known, and forgets it when it was read", async () => {
    const { backend, user } = await open("told");
    await go(user, /Problems/);
    const kept = within(main()).getByText(/was changed on two computers at once/).closest("article") as HTMLElement;
    expect(within(kept).getByRole("img", { name: "For you to know" })).toBeTruthy();
    expect(within(kept).getByRole("button", { name: "Open folder" })).toBeTruthy();
    const left = within(main()).getByText(/does not share Sync with this computer any more/).closest("article") as HTMLElement;
    expect(left.textContent).toContain("ask there for a new invitation");
    await user.click(within(left).getByRole("button", { name: "Dismiss" }));
    expect(backend.asked).toContainEqual({ type: "dismiss", code: "peerLeft", subject: "/home/ann/Sync" });
    await waitFor(() => expect(within(main()).queryByText(/does not share Sync/)).toBeNull());
  });

  it("says so when there is none", async () => {
    const { user } = await open("upToDate");
    await go(user, /Problems/);
    expect(screen.getByRole("heading", { name: "No problems" })).toBeTruthy();
  });
});

describe("keys", () => {
  it("F5 syncs now, Ctrl+, opens the settings, Ctrl+W closes", async () => {
    let closed = 0;
    const { backend, user } = await open("upToDate", (b) => (b.close = async () => void (closed += 1)));
    await user.keyboard("{F5}");
    expect(backend.asked).toContainEqual({ type: "sync", folder: null });
    await user.keyboard("{Control>},{/Control}");
    expect(screen.getByRole("heading", { level: 1, name: "Settings" })).toBeTruthy();
    await user.keyboard("{Control>}w{/Control}");
    expect(closed).toBe(1);
  });

  it("shows the view that the shell asks for", async () => {
    const { backend } = await open("upToDate");
    backend.show("problems");
    expect(await screen.findByRole("heading", { level: 1, name: "Problems" })).toBeTruthy();
  });
});

describe("the next step", () => {
  it("is the other computer, until one is known", async () => {
    const { backend, live } = await open("upToDate", (b) => {
      for (const folder of b.snapshot.folders) folder.places = folder.places.filter((p) => p.kind !== "computer");
    });
    expect(screen.getByRole("heading", { name: "Next: your other computer" })).toBeTruthy();
    expect(screen.getByText("/mnt/server/sync.git")).toBeTruthy();
    backend.snapshot.folders[0]?.places.push({ name: "desktop", kind: "computer", url: "", reachable: false, has: 0, wants: 0, waiting: 0 });
    await live.refresh();
    await waitFor(() => expect(screen.queryByRole("heading", { name: "Next: your other computer" })).toBeNull());
  });
});

describe("where a transfer point is", () => {
  it("is looked at while it is typed", async () => {
    const { user } = await open("upToDate");
    await go(user, /Folders/);
    await user.click(within(screen.getByRole("article", { name: /Trip/ })).getByRole("button", { name: "Add a place…" }));
    const path = screen.getByLabelText("Transfer point on the drive or network folder");
    await user.type(path, "/media/ann/stick");
    expect(await screen.findByText("It is made there: /media/ann/stick/Trip.git")).toBeTruthy();
    expect((screen.getByLabelText("What you call it") as HTMLInputElement).value).toBe("stick");
    await user.type(path, "/old.git");
    expect(await screen.findByText("A transfer point is there, and is used: /media/ann/stick/old.git")).toBeTruthy();
  });
});
