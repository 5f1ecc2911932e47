// Made-up pairing: paired computers, invitations and offers of a made-up engine.

import type { Command } from "../generated/Command";
import type { FolderStatus } from "../generated/FolderStatus";
import type { Invitation } from "../generated/Invitation";
import type { Offer } from "../generated/Offer";
import type { PeerStatus } from "../generated/PeerStatus";
import type { Reply } from "../generated/Reply";
import type { Snapshot } from "../generated/Snapshot";

const HOUR = 3_600_000;
const at = (ms: number) => new Date(Date.now() + ms).toISOString();
const done = (sentence: string): Reply => ({ type: "done", sentence });

/** A paired computer that has these folders. */
export function peer(name: string, account: string, part: Partial<PeerStatus>): PeerStatus {
  return {
    id: "5a3f09c1d2e4b6a798c0ffee12345678",
    words: "apple-river-stone-lamp guitar-tonic-maple-orbit",
    peer: { name, account },
    own: false,
    online: true,
    presenceSince: at(-3 * HOUR),
    connected: true,
    since: at(-50 * HOUR),
    folders: [],
    ...part,
  };
}

/** Makes the other computer of the made-up folders a paired one, and adds a friend and an open invitation. */
export function paired(snapshot: Snapshot): void {
  const [sync, trip] = snapshot.folders as [FolderStatus, FolderStatus];
  const shared = (folder: FolderStatus) => {
    const place = folder.places.find((known) => known.kind === "computer");
    return { folder: folder.path, repository: place?.uuid, theyOnlyRead: false, weOnlyRead: false };
  };
  const ben = "c0ffee00-6d1c-4c5c-9a3e-2f4a9b1d0055";
  trip.places.push({ name: "ben-s-laptop", kind: "git", url: `xmpp::ben@example.org/${ben}`, reachable: true, has: 0, wants: 0, waiting: 0 });
  trip.places.push({ name: "ben laptop", uuid: ben, kind: "computer", url: "", reachable: false, has: 798, wants: 812, waiting: 14 });
  snapshot.peers = [
    peer("desktop", "ann@example.org", { own: true, online: false, folders: [shared(sync), shared(trip)] }),
    peer("Ben’s laptop", "ben@example.org", {
      id: "0123456789abcdef0123456789abcdef",
      folders: [{ folder: trip.path, repository: ben, theyOnlyRead: true, weOnlyRead: false }],
    }),
  ];
  snapshot.pairings = [
    { id: "0badcafe", inviting: true, stage: "asksYou", sentence: "Cleo’s phone (cleo@example.org) asks to join Trip.", since: at(-HOUR), folder: trip.path, name: "Trip", peer: { name: "Cleo’s phone", account: "cleo@example.org" }, readOnly: false },
  ];
  snapshot.state = "needsYou";
  snapshot.sentence = "Cleo’s phone (cleo@example.org) asks to join Trip.";
  snapshot.problems = [
    { code: "peerAsks", sentence: "Cleo’s phone (cleo@example.org) asks to join Trip.", hint: "Say `trib accept`.", since: at(-HOUR), needsYou: true, subject: "0badcafe" },
  ];
}

/** Adds what a person only has to know: somebody left, and a conflict. */
export function told(snapshot: Snapshot): void {
  const [sync, trip] = snapshot.folders as [FolderStatus, FolderStatus];
  snapshot.problems = [
    { code: "peerLeft", sentence: "Dan’s laptop (dan@example.org) does not share Sync with this computer any more.", hint: "What is here stays. If it was not meant so, ask there for a new invitation.", since: at(-2 * HOUR), needsYou: false, subject: sync.path, action: "dismiss" },
  ];
  trip.problems = [
    { code: "conflictKept", sentence: "Day 1/report.odt was changed on two computers at once. The versions are kept as Day 1/report.variant-16e4.odt and Day 1/report.variant-5d43.odt.", hint: "Nothing is lost. Delete the version that you do not want, or give it a name of its own.", since: at(-3 * HOUR), needsYou: false, subject: "conflicts", action: "openFolder" },
  ];
}

/** What the made-up inviter offers. */
export const offer: Offer = {
  id: "feedface",
  from: { name: "Ben’s laptop", account: "ben@example.org" },
  name: "Trip",
  folder: "/home/ann/Trip to Rome",
  readOnly: false,
  places: [
    { name: "server", url: "ben@server.example:trip.git", local: false },
    { name: "stick", url: "/media/ben/stick/Trip.git", local: true },
  ],
};

let made = 0;

function invitation(): Invitation {
  made += 1;
  return {
    id: `invite${made}`,
    link: `tributary:join/1/ann%40example.org%2Ftributary.7c/0102030400000000ffee${made}`,
    linkExpires: at(7 * 24 * HOUR),
    code: `${made}-guitar-tonic`,
    codeExpires: at(HOUR / 6),
  };
}

/** Answers what is about pairing. */
export function answerPairing(snapshot: Snapshot, command: Command): Reply | undefined {
  const end = (id: string) => {
    snapshot.pairings = snapshot.pairings.filter((known) => known.id !== id);
    snapshot.problems = snapshot.problems.filter((known) => known.subject !== id);
  };
  switch (command.type) {
    case "invite": {
      const { id, ...rest } = invitation();
      const name = command.folder.split("/").at(-1) ?? "";
      snapshot.problems = snapshot.problems.filter((known) => known.code !== "pairingFailed");
      snapshot.pairings.push({ id, inviting: true, stage: "waiting", sentence: `Waiting for somebody to join ${name}.`, since: at(0), folder: command.folder, name, peer: null, readOnly: command.readOnly });
      return { type: "invited", invitation: { id, ...rest } };
    }
    case "join":
      if (command.invitation.includes("wrong")) {
        return { type: "failed", failure: { code: "pairingFailed", sentence: "The code is wrong.", hint: "Ask there for a new invitation. Nothing was set up, here or there." } };
      }
      snapshot.pairings.push({ id: offer.id, inviting: false, stage: "asksYou", sentence: "Ben’s laptop offers Trip.", since: at(0), folder: offer.folder, name: offer.name, peer: offer.from, readOnly: offer.readOnly });
      return { type: "offered", offer };
    case "answerPairing":
      end(command.pairing);
      return done(command.yes ? `Trip of Ben’s laptop (ben@example.org) is at ${command.folder ?? offer.folder}.` : "Nothing was set up, here or there.");
    case "cancelPairing":
      end(command.pairing);
      return done("The invitation is withdrawn.");
    case "unpair":
      snapshot.peers = snapshot.peers.filter((known) => known.id !== command.peer);
      return done("It is not paired any more.");
    default:
      return undefined;
  }
}
