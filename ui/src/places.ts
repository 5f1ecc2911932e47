// The places of all folders, each once: what the picture and the cards show. Folders that share a transfer point
// name it by the same UUID or the same address.

import type { FolderStatus } from "./generated/FolderStatus";
import type { PlaceKind } from "./generated/PlaceKind";
import type { PlaceStatus } from "./generated/PlaceStatus";
import { placeOf } from "./speed";

export interface Place {
  /** What makes it the same place in two folders. */
  id: string;
  name: string;
  kind: PlaceKind;
  url: string;
  reachable: boolean;
  since?: string;
  /** The folders in which it is known, with what each says of it. */
  uses: { folder: FolderStatus; status: PlaceStatus }[];
}

/** The places, each once; `byName` takes those that a person calls by one name as one, as the picture does. */
export function placesOf(folders: FolderStatus[], byName = false): Place[] {
  const places = new Map<string, Place>();
  for (const folder of folders) {
    for (const status of folder.places) {
      // A computer has a UUID for each folder, so its name is what a person knows it by.
      const computer = status.kind === "computer";
      const id = computer || byName ? `${computer} ${status.name}` : status.url || status.uuid || status.name;
      const known = places.get(id);
      if (known) {
        known.uses.push({ folder, status });
        known.reachable ||= status.reachable;
        // What carries files in one folder is shown as such.
        if (known.kind === "git") known.kind = status.kind;
      } else {
        const { name, kind, url, reachable, since } = status;
        places.set(id, { id, name, kind, url, reachable, since, uses: [{ folder, status }] });
      }
    }
  }
  return [...places.values()];
}

/** What a transfer point is called until a person calls it something else: its drive, share or server. */
export function nameOf(url: string, otherwise: string): string {
  const server = /^(?:ssh:\/\/)?(?:[^@/]+@)?([^/:]+)[:/]/.exec(url)?.[1];
  const parts = url.split("/").filter(Boolean);
  const from = !url.startsWith("/") ? server?.split(".")[0] : parts.at(parts.at(-1)?.endsWith(".git") ? -2 : -1);
  // As places may be named; the engine has the last word.
  const name = (from ?? "").replace(/[^\p{L}\p{N}_.-]+/gu, "-").replace(/^[-.]+|[-.]+$/g, "").slice(0, 40);
  return name || otherwise;
}

/** Bytes a second to and from a place, all folders together. */
export const speedOf = (place: Place, speeds: Record<string, number>): number =>
  place.uses.reduce((sum, use) => sum + (speeds[placeOf(use.folder.path, use.status.name)] ?? 0), 0);

/** Whether anything moves to or from a place now. */
export const isMoving = (place: Place): boolean =>
  place.uses.some((use) => use.folder.transfers.some((x) => x.place === use.status.name));

/** Files that wait to go there, all folders together. */
export const waitingFor = (place: Place): number => place.uses.reduce((sum, use) => sum + use.status.waiting, 0);
