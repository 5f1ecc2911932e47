import { screen, waitFor, within } from "@testing-library/svelte";
import { describe, expect, it } from "vitest";
import { open } from "./window";

const LINK = "tributary:join/1/ben%40example.org%2Ftributary.7c/01020304aa";
const field = () => screen.findByLabelText<HTMLInputElement>("Link or code");
const asked = ({ backend }: Awaited<ReturnType<typeof open>>) => backend.asked.filter((command) => command.type === "join");

describe("a clicked invitation", () => {
  it("opens the dialog with the link in it, and waits for a yes", async () => {
    const opened = await open("upToDate");
    opened.backend.click(LINK);
    const dialog = within(await screen.findByRole("dialog", { name: "Join a folder" }));
    expect((await field()).value).toBe(LINK);
    expect(dialog.getByText(/Nothing is joined until/)).toBeTruthy();
    await opened.live.refresh();
    expect(asked(opened)).toEqual([]);
    await opened.user.click(dialog.getByRole("button", { name: "Continue" }));
    await waitFor(() => expect(asked(opened)).toHaveLength(1));
    expect(await dialog.findByText("Ben’s laptop shares Trip")).toBeTruthy();
  });

  it("is there when the window opens with it", async () => {
    const opened = await open("upToDate", (backend) => backend.click(LINK));
    expect((await field()).value).toBe(LINK);
    await opened.user.click(screen.getByRole("button", { name: "Cancel" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  });

  it("takes the place of one that was only looked at", async () => {
    const opened = await open("upToDate");
    opened.backend.click(LINK);
    await field();
    opened.backend.click(`${LINK}bb`);
    await waitFor(async () => expect((await field()).value).toBe(`${LINK}bb`));
    expect(screen.getAllByRole("dialog")).toHaveLength(1);
  });

  it("is filled in on the first page for who has nothing yet", async () => {
    const opened = await open("firstRun");
    opened.backend.click(LINK);
    expect((await field()).value).toBe(LINK);
    expect(screen.getByRole<HTMLInputElement>("radio", { name: /I have a link or a code/ }).checked).toBe(true);
    expect(screen.getByLabelText("Address")).toBeTruthy();
    expect(asked(opened)).toEqual([]);
  });

  it("asks for the account where only that is missing", async () => {
    const opened = await open("upToDate", (backend) => (backend.snapshot.account = null));
    opened.backend.click(LINK);
    expect((await field()).value).toBe(LINK);
    expect(screen.getByLabelText("Address")).toBeTruthy();
  });
});
