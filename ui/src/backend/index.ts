// Who answers the window. All knowledge of the shell's interface is behind this one type.

import type { Command } from "../generated/Command";
import type { NumberedEvent } from "../generated/NumberedEvent";
import type { Reply } from "../generated/Reply";

/** What the machine suggests before a person has chosen anything. */
export interface Suggestions {
  /** The person's home folder, to shorten paths with. */
  home: string;
  /** Where a first folder would go. */
  folder: string;
  /** This computer's name. */
  computer: string;
}

/** What a path means as a transfer point. */
export interface PointLook {
  /** Whether a repository is there, could be made there, or not even the folder for it is there. */
  kind: "found" | "new" | "missing";
  /** Where the transfer point is, or would be made. */
  path: string;
  /** The repositories in the folder that was named. */
  others: string[];
}

/** The views, in the order of the sidebar. The shell asks for one by name, such as from the tray's menu. */
export const VIEWS = ["overview", "folders", "places", "transfers", "problems", "settings"] as const;
export type ViewName = (typeof VIEWS)[number];

export interface Backend {
  /** Sends a wish and returns its one answer. */
  send(command: Command): Promise<Reply>;
  /** Calls back for each event until the returned function is called. */
  listen(heard: (event: NumberedEvent) => void): Promise<() => void>;
  /** Calls back when the shell asks for a view. */
  onView(asked: (view: ViewName) => void): Promise<() => void>;
  /** Calls back when an invitation was clicked somewhere, such as in a mail. */
  onInvited(clicked: () => void): Promise<() => void>;
  /** The invitation that was clicked, once; null when none was. */
  takeInvitation(): Promise<string | null>;
  /** What to fill in. */
  suggestions(): Promise<Suggestions>;
  /** Lets the person choose a folder; null when they changed their mind. */
  chooseFolder(start: string): Promise<string | null>;
  /** The same for a file. */
  chooseFile(start: string): Promise<string | null>;
  /** What a path means as the transfer point of a folder of this name; nothing is changed. */
  lookAtPoint(path: string, name: string): Promise<PointLook>;
  /** Opens a synced folder in the file manager. */
  openFolder(folder: string): Promise<void>;
  /** Tells that the first picture is on the screen. */
  painted(): Promise<void>;
  /** Tells that it is not there yet, and whether the page can be seen; answers whether to say so again. */
  unpainted(visible: boolean): Promise<boolean>;
  /** Closes this window. */
  close(): Promise<void>;
}

/** The shell, or made-up data where the build allows it and the address asks for it (`?mock`). */
export async function connect(): Promise<Backend> {
  if (__MOCK__) {
    const scene = new URLSearchParams(location.search).get("mock");
    if (scene !== null) return (await import("./mock")).mock(scene || "working");
  }
  return (await import("./shell")).shell();
}
