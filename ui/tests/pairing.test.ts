import { screen, waitFor, within } from "@testing-library/svelte";
import jsQR from "jsqr";
import { encode } from "uqr";
import { describe, expect, it, vi } from "vitest";
import { offer, peer } from "../src/backend/mock-pairing";
import { open } from "./window";

type Opened = Awaited<ReturnType<typeof open>>;

const dialog = () => within(screen.getByRole("dialog"));
const asked = ({ backend }: Opened, type: string) => backend.asked.filter((command) => command.type === type);

async function go({ user }: Pick<Opened, "user">, view: RegExp) {
  await user.click(within(screen.getByRole("navigation")).getByRole("button", { name: view }));
}

/** Opens the dialog that shares Trip, and waits for its invitation. */
async function share(opened: Opened) {
  await go(opened, /Folders/);
  await opened.user.click(within(screen.getByRole("article", { name: /Trip/ })).getByRole("button", { name: "Share…" }));
  return await screen.findByLabelText<HTMLInputElement>("Invitation link");
}

async function typeInvitation(opened: Opened, text: string) {
  await go(opened, /Folders/);
  await opened.user.click(screen.getByRole("button", { name: "I have a link or a code…" }));
  await opened.user.type(await screen.findByLabelText("Link or code"), text);
}

describe("inviting", () => {
  it("is one dialog: a link to copy, which then stays good when the dialog is closed", async () => {
    const opened = await open("upToDate");
    const link = await share(opened);
    expect(link.value).toMatch(/^tributary:join\//);
    expect(asked(opened, "invite")).toEqual([{ type: "invite", folder: "/home/ann/Trip", readOnly: false, accept: true }]);
    await opened.user.click(dialog().getByRole("button", { name: "Copy link" }));
    expect(await dialog().findByText("Copied")).toBeTruthy();
    expect(await navigator.clipboard.readText()).toBe(link.value);
    await opened.user.click(dialog().getByRole("button", { name: "Done" }));
    expect(asked(opened, "cancelPairing")).toEqual([]);
    expect(opened.backend.snapshot.pairings).toHaveLength(1);
  });

  it("copies the link by hand where the page may not use the clipboard", async () => {
    const opened = await open("upToDate");
    const link = await share(opened);
    vi.spyOn(navigator, "clipboard", "get").mockReturnValue(undefined as unknown as Clipboard);
    const copied: string[] = [];
    document.execCommand = (command) => copied.push(`${command} ${link.value.slice(link.selectionStart ?? 0, link.selectionEnd ?? 0)}`) > 0;
    await opened.user.click(dialog().getByRole("button", { name: "Copy link" }));
    expect(await dialog().findByText("Copied")).toBeTruthy();
    expect(copied).toEqual([`copy ${link.value}`]);
    vi.restoreAllMocks();
  });

  it("is given up when nobody has got it", async () => {
    const opened = await open("upToDate");
    await share(opened);
    await opened.user.click(dialog().getByRole("button", { name: "Cancel" }));
    await waitFor(() => expect(opened.backend.snapshot.pairings).toEqual([]));
  });

  it("is made anew for another right, and the first one is withdrawn", async () => {
    const opened = await open("upToDate");
    const before = (await share(opened)).value;
    await opened.user.click(dialog().getByRole("radio", { name: "Only read" }));
    await waitFor(() => expect(screen.getByLabelText<HTMLInputElement>("Invitation link").value).not.toBe(before));
    await opened.user.click(dialog().getByRole("checkbox", { name: /Ask me before/ }));
    await waitFor(() => expect(asked(opened, "invite").at(-1)).toEqual({ type: "invite", folder: "/home/ann/Trip", readOnly: true, accept: false }));
    await waitFor(() => expect(opened.backend.snapshot.pairings).toHaveLength(1));
  });

  it("shows the link as a QR code that a camera reads", async () => {
    const opened = await open("upToDate");
    const link = (await share(opened)).value;
    dialog().getByRole("tab", { name: "Link" }).focus();
    await opened.user.keyboard("{ArrowRight}");
    const picture = await dialog().findByRole("img", { name: "QR code of the invitation link" });
    expect(read(picture as unknown as SVGSVGElement)).toBe(link);
  });

  it("shows a code whose time runs down, and offers a new one when somebody guessed wrong", async () => {
    const opened = await open("upToDate");
    await share(opened);
    await opened.user.click(dialog().getByRole("tab", { name: "Code" }));
    const first = dialog().getByText(/^\d+-guitar-tonic$/).textContent;
    expect(dialog().getByText(/ends in (10:00|9:5\d)\./)).toBeTruthy();
    opened.backend.snapshot.problems.push({
      code: "pairingFailed", sentence: "Somebody tried a wrong code. It is spent, and nobody was let in.", hint: "", since: "", needsYou: false, subject: "/home/ann/Trip",
    });
    opened.backend.emit({ type: "pairingsChanged" });
    await opened.user.click(await dialog().findByRole("button", { name: "New code" }));
    await waitFor(() => expect(dialog().getByText(/^\d+-guitar-tonic$/).textContent).not.toBe(first));
  });

  it("says who joined, and whether both have reached each other", async () => {
    const opened = await open("upToDate");
    await share(opened);
    const { snapshot } = opened.backend;
    const ben = peer("Ben’s laptop", "ben@example.org", {
      connected: false, folders: [{ folder: "/home/ann/Trip", theyOnlyRead: false, weOnlyRead: false }],
    });
    snapshot.pairings = [];
    snapshot.peers = [ben];
    opened.backend.emit({ type: "peerJoined", folder: "/home/ann/Trip", name: "Ben’s laptop", account: "ben@example.org" });
    expect(await dialog().findByText("Ben’s laptop joined Trip")).toBeTruthy();
    expect(dialog().getByText("Both are being tried, there and back")).toBeTruthy();
    snapshot.peers = [{ ...ben, connected: true }];
    opened.backend.emit({ type: "pairingsChanged" });
    expect(await dialog().findByText("Connected, there and back.")).toBeTruthy();
    await opened.user.click(dialog().getByRole("button", { name: "Done" }));
    expect(asked(opened, "cancelPairing")).toEqual([]);
  });

  it("lets a person answer where they stand", async () => {
    const opened = await open("upToDate");
    await share(opened);
    const [pairing] = opened.backend.snapshot.pairings;
    Object.assign(pairing ?? {}, { stage: "asksYou", sentence: "Ben’s laptop (ben@example.org) asks to join Trip." });
    opened.backend.emit({ type: "pairingsChanged" });
    await opened.user.click(await dialog().findByRole("button", { name: "Accept" }));
    expect(asked(opened, "answerPairing")).toEqual([{ type: "answerPairing", pairing: pairing?.id, yes: true, folder: null, localPlaces: false }]);
  });

  it("needs an account, and leads to it", async () => {
    const opened = await open("upToDate", (b) => (b.snapshot.account = null));
    await go(opened, /Folders/);
    await opened.user.click(within(screen.getByRole("article", { name: /Trip/ })).getByRole("button", { name: "Share…" }));
    await opened.user.click(dialog().getByRole("button", { name: "Set up an account…" }));
    expect(await screen.findByRole("heading", { level: 1, name: "Settings" })).toBeTruthy();
    expect(asked(opened, "invite")).toEqual([]);
  });
});

describe("joining", () => {
  it("begins when a whole link is pasted, shows what comes, and uses this computer's folders only when told to", async () => {
    const opened = await open("upToDate");
    await go(opened, /Folders/);
    await opened.user.click(screen.getByRole("button", { name: "I have a link or a code…" }));
    await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText("Link or code")));
    await opened.user.paste("tributary:join/1/ben/ff");
    expect(await dialog().findByText("Ben’s laptop shares Trip")).toBeTruthy();
    expect(dialog().getByText(/ben@example.org; you can edit it/)).toBeTruthy();
    await waitFor(() => expect(document.activeElement).toBe(dialog().getByRole("button", { name: "Accept" })));
    const folder = dialog().getByLabelText<HTMLInputElement>("Put it in");
    expect(folder.value).toBe(offer.folder);
    await opened.user.clear(folder);
    await opened.user.type(folder, "/home/ann/Rome");
    expect(dialog().getByRole<HTMLInputElement>("checkbox", { name: /That place/ }).checked).toBe(false);
    await opened.user.click(dialog().getByRole("button", { name: "Accept" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(asked(opened, "answerPairing")).toEqual([{ type: "answerPairing", pairing: offer.id, yes: true, folder: "/home/ann/Rome", localPlaces: false }]);
    expect(screen.getByText(/Trip of Ben’s laptop .* is at \/home\/ann\/Rome/)).toBeTruthy();
  });

  it("asks whose code it is, and says in one sentence what went wrong", async () => {
    const opened = await open("upToDate");
    await typeInvitation(opened, "7-wrong-code");
    await opened.user.type(dialog().getByLabelText("Who shows the code"), "ben{Enter}");
    expect(dialog().getByText("An address looks like ben@example.org.")).toBeTruthy();
    expect(asked(opened, "join")).toEqual([]);
    await opened.user.type(dialog().getByLabelText("Who shows the code"), "@example.org{Enter}");
    expect(await dialog().findByText("The code is wrong.")).toBeTruthy();
    expect(dialog().getByText(/Ask there for a new invitation/)).toBeTruthy();
    expect(asked(opened, "join")).toEqual([{ type: "join", invitation: "7-wrong-code", folder: null, from: "ben@example.org", yes: false }]);
    expect(dialog().getByLabelText<HTMLInputElement>("Link or code").value, "what was typed stays").toBe("7-wrong-code");
  });

  it("gives an offer up on both sides when the dialog is closed", async () => {
    const opened = await open("upToDate");
    await typeInvitation(opened, "7-guitar-tonic{Enter}");
    await opened.user.click(await dialog().findByRole("button", { name: "Decline" }));
    await waitFor(() => expect(asked(opened, "answerPairing")).toMatchObject([{ pairing: offer.id, yes: false }]));
  });

  it("gives up a search that takes too long", async () => {
    let answer: (() => void) | undefined;
    const opened = await open("upToDate", (b) => {
      const send = b.send;
      b.send = async (command) => {
        if (command.type !== "join") return send(command);
        b.snapshot.pairings.push({ id: "5eac", inviting: false, stage: "greeting", sentence: "The computers check the invitation.", since: "", folder: null, name: "", peer: null, readOnly: false });
        await new Promise<void>((done) => (answer = done));
        return { type: "failed", failure: { code: "pairingFailed", sentence: "Cancelled.", hint: "" } };
      };
    });
    await typeInvitation(opened, "7-guitar-tonic{Enter}");
    opened.backend.emit({ type: "pairingsChanged" });
    expect(await dialog().findByText("The computers check the invitation.")).toBeTruthy();
    await opened.user.click(dialog().getByRole("button", { name: "Cancel" }));
    await waitFor(() => expect(asked(opened, "cancelPairing")).toEqual([{ type: "cancelPairing", pairing: "5eac" }]));
    answer?.();
  });

  it("says so when the inviter does not wait any more", async () => {
    const opened = await open("upToDate");
    await typeInvitation(opened, "7-guitar-tonic{Enter}");
    await dialog().findByText("Ben’s laptop shares Trip");
    opened.backend.snapshot.pairings = [];
    opened.backend.emit({ type: "pairingsChanged" });
    expect(await dialog().findByText("The other computer does not wait any more.")).toBeTruthy();
  });

  it("is the first run of a second computer: account and code on one page, the offer on the next", async () => {
    const opened = await open("firstRun");
    await opened.user.click(screen.getByRole("radio", { name: /I have a link or a code/ }));
    await opened.user.type(screen.getByLabelText("Link or code"), "7-guitar-tonic");
    await opened.user.type(screen.getByLabelText("Address"), "ann@example.org");
    await opened.user.type(screen.getByLabelText("Password"), "secret{Enter}");
    expect(await screen.findByText("Ben’s laptop shares Trip")).toBeTruthy();
    await opened.user.click(screen.getByRole("checkbox", { name: /That place/ }));
    await opened.user.click(screen.getByRole("button", { name: "Start" }));
    await screen.findByRole("navigation");
    expect(opened.backend.asked.filter((c) => c.type !== "status").map((c) => c.type)).toEqual(["login", "join", "answerPairing"]);
    expect(asked(opened, "answerPairing")).toMatchObject([{ yes: true, folder: offer.folder, localPlaces: true }]);
  });
});

describe("computers and friends", () => {
  it("shows each paired computer once, with its presence, right and fingerprint", async () => {
    const opened = await open("paired");
    await go(opened, /Computers/);
    const ben = within(screen.getByRole("article", { name: "Ben’s laptop" }));
    expect(ben.getByText("Friend: ben@example.org")).toBeTruthy();
    expect(ben.getByText(/here now · 14 files wait for it/)).toBeTruthy();
    expect(ben.getByText("they can only read")).toBeTruthy();
    expect(ben.getByText("0123 4567 89ab cdef 0123 4567 89ab cdef")).toBeTruthy();
    expect(within(screen.getByRole("article", { name: "desktop" })).getByText(/^off since /)).toBeTruthy();
    expect(screen.getAllByRole("article").map((card) => card.getAttribute("aria-label"))).toEqual([
      "desktop", "Ben’s laptop", "Home-server", "Home-server", "Archive",
    ]);
    await go(opened, /Folders/);
    const chips = within(screen.getByRole("article", { name: /Trip/ })).getAllByText(/Ben’s laptop still needs 14 files, here now/);
    expect(chips, "git's remote and git-annex's repository are one computer").toHaveLength(1);
  });

  it("does not claim to know who is there while the account is off", async () => {
    const opened = await open("paired", (b) => b.snapshot.account && (b.snapshot.account.state = "connecting"));
    await go(opened, /Computers/);
    expect(screen.getAllByText(/not known while your account is off/)).toHaveLength(2);
    expect(screen.queryByText(/here now|off since/)).toBeNull();
  });

  it("removes one only after the question", async () => {
    const opened = await open("paired");
    await go(opened, /Computers/);
    await opened.user.click(within(screen.getByRole("article", { name: "Ben’s laptop" })).getByRole("button", { name: /Remove…/ }));
    expect(asked(opened, "unpair")).toEqual([]);
    expect(screen.getByText(/no longer gets changes of Trip/)).toBeTruthy();
    await opened.user.click(screen.getByRole("button", { name: "Remove" }));
    expect(asked(opened, "unpair")).toEqual([{ type: "unpair", peer: "0123456789abcdef0123456789abcdef" }]);
    await waitFor(() => expect(screen.queryByRole("article", { name: "Ben’s laptop" })).toBeNull());
  });

  it.each([["Accept", true], ["Decline", false]] as const)("answers who asks from the overview: %s", async (button, yes) => {
    const opened = await open("paired");
    const card = within(screen.getByRole("main")).getByRole("article");
    expect(card.textContent).not.toContain("trib ");
    await opened.user.click(within(card).getByRole("button", { name: button }));
    expect(asked(opened, "answerPairing")).toMatchObject([{ pairing: "0badcafe", yes }]);
  });
});

describe("an elapsed time", () => {
  it("is counted from when the words changed", async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    try {
      const opened = await open("upToDate");
      await share({ ...opened, user: opened.user });
      expect(dialog().getByText("Waiting for the other computer")).toBeTruthy();
      await vi.advanceTimersByTimeAsync(20_000);
      await waitFor(() => expect(dialog().getByText(/^2\d s$/)).toBeTruthy());
    } finally {
      vi.useRealTimers();
    }
  });
});

/** What a camera sees in the picture: its path, drawn in dots and read by another program than the one that made it. */
function read(picture: SVGSVGElement): string | undefined {
  const modules = picture.viewBox?.baseVal?.width || Number(picture.getAttribute("viewBox")?.split(" ")[2]);
  expect(modules).toBeGreaterThan(encode("").size);
  const scale = 4;
  const size = modules * scale;
  const pixels = new Uint8ClampedArray(size * size * 4).fill(255);
  const path = picture.querySelector("path")?.getAttribute("d") ?? "";
  for (const [, x = "", y = "", width = ""] of path.matchAll(/M(\d+) (\d+)h(\d+)v1/g)) {
    for (let row = Number(y) * scale; row < (Number(y) + 1) * scale; row++) {
      for (let column = Number(x) * scale; column < (Number(x) + Number(width)) * scale; column++) {
        pixels.fill(0, (row * size + column) * 4, (row * size + column) * 4 + 3);
      }
    }
  }
  return jsQR(pixels, size, size)?.data;
}
