// The places of all folders, each once: what the picture and the cards show. Folders that share a transfer point
// name it by the same UUID or the same address. A paired computer is one place, although git knows it as a remote and
// git-annex as a repository.

import type { FolderStatus } from "./generated/FolderStatus";
import type { PlaceKind } from "./generated/PlaceKind";
import type { PeerStatus } from "./generated/PeerStatus";
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
  /** The paired computer that it is. */
  peer?: PeerStatus;
  /** The folders in which it is known, with what each says of it. */
  uses: { folder: FolderStatus; status: PlaceStatus }[];
}

/** Whether git reaches a place through the account, which only paired computers are reached by. */
export const isPeerAddress = (url: string) => url.startsWith("xmpp:");

/** The paired computer that a place of a folder is. */
export function peerOf(folder: FolderStatus, place: PlaceStatus, peers: PeerStatus[]): PeerStatus | undefined {
  if (place.kind !== "computer" && !isPeerAddress(place.url)) return undefined;
  return peers.find((peer) =>
    peer.folders.some(
      ({ folder: path, repository }) =>
        path === folder.path && repository !== undefined && (place.uuid === repository || place.url.endsWith(`/${repository}`)),
    ),
  );
}

/** A place as one folder knows it. */
export interface Use {
  /** Tells it from the folder's other places; two may have one name. */
  id: string;
  status: PlaceStatus;
  peer?: PeerStatus;
}

/** The places of a folder as people count them: a paired computer once, by the name that it has itself. */
export function placesIn(folder: FolderStatus, peers: PeerStatus[]): Use[] {
  const found: Use[] = [];
  for (const status of folder.places) {
    const peer = peerOf(folder, status, peers);
    if (!peer) {
      // A remote of somebody who is paired no more, or not heard of yet, is nothing that a person knows.
      if (!isPeerAddress(status.url)) found.push({ id: `${status.uuid} ${status.url} ${status.name}`, status });
      continue;
    }
    const known = found.find((other) => other.peer?.id === peer.id);
    const shown: PlaceStatus = { ...status, kind: "computer", name: peer.peer.name, url: "", reachable: peer.online };
    if (!known) found.push({ id: peer.id, status: shown, peer });
    // What git-annex knows of it says what it has.
    else if (status.kind === "computer") known.status = shown;
  }
  return found;
}

/** The places, each once; `byName` takes those that a person calls by one name as one, as the picture does. */
export function placesOf(folders: FolderStatus[], peers: PeerStatus[], byName = false): Place[] {
  const places = new Map<string, Place>();
  for (const folder of folders) {
    for (const { status, peer } of placesIn(folder, peers)) {
      // A computer that is not paired has a UUID for each folder, so its name is what a person knows it by.
      const computer = status.kind === "computer";
      const id = peer?.id ?? (computer || byName ? `${computer} ${status.name}` : status.url || status.uuid || status.name);
      const known = places.get(id);
      if (known) {
        known.uses.push({ folder, status });
        known.reachable ||= status.reachable;
        // What carries files in one folder is shown as such.
        if (known.kind === "git") known.kind = status.kind;
      } else {
        const { name, kind, url, reachable, since } = status;
        places.set(id, { id, name, kind, url, reachable, since, peer, uses: [{ folder, status }] });
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
