// What the window knows: the newest snapshot, kept fresh by events, and nothing that the engine did not say.
//
// Progress events are written into the snapshot at once; any other event, and any gap in the numbers, asks for a
// new snapshot, at most every REFRESH_MS. The engine therefore never waits for a window.

import { Api, type Outcome } from "./api";
import { VIEWS, type Backend, type Suggestions, type ViewName } from "./backend";
import type { Failure } from "./generated/Failure";
import type { NumberedEvent } from "./generated/NumberedEvent";
import type { Snapshot } from "./generated/Snapshot";
import type { TransferStatus } from "./generated/TransferStatus";
import { Speedometer } from "./speed";

/** Shortest time between two snapshots, so that a storm of events costs four a second. */
const REFRESH_MS = 250;
/** How often relative times are written anew. */
const CLOCK_MS = 20_000;
/** How often the live region speaks at most, so that a screen reader is not talked over. */
const SPEAK_MS = 10_000;

export class Live {
  snapshot = $state<Snapshot | null>(null);
  failure = $state<Failure | null>(null);
  suggestions = $state<Suggestions>({ home: "", folder: "", computer: "" });
  view = $state<ViewName>(VIEWS.find((view) => location.hash === `#${view}`) ?? "overview");
  /** An invitation that was clicked somewhere and that no form has taken up yet. */
  clicked = $state<string | null>(null);
  /** Now, for relative times. */
  now = $state(Date.now());
  /** What the live region says. */
  spoken = $state("");
  /** The result of the last wish, shown until the next one. */
  notice = $state<{ text: string; fault: boolean } | null>(null);
  /** Bytes a second by place, of what moves now. */
  speeds = $state<Record<string, number>>({});

  readonly api: Api;
  private refreshing = false;
  private again = false;
  private lastRefresh = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private speakTimer: ReturnType<typeof setTimeout> | undefined;
  private lastSpoken = 0;
  private clock: ReturnType<typeof setInterval> | undefined;
  private ends: (() => void)[] = [];
  private waiting: ((snapshot: Snapshot) => void)[] = [];
  private readonly speedometer = new Speedometer();

  constructor(readonly backend: Backend) {
    this.api = new Api(backend);
  }

  /** Listens first and asks then, so that nothing falls between the two. */
  async start(): Promise<void> {
    this.ends.push(await this.backend.listen((event) => this.hear(event)));
    this.ends.push(await this.backend.onView((view) => (this.view = view)));
    this.ends.push(await this.backend.onInvited(() => void this.takeInvitation()));
    this.clock = setInterval(() => (this.now = Date.now()), CLOCK_MS);
    this.suggestions = await this.backend.suggestions();
    await this.refresh();
    // One that was clicked before there was a window.
    await this.takeInvitation();
  }

  stop(): void {
    for (const end of this.ends.splice(0)) end();
    clearInterval(this.clock);
    clearTimeout(this.timer);
    clearTimeout(this.speakTimer);
  }

  /** Does a wish and says what came of it in the one place for it; quietly where the window shows it anyway. */
  async wish<T>(asked: Promise<Outcome<T>>, quietly = false): Promise<Outcome<T>> {
    const outcome = await asked;
    if (!outcome.ok) this.notice = { text: `${outcome.failure.sentence} ${outcome.failure.hint}`, fault: true };
    else this.notice = null;
    if (outcome.ok && !quietly && typeof outcome.value === "string") this.notice = { text: outcome.value, fault: false };
    await this.refresh();
    return outcome;
  }

  /** Waits until the snapshot is so, and says whether it came to that in time. */
  until(holds: (snapshot: Snapshot) => boolean, limitMs = Infinity): Promise<boolean> {
    return new Promise((done) => {
      const look = (snapshot: Snapshot) => {
        if (holds(snapshot)) end(true);
      };
      const end = (held: boolean) => {
        clearTimeout(timer);
        this.waiting = this.waiting.filter((other) => other !== look);
        done(held);
      };
      const timer = limitMs === Infinity ? undefined : setTimeout(() => end(false), limitMs);
      this.waiting.push(look);
      if (this.snapshot) look(this.snapshot);
    });
  }

  async refresh(): Promise<void> {
    if (this.refreshing) {
      this.again = true;
      return;
    }
    this.refreshing = true;
    try {
      do {
        this.again = false;
        const outcome = await this.api.status();
        this.lastRefresh = Date.now();
        this.now = this.lastRefresh;
        if (outcome.ok) {
          this.snapshot = outcome.value;
          this.failure = null;
          this.speak(outcome.value.sentence);
          for (const look of this.waiting) look(outcome.value);
        } else {
          this.failure = outcome.failure;
        }
      } while (this.again);
    } finally {
      this.refreshing = false;
    }
    this.measure();
  }

  private async takeInvitation(): Promise<void> {
    this.clicked = (await this.backend.takeInvitation()) ?? this.clicked;
  }

  private hear({ number, event }: NumberedEvent): void {
    const known = this.snapshot;
    if (!known || number <= known.event) {
      if (!known) this.soon();
      return;
    }
    const gap = number !== known.event + 1;
    known.event = number;
    if (event.type === "transferAdvanced" && !gap) {
      const moving = this.transfer(event.folder, event);
      if (moving) {
        moving.bytesDone = event.bytesDone;
        if (event.bytesTotal !== null) moving.bytesTotal = event.bytesTotal;
        this.measure();
        return;
      }
    }
    this.soon();
  }

  private transfer(folder: string, at: Pick<TransferStatus, "file" | "place" | "direction">) {
    return this.snapshot?.folders
      .find((f) => f.path === folder)
      ?.transfers.find((x) => x.file === at.file && x.place === at.place && x.direction === at.direction);
  }

  private soon(): void {
    if (this.timer !== undefined) return;
    const wait = Math.max(0, this.lastRefresh + REFRESH_MS - Date.now());
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.refresh();
    }, wait);
  }

  private measure(): void {
    this.speeds = this.speedometer.read(this.snapshot?.folders ?? [], Date.now());
  }

  private speak(sentence: string): void {
    clearTimeout(this.speakTimer);
    const wait = Math.max(0, this.lastSpoken + SPEAK_MS - Date.now());
    this.speakTimer = setTimeout(() => {
      this.lastSpoken = Date.now();
      this.spoken = sentence;
    }, wait);
  }
}
