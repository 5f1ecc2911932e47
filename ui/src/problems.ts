// All problems of a snapshot, those that need a person first.

import type { Problem } from "./generated/Problem";
import type { Snapshot } from "./generated/Snapshot";

export interface Located {
  /** The folder it belongs to; null for the account and the machine. */
  folder: string | null;
  problem: Problem;
}

export function allProblems(snapshot: Snapshot): Located[] {
  const all: Located[] = snapshot.problems.map((problem) => ({ folder: null, problem }));
  for (const folder of snapshot.folders) {
    for (const problem of folder.problems) all.push({ folder: folder.path, problem });
  }
  return all.sort((a, b) => Number(b.problem.needsYou) - Number(a.problem.needsYou));
}
