// Made-up data for a plain browser and for tests, never in what ships. `?mock=SCENE` names the state to show; the
// wishes that change what is seen are carried out on the made-up snapshot, and the rest is answered as the engine
// would answer it.

import type { Command } from "../generated/Command";
import type { FolderStatus } from "../generated/FolderStatus";
import type { LoginForm } from "../generated/LoginForm";
import type { LoginReport } from "../generated/LoginReport";
import type { NumberedEvent } from "../generated/NumberedEvent";
import type { Reply } from "../generated/Reply";
import type { Snapshot } from "../generated/Snapshot";
import type { Backend, ViewName } from ".";
import { answerPairing, paired, told } from "./mock-pairing";

export type Scene = "upToDate" | "waiting" | "working" | "paused" | "needsYou" | "paired" | "told" | "firstRun";

const MINUTE = 60_000;
const before = (ms: number) => new Date(Date.now() - ms).toISOString();

function sync(): FolderStatus {
  return {
    path: "/home/ann/Sync",
    uuid: "c0ffee00-6d1c-4c5c-9a3e-2f4a9b1d0001",
    state: "upToDate",
    sentence: "Up to date",
    files: 3400,
    bytes: 1_900_000_000,
    pending: 0,
    arriving: 0,
    onlyElsewhere: 0,
    skipped: 0,
    held: 0,
    lastChange: before(2 * MINUTE),
    places: [
      { name: "Home-server", uuid: "c0ffee00-6d1c-4c5c-9a3e-2f4a9b1d0002", kind: "gitWithContents", url: "/mnt/server/sync.git", reachable: true, since: before(300 * MINUTE), has: 3400, wants: 3400, waiting: 0 },
      { name: "desktop", uuid: "c0ffee00-6d1c-4c5c-9a3e-2f4a9b1d0003", kind: "computer", url: "", reachable: false, since: before(2 * MINUTE), has: 3400, wants: 3400, waiting: 0 },
    ],
    transfers: [],
    problems: [],
  };
}

function trip(): FolderStatus {
  return {
    path: "/home/ann/Trip",
    uuid: "c0ffee00-6d1c-4c5c-9a3e-2f4a9b1d0011",
    state: "upToDate",
    sentence: "Up to date",
    files: 812,
    bytes: 4_100_000_000,
    pending: 0,
    arriving: 0,
    onlyElsewhere: 0,
    skipped: 0,
    held: 0,
    lastChange: before(31 * MINUTE),
    places: [
      { name: "Home-server", uuid: "c0ffee00-6d1c-4c5c-9a3e-2f4a9b1d0012", kind: "git", url: "ann@server.example:trip.git", reachable: true, since: before(300 * MINUTE), has: 0, wants: 0, waiting: 0 },
      { name: "Archive", uuid: "c0ffee00-6d1c-4c5c-9a3e-2f4a9b1d0013", kind: "storage", url: "/mnt/archive/trip", reachable: true, since: before(90 * MINUTE), has: 812, wants: 812, waiting: 0 },
      { name: "desktop", uuid: "c0ffee00-6d1c-4c5c-9a3e-2f4a9b1d0014", kind: "computer", url: "", reachable: false, since: before(31 * MINUTE), has: 812, wants: 812, waiting: 0 },
    ],
    transfers: [],
    problems: [],
  };
}

/** The snapshot of a scene. */
export function scene(name: Scene): Snapshot {
  const base: Snapshot = {
    version: "0.1.0",
    event: 0,
    state: "upToDate",
    sentence: "All 4,212 files are on desktop and on Home-server.",
    account: { jid: "ann@example.org", state: "online", sentence: "Connected.", devicesOnline: 1 },
    folders: [sync(), trip()],
    pairings: [],
    peers: [],
    problems: [],
    settings: {
      startAtLogin: true,
      notifications: { firstSync: true, changesArrived: true, needsYou: true, conflicts: true },
      keyring: "system",
      computerName: "laptop",
    },
  };
  const [a, b] = base.folders as [FolderStatus, FolderStatus];
  const archive = b.places[1];
  const server = a.places[0];
  if (!archive || !server) throw new Error("the made-up folders have these places");
  switch (name) {
    case "firstRun":
      return { ...base, account: null, folders: [], sentence: "No folder is set up yet." };
    case "upToDate":
      return base;
    case "paired":
      paired(base);
      return base;
    case "told":
      told(base);
      return base;
    case "working":
      Object.assign(b, { state: "working", sentence: "Sending 3 of 812 files", pending: 3, arriving: 1 });
      Object.assign(archive, { has: 809, waiting: 3 });
      b.transfers = [
        { file: "Day 2/IMG_2041.mov", place: "Archive", direction: "upload", bytesDone: 61_000_000, bytesTotal: 84_000_000 },
        { file: "Day 2/IMG_2042.jpg", place: "Archive", direction: "upload", bytesDone: 1_200_000, bytesTotal: 5_600_000 },
        { file: "Map of the whole journey with every stop on it.pdf", place: "Archive", direction: "download", bytesDone: 900_000 },
      ];
      return { ...base, state: "working", sentence: "4,209 of 4,212 files are on desktop and on Home-server." };
    case "waiting":
      Object.assign(b, { state: "waiting", sentence: "14 files wait for Archive, away since 18:20", pending: 14 });
      Object.assign(archive, { reachable: false, since: before(200 * MINUTE), has: 798, waiting: 14 });
      b.problems = [
        { code: "placeUnreachable", sentence: "Archive does not answer.", hint: "14 files wait here. It is tried again by itself.", since: before(200 * MINUTE), needsYou: false, subject: "Archive", action: "tryAgain" },
      ];
      return { ...base, state: "waiting", sentence: "14 files wait for Archive, everything else is in its place." };
    case "paused":
      for (const folder of base.folders) {
        Object.assign(folder, { state: "paused", sentence: "Paused", pausedUntil: new Date(Date.now() + 90 * MINUTE).toISOString() });
      }
      a.pending = 2;
      return { ...base, state: "paused", sentence: "Paused. 2 changes wait here." };
    case "needsYou":
      Object.assign(a, { state: "needsYou", sentence: "212 deletions wait for your answer", held: 212 });
      a.problems = [
        { code: "deletionsHeld", sentence: "212 of 3,400 files were deleted in Sync at once.", hint: "Nothing is deleted elsewhere until you say so.", since: before(12 * MINUTE), needsYou: true, subject: "Sync", action: "answerDeletions" },
      ];
      b.problems = [
        { code: "diskFull", sentence: "Trip needs 12 GB, this computer has 0.9 GB free.", hint: "37 files wait. Sending to the others goes on.", since: before(50 * MINUTE), needsYou: true, subject: "/home", action: "openFolder" },
      ];
      return {
        ...base,
        state: "needsYou",
        sentence: "Sync waits for your answer: 212 files were deleted at once.",
        account: { jid: "ann@example.org", state: "needsYou", sentence: "example.org does not accept the password.", devicesOnline: 0 },
        problems: [
          { code: "passwordRefused", sentence: "example.org does not accept the password of ann@example.org.", hint: "Files still travel; changes of others are found by looking every few minutes.", since: before(40 * MINUTE), needsYou: true, subject: "ann@example.org", action: "enterPassword" },
        ],
      };
  }
}

function loginReport(form: LoginForm): LoginReport {
  const refused = form.password.type === "typed" && form.password.password === "wrong";
  const step = (label: string, failed = false) => ({ label, outcome: failed ? ("failed" as const) : ("held" as const), detail: "" });
  const domain = form.jid.split("@")[1] ?? "";
  return {
    steps: [
      step("Server found"),
      step("Connected"),
      step("Certificate"),
      refused ? step("Password refused", true) : step("Password"),
      refused ? { label: "Features", outcome: "notTried", detail: "" } : step("Features"),
    ],
    done: !refused,
    sentence: refused ? `${domain} answered, and does not accept this password. Nothing else is wrong.` : `Connected to ${domain}.`,
    hint: refused ? "Check it and try again." : "",
    fingerprint: null,
  };
}

/** What was asked of the made-up engine, for tests. */
export interface MockBackend extends Backend {
  snapshot: Snapshot;
  asked: Command[];
  /** Makes an event of the engine. */
  emit(event: NumberedEvent["event"]): void;
  /** The shell asks for a view. */
  show(view: ViewName): void;
  /** Somebody clicks an invitation. */
  click(link: string): void;
}

export function mock(name: string): MockBackend {
  const heard = new Set<(event: NumberedEvent) => void>();
  const views = new Set<(view: ViewName) => void>();
  const invited = new Set<() => void>();
  let clicked: string | null = null;
  const backend: MockBackend = {
    snapshot: scene(name as Scene),
    asked: [],
    emit(event) {
      backend.snapshot.event += 1;
      for (const callback of heard) callback({ number: backend.snapshot.event, event });
    },
    show: (view) => views.forEach((callback) => callback(view)),
    click(link) {
      clicked = link;
      invited.forEach((callback) => callback());
    },
    async send(command) {
      backend.asked.push(command);
      return structuredClone(answer(backend, command));
    },
    async listen(callback) {
      heard.add(callback);
      return () => heard.delete(callback);
    },
    async onView(callback) {
      views.add(callback);
      return () => views.delete(callback);
    },
    async onInvited(callback) {
      invited.add(callback);
      return () => invited.delete(callback);
    },
    async takeInvitation() {
      const link = clicked;
      clicked = null;
      return link;
    },
    suggestions: async () => ({ home: "/home/ann", folder: "/home/ann/Sync", computer: "laptop" }),
    chooseFolder: async () => "/media/ann/stick",
    chooseFile: async () => "/home/ann/ca.pem",
    lookAtPoint: async (path, name) => {
      if (path.includes("missing")) return { kind: "missing", path, others: [] };
      if (path.endsWith(".git")) return { kind: "found", path, others: [] };
      return { kind: "new", path: `${path}/${name}.git`, others: [] };
    },
    openFolder: async () => {},
    painted: async () => {},
    unpainted: async () => false,
    close: async () => {},
  };
  return backend;
}

function answer(backend: MockBackend, command: Command): Reply {
  const { snapshot } = backend;
  const done = (sentence: string): Reply => ({ type: "done", sentence });
  const inFolder = (folder: string | null) => snapshot.folders.filter((f) => folder === null || f.path === folder);
  switch (command.type) {
    case "status":
      return { type: "status", snapshot };
    case "addFolder":
    case "cloneFolder":
      snapshot.folders.push({ ...sync(), path: command.folder, places: [], files: 0, bytes: 0 });
      snapshot.sentence = "0 files, only here so far.";
      return done(`${command.folder} is kept in sync from now on.`);
    case "removeFolder":
      snapshot.folders = snapshot.folders.filter((f) => f.path !== command.folder);
      return done(`${command.folder} is no longer synced. Its files stay.`);
    case "addGitRemote":
      if (command.url.includes("missing")) {
        return { type: "failed", failure: { code: "placeUnreachable", sentence: `${command.url} is not there.`, hint: "Check the path, or plug in the drive." } };
      }
      inFolder(command.folder)[0]?.places.push({ name: command.name, kind: command.contents ? "gitWithContents" : "git", url: command.url, reachable: true, has: 0, wants: 0, waiting: 0 });
      return done(`${command.name} is used from now on.`);
    case "pause":
      for (const folder of inFolder(command.folder)) {
        folder.state = "paused";
        folder.pausedUntil = command.length.type === "seconds" ? new Date(Date.now() + command.length.seconds * 1000).toISOString() : "";
      }
      return done("Paused.");
    case "resume":
      for (const folder of inFolder(command.folder)) {
        folder.state = "upToDate";
        delete folder.pausedUntil;
      }
      return done("Going on.");
    case "login": {
      const report = loginReport(command);
      if (report.done) snapshot.account = { jid: command.jid, state: "online", sentence: "Connected.", devicesOnline: 0 };
      return { type: "login", report };
    }
    case "logout":
      snapshot.account = null;
      return done("Logged out.");
    case "dismiss":
      snapshot.problems = snapshot.problems.filter((known) => known.code !== command.code || known.subject !== command.subject);
      return done("It is shown no more.");
    case "setSettings":
      snapshot.settings = command.settings;
      return done("Saved.");
    case "held":
      if (command.answer === null) {
        return { type: "held", held: { count: 212, reason: "More than a twentieth of the folder went at once.", files: ["Letters/2019.odt", "Letters/2020.odt", "Photos/old/0001.jpg"] } };
      }
      for (const folder of inFolder(command.folder)) Object.assign(folder, { held: 0, problems: [], state: "upToDate" });
      return done(command.answer === "restore" ? "212 files are back." : "212 files are deleted everywhere.");
    case "listRemotes":
      return {
        type: "remotes",
        remotes: inFolder(command.folder).flatMap((f) =>
          f.places.filter((p) => p.kind !== "computer").map((p) => ({ name: p.name, kind: p.kind === "storage" ? "directory" : "git", url: p.url, uuid: p.uuid ?? null, contents: p.kind !== "git", confirmed: true })),
        ),
      };
    case "doctor":
      return { type: "doctor", complete: true, lines: ["git 2.47.3", "git-annex 10.20261026", "keyring: Secret Service answers"] };
    default:
      return answerPairing(snapshot, command) ?? done("Done.");
  }
}
