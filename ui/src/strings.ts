// Every word that the windows say. Sentence case, real names and numbers, cause first and then the action.
// What happened and why comes from the engine in whole sentences; here is what stands around it.

import type { AccountState } from "./generated/AccountState";
import type { FolderState } from "./generated/FolderState";
import type { PlaceKind } from "./generated/PlaceKind";
import type { ProblemAction } from "./generated/ProblemAction";
import type { ProblemCode } from "./generated/ProblemCode";
import type { ViewName } from "./backend";
import { count, list } from "./format";
import { pairing } from "./pairing-strings";

const plural = (n: number, one: string, other: string) => `${count(n)} ${n === 1 ? one : other}`;
const files = (n: number) => plural(n, "file", "files");
const wait = (n: number) => (n === 1 ? "waits" : "wait");

const views: Record<ViewName, string> = {
  overview: "Overview",
  folders: "Folders",
  places: "Computers & storage",
  transfers: "Transfers",
  problems: "Problems",
  settings: "Settings",
};

const states: Record<FolderState, string> = {
  upToDate: "Up to date",
  waiting: "Waiting",
  working: "Working",
  paused: "Paused",
  needsYou: "Needs you",
};

const kinds: Record<PlaceKind, string> = {
  git: "Transfer point",
  gitWithContents: "Transfer point",
  storage: "Storage",
  computer: "Computer",
};

const purposes: Record<PlaceKind, string> = {
  git: "carries names and history, runs nothing",
  gitWithContents: "carries changes and files, runs nothing",
  storage: "keeps the contents of files, runs nothing",
  computer: "another computer with this folder",
};

const accountStates: Record<AccountState, string> = {
  off: "Off",
  connecting: "Connecting…",
  online: "Connected",
  needsYou: "Needs you",
};

const actions: Record<ProblemAction, string> = {
  enterPassword: "Enter password…",
  reviewCertificate: "Review certificate…",
  answerDeletions: "Review deletions…",
  tryAgain: "Try again",
  openFolder: "Open folder",
  confirmPlace: "Use this place",
  dismiss: "Dismiss",
};

export const t = {
  name: "Tributary",
  views,
  states,
  kinds,
  purposes,
  accountStates,
  actions,
  pairing,
  files,

  menu: "Menu",
  mainMenu: "Main",
  cancel: "Cancel",
  close: "Close",
  done: "Done",
  back: "Back",
  tryAgain: "Try again",
  choose: "Choose…",
  starting: "Starting…",
  dismiss: "Dismiss",

  unexpectedReply: "Tributary gave an answer of another kind than was asked for.",
  reportThis: "This is a fault of the program. Please report it.",
  noAnswer: (reason: string) => `Tributary did not answer: ${reason}`,
  startAgain: "Close it from the tray and start it again.",

  noAccount: "No account",
  noAccountHint: "Only this network and drives",
  othersOnline: (n: number) => (n === 0 ? "No other computer is on." : n === 1 ? "1 other computer is on." : `${count(n)} other computers are on.`),
  devicesOnline: (n: number) => (n === 0 ? "no other computer on" : `${plural(n, "other computer", "other computers")} on`),

  thisComputer: "this computer",
  picture: (names: string[]) => `This computer and ${list(names)}`,
  onTheirWay: (n: number) => `${files(n)} on ${n === 1 ? "its" : "their"} way here.`,
  toGoOut: (n: number) => `${plural(n, "change", "changes")} on the way out.`,
  lastChange: (when: string) => `Last change ${when}.`,
  changed: (when: string, short = false) => (short ? when : `last change ${when}`),
  pausedUntil: (when: string) => `Paused until ${when}`,
  pausedByYou: "Paused until you resume",
  pausedHint: "Nothing is sent or received. Your changes are kept and go out afterwards.",
  movingNow: "Moving now",
  andMore: (n: number) => `and ${plural(n, "more", "more")}`,
  to: (place: string) => `to ${place}`,
  from: (place: string) => `from ${place}`,
  rate: (size: string) => `${size}/s`,
  timeLeft: (time: string) => `${time} left`,
  alone: "Only here so far",
  aloneHint: "Add a place where files wait when another computer is off.",
  awaySince: (when: string) => `away since ${when}`,
  reached: "reached",
  reachedSince: (when: string) => `reached since ${when}`,
  notReached: "not reached",
  heardThrough: "heard of through the others",

  next: {
    title: "Next: your other computer",
    text: "Start Tributary there, choose “I already use this on another computer”, and name this transfer point:",
    invite: "Invite it, and it gets the folder by a link or a code.",
    either: "Or do without an invitation: start Tributary there, choose “I already use this on another computer”, and name this transfer point:",
  },

  addFolder: "Add a folder…",
  noFolders: "No folder yet",
  noFoldersHint: "Choose a folder to keep the same on your computers.",
  setUp: "Set up a folder",
  openFolder: "Open",
  syncNow: "Sync now",
  pause: "Pause",
  resume: "Resume",
  halfHour: "30 minutes",
  twoHours: "2 hours",
  untilTomorrow: "Until tomorrow",
  untilResumed: "Until I resume",
  addPlace: "Add a place…",
  more: "More",
  removeFolder: "Remove…",
  whoHasIt: "Who has it",
  hasAll: (place: string) => `${place} has everything`,
  hasNames: (place: string) => `${place} has all names`,
  lacks: (place: string, n: number) => `${place} still needs ${files(n)}`,
  awayNow: (place: string) => `${place} is not reached`,
  lacksAway: (place: string, n: number) => `${place} is not reached; ${files(n)} ${wait(n)} for it`,
  facts: {
    files: "Files",
    size: "Size",
    pending: "Waiting to go out",
    arriving: "Arriving",
    onlyElsewhere: "Only elsewhere",
    skipped: "Not synced",
    held: "Deletions held",
    lastChange: "Last change",
  },
  removeFolderTitle: (name: string) => `Stop syncing ${name}?`,
  removeFolderText: "Its files stay here, and everything that others hold stays there. Changes are no longer exchanged.",
  removeFolderGo: "Stop syncing",

  places: {
    none: "No storage or transfer point yet",
    noneHint: "Add a transfer point that your computers can all reach: a drive, a network folder or a server you can log in to. It needs no program of ours.",
    waiting: (n: number) => `${files(n)} ${wait(n)} for it`,
    holds: (has: number, wants: number) => (has >= wants ? `Has all ${files(wants)}` : `Has ${count(has)} of ${files(wants)}`),
    inFolder: (name: string) => `in ${name}`,
    remove: "Remove…",
    test: "Look now",
    removeTitle: (name: string) => `Remove ${name}?`,
    removeText: (name: string) =>
      `This computer no longer sends to ${name} or gets from it. What it holds stays there, and other computers go on using it.`,
    removeGo: "Remove",
    removeOnly: (n: number) => `It is on record as holding ${files(n)}.`,
  },

  addPlaceTitle: (folder: string) => `Where should ${folder} wait for the other computers?`,
  placeKinds: {
    what: "What kind of place",
    gitPath: "A drive or network folder",
    gitPathHint: "All your computers can open it. Names, history and files go there.",
    gitSsh: "A server over SSH",
    gitSshHint: "Any server you can log in to without typing a password.",
    directory: "A storage folder, contents only",
    directoryHint: "Used beside a transfer point that carries only names.",
    nowhere: "Nowhere for now",
    nowhereHint: "Syncing starts once you add a place. You can do that at any time.",
  },
  placeName: "What you call it",
  placePath: "Transfer point on the drive or network folder",
  placePathHint: "A folder on the drive or share, such as /media/ann/stick. The transfer point is made in it.",
  points: {
    found: (path: string) => `A transfer point is there, and is used: ${path}`,
    made: (path: string) => `It is made there: ${path}`,
    missing: "That folder is not there. Is the drive plugged in?",
    which: "Which of these is it?",
    none: "No transfer point is there. Set the folder up on the other computer first.",
  },
  placeUrl: "Address, such as ann@server.example:sync.git",
  storagePath: "Folder for the contents",
  keepContents: "Keep the files themselves there too",
  keepContentsHint: "Without this it carries only names and history.",
  sshContents: "The git repository must be there already. It keeps files too where git-annex has been set up in it.",
  unencrypted: "Files lie there as they are: whoever can read that folder can read them.",
  adding: "Trying the place…",
  addGo: "Add",
  needName: "Give it a name of letters, digits, - or _.",
  needPath: "Say where it is: a path that starts with /.",
  needUrl: "Say where it is, such as ann@server.example:sync.git.",
  needFolder: "Choose a folder: a path that starts with /.",
  needJid: "An address looks like ann@example.org.",
  needPassword: "Type the account's password.",

  firstRun: {
    title: "Keep a folder the same on your computers",
    intro: "They meet at a place of yours that each can reach: a drive, a share, a server. Nothing of ours runs in the middle.",
    step: (n: number) => `Step ${n} of 2`,
    folder: "Folder",
    how: "New, or known elsewhere",
    startNew: "Start new",
    startNewHint: "Makes the folder, or takes in what is there. An existing git-annex folder is used as it is.",
    join: "I already use this on another computer",
    joinHint: "Gets the folder from the place where that computer leaves its changes.",
    joinUrl: "Transfer point that both reach",
    joinUrlHint: "A folder such as /media/ann/stick, or ann@server.example:sync.git",
    tell: "How do your computers hear of changes?",
    withAccount: "With an XMPP account",
    withAccountHint: "At once, from anywhere. Any account will do; it carries no files.",
    withoutAccount: "Only this network and drives",
    withoutAccountHint: "Places are looked at every now and then. You can add an account later.",
    later: "Later",
    amount: (n: number, size: string) => `${files(n)}, ${size}, will go there.`,
    go: "Continue",
    working: "Preparing the folder…",
    placeTitle: "Where should files wait when the other computer is off?",
    placeIntro: "A place that your computers can all reach. It needs no program of ours.",
    finish: "Start",
  },

  account: {
    title: "Account",
    intro: "Any XMPP account. It tells your computers when to look; files never go through it.",
    address: "Address",
    password: "Password",
    passwordKept: "The kept password is used when this is empty.",
    advanced: "Server and certificate",
    server: "Server, when it is not found by name (host:port)",
    caFile: "File with the only certificate authority to trust (PEM)",
    keepInFile: "Keep the password in a file only you can read",
    keepInFileHint: "For computers without a keyring. Anyone who can read your files could read it.",
    connect: "Connect",
    testing: "Testing each step…",
    logOut: "Log out",
    change: "Change…",
    set: "Set up an account…",
    trust: "Trust this certificate",
    fingerprint: "SHA-256 of the certificate",
    fingerprintHint: "Trust it only if the server's owner gave you the same number.",
    steps: "Login steps",
    held: "done",
    failed: "failed",
    notTried: "not tried",
  },

  transfers: {
    none: "Nothing is moving",
    noneHint: "Files appear here while they travel.",
    waitingTitle: "Waiting",
    waitingFor: (n: number, place: string) => `${files(n)} ${wait(n)} for ${place}`,
    arriving: (n: number) => `${files(n)} will arrive; the old version stays until then`,
    up: "Sending",
    down: "Receiving",
    total: (n: number) => `${files(n)} on the way`,
  },

  /** Where the window has a button, what to do is said without the command line. */
  hints: {
    ...pairing.hints,
    deletionsHeld: "Put them back here, or delete them everywhere. Nothing is deleted elsewhere until you say so.",
  } as Partial<Record<ProblemCode, string>>,

  problems: {
    none: "No problems",
    noneHint: "When something needs you, it is said here, once, with what to do.",
    since: (when: string) => `Since ${when}`,
    inFolder: (name: string) => `in ${name}`,
    heals: "Heals by itself",
    needsYou: "Needs you",
    forYouToKnow: "For you to know",
  },

  held: {
    title: (n: number, folder: string) => `${files(n)} ${n === 1 ? "was" : "were"} deleted in ${folder}`,
    text: "They are still everywhere else. Were they meant to go?",
    restore: "Restore here",
    delete: "Delete everywhere",
    more: (n: number) => `and ${count(n)} more`,
    loading: "Looking up the files…",
  },

  settings: {
    general: "General",
    startAtLogin: "Start when I log in",
    computerName: "This computer's name",
    computerNameHint: "How others see it in folders you add from now on.",
    notifications: "Notifications",
    firstSync: "A first sync is complete",
    changesArrived: "Changes of others arrived",
    changesArrivedHint: "One for each folder, with a count",
    needsYou: "Something needs me",
    conflicts: "Both sides changed the same file",
    advanced: "Advanced",
    advancedHint: "Every folder is a git-annex repository. These are git-annex's own words for it.",
    uuid: "annex.uuid",
    remotes: "Remotes",
    contents: "contents",
    namesOnly: "names only",
    unconfirmed: "not confirmed",
    noRemotes: "No remotes.",
    doctor: "Check this machine",
    doctorHint: "What is installed and what is missing, without secrets, for a bug report.",
    complete: "Everything that is needed is here.",
    incomplete: "Something that is needed is missing.",
    save: "Save",
    version: (v: string) => `Tributary ${v}`,
  },
};
