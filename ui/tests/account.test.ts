import { screen, waitFor, within } from "@testing-library/svelte";
import { describe, expect, it } from "vitest";
import { scene } from "../src/backend/mock";
import { open } from "./window";

const steps = () => within(screen.getByRole("list", { name: "Login steps" })).getAllByRole("listitem");

describe("account", () => {
  it("logs in by keyboard alone, naming the step that failed on the way", async () => {
    const { backend, user } = await open("upToDate", (b) => (b.snapshot.account = null));
    await user.keyboard("{Control>},{/Control}");
    screen.getByRole("button", { name: "Set up an account…" }).focus();
    await user.keyboard("{Enter}");
    await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText("Address")));
    await user.keyboard("ann@example.org{Tab}wrong{Enter}");
    await waitFor(() => expect(steps()).toHaveLength(5));
    expect(steps().map((li) => li.className.split(" ").find((c) => ["held", "failed", "notTried"].includes(c)))).toEqual([
      "held", "held", "held", "failed", "notTried",
    ]);
    expect(steps()[3]?.textContent).toContain("Password refused");
    expect(screen.getByText(/does not accept this password/)).toBeTruthy();
    expect(document.activeElement).toBe(screen.getByLabelText("Password"));
    await user.keyboard("right{Enter}");
    await waitFor(() => expect(screen.queryByLabelText("Password")).toBeNull());
    expect(within(screen.getByRole("main")).getByText("ann@example.org")).toBeTruthy();
    expect(backend.asked.filter((c) => c.type === "login").map((c) => c.type === "login" && c.password)).toEqual([
      { type: "typed", password: "wrong" },
      { type: "typed", password: "right" },
    ]);
  });

  it("sends nothing that cannot be an address", async () => {
    const { backend, user } = await open("upToDate", (b) => (b.snapshot.account = null));
    await user.keyboard("{Control>},{/Control}");
    await user.click(screen.getByRole("button", { name: "Set up an account…" }));
    await user.keyboard("ann{Enter}");
    expect(screen.getByText("An address looks like ann@example.org.")).toBeTruthy();
    expect(screen.getByLabelText("Address").getAttribute("aria-invalid")).toBe("true");
    expect(backend.asked.some((c) => c.type === "login")).toBe(false);
  });

  it("trusts a certificate only when a person says so, with its fingerprint", async () => {
    const pin = "ab".repeat(32);
    const { backend, user } = await open("upToDate", (b) => {
      b.snapshot.account = null;
      const send = b.send;
      b.send = async (command) => {
        if (command.type !== "login" || command.pin !== null) return send(command);
        b.asked.push(command);
        return {
          type: "login",
          report: { steps: [{ label: "Certificate", outcome: "failed", detail: "" }], done: false, sentence: "The certificate is of an unknown issuer.", hint: "", fingerprint: pin },
        };
      };
    });
    await user.keyboard("{Control>},{/Control}");
    await user.click(screen.getByRole("button", { name: "Set up an account…" }));
    await user.keyboard("ann@example.org{Tab}secret{Enter}");
    await user.click(await screen.findByRole("button", { name: "Trust this certificate" }));
    const logins = backend.asked.filter((c) => c.type === "login");
    expect(logins.map((c) => c.type === "login" && c.pin)).toEqual([null, pin]);
  });

  it("switches one kind of notification and leaves the rest", async () => {
    const { backend, user } = await open("upToDate");
    await user.keyboard("{Control>},{/Control}");
    await user.click(screen.getByRole("checkbox", { name: /Changes of others arrived/ }));
    await waitFor(() => expect(backend.snapshot.settings.notifications).toEqual({ firstSync: true, changesArrived: false, needsYou: true, conflicts: true }));
  });
});

describe("first run", () => {
  it("gives way to a folder that was set up elsewhere, unless somebody has begun", async () => {
    const idle = await open("firstRun");
    idle.backend.snapshot.folders.push(...scene("upToDate").folders);
    idle.backend.emit({ type: "folderChanged", folder: "/home/ann/Sync" });
    expect(await screen.findByRole("navigation")).toBeTruthy();
    idle.unmount();

    const begun = await open("firstRun");
    await begun.user.click(screen.getByRole("radio", { name: /I already use this/ }));
    begun.backend.snapshot.folders.push(...scene("upToDate").folders);
    begun.backend.emit({ type: "folderChanged", folder: "/home/ann/Sync" });
    await waitFor(() => expect(begun.live.snapshot?.folders).toHaveLength(2));
    expect(screen.getByLabelText("Transfer point that both reach")).toBeTruthy();
  });

  it("sets up folder, account and transfer point in two pages", async () => {
    const { backend, user } = await open("firstRun");
    // One page asks for the folder and the account.
    expect((screen.getByLabelText("Folder") as HTMLInputElement).value).toBe("/home/ann/Sync");
    await user.click(screen.getByRole("button", { name: "Continue" }));
    expect(screen.getByText("An address looks like ann@example.org.")).toBeTruthy();
    expect(backend.asked.every((c) => c.type === "status"), "nothing is made before the account holds").toBe(true);
    await user.type(screen.getByLabelText("Address"), "ann@example.org");
    await user.type(screen.getByLabelText("Password"), "secret{Enter}");
    await screen.findByRole("heading", { name: /Where should files wait/ });
    await user.click(screen.getByRole("button", { name: "Choose…" }));
    await user.click(screen.getByRole("button", { name: "Start" }));
    await screen.findByRole("navigation");
    expect(backend.asked.filter((c) => c.type !== "status").map((c) => c.type)).toEqual(["login", "addFolder", "addGitRemote"]);
    expect(backend.asked).toContainEqual({
      type: "addGitRemote", folder: "/home/ann/Sync", name: "stick", url: "/media/ann/stick/Sync.git", contents: true,
    });
  });

  it("joins a folder from its transfer point without an account", async () => {
    const { backend, user } = await open("firstRun");
    await user.click(screen.getByRole("radio", { name: /I already use this/ }));
    await user.click(screen.getByRole("radio", { name: /Only this network/ }));
    await user.click(screen.getByRole("button", { name: "Continue" }));
    expect(backend.asked.some((c) => c.type === "cloneFolder")).toBe(false);
    await user.type(screen.getByLabelText("Transfer point that both reach"), "/mnt/sync.git");
    await user.click(screen.getByRole("button", { name: "Continue" }));
    await screen.findByRole("navigation");
    expect(backend.asked).toContainEqual({ type: "cloneFolder", url: "/mnt/sync.git", folder: "/home/ann/Sync", place: "mnt", description: null });
  });
});
