// How fast bytes move, by place: what a window may work out from two snapshots of the same transfers.

import type { FolderStatus } from "./generated/FolderStatus";

/** Older samples say nothing about now. */
const WINDOW_MS = 4_000;

interface Sample {
  at: number;
  bytes: number;
}

/** The name under which a transfer's place is counted. */
export const placeOf = (folder: string, place: string) => `${folder}\n${place}`;

export class Speedometer {
  private readonly samples = new Map<string, Sample[]>();

  /** Takes the transfers of this moment and returns bytes a second by `placeOf`. */
  read(folders: FolderStatus[], now: number): Record<string, number> {
    const speeds: Record<string, number> = {};
    const seen = new Set<string>();
    for (const folder of folders) {
      for (const moving of folder.transfers) {
        const id = `${folder.path}\n${moving.place}\n${moving.direction}\n${moving.file}`;
        seen.add(id);
        const kept = (this.samples.get(id) ?? []).filter((s) => now - s.at <= WINDOW_MS && s.bytes <= moving.bytesDone);
        if (kept.at(-1)?.bytes !== moving.bytesDone) kept.push({ at: now, bytes: moving.bytesDone });
        this.samples.set(id, kept);
        const first = kept[0];
        if (!first || now - first.at < 400) continue;
        const place = placeOf(folder.path, moving.place);
        speeds[place] = (speeds[place] ?? 0) + ((moving.bytesDone - first.bytes) * 1000) / (now - first.at);
      }
    }
    for (const id of this.samples.keys()) if (!seen.has(id)) this.samples.delete(id);
    return speeds;
  }
}
