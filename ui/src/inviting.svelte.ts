// One invitation that a window shows: made, followed in the snapshot, and withdrawn. What became of it is read from
// who is paired, not from an event that could be missed.

import type { Failure } from "./generated/Failure";
import type { Invitation } from "./generated/Invitation";
import type { PeerStatus } from "./generated/PeerStatus";
import type { Live } from "./live.svelte";

/** How long the engine may take to show what it has just made. */
const SHOWN_MS = 10_000;

export class Inviting {
  invitation = $state<Invitation | null>(null);
  failure = $state<Failure | null>(null);
  busy = $state(false);
  readOnly = $state(false);
  ask = $state(false);
  /** Whether the link may be on its way to somebody. */
  sent = $state(false);
  private closed = false;
  /** Who was paired for the folder before. */
  private before = $state<ReadonlySet<string>>(new Set());

  /** Where it is; nothing once it is over. */
  readonly status = $derived.by(() => this.live.snapshot?.pairings.find((known) => known.id === this.invitation?.id));
  /** Who joined. */
  readonly joined = $derived.by(() => (this.invitation && !this.status ? this.peers().find((peer) => !this.before.has(peer.id)) : undefined));
  readonly over = $derived(this.invitation !== null && !this.status && !this.joined);
  /** Why the code is spent, if it is: making another invitation clears that. */
  readonly spent = $derived.by(() => this.live.snapshot?.problems.find((known) => known.code === "pairingFailed" && known.subject === this.folder));

  constructor(
    private readonly live: Live,
    readonly folder: string,
  ) {}

  /** Makes an invitation, in place of the one that nobody has got. */
  async make(): Promise<void> {
    const old = this.invitation;
    this.busy = true;
    this.failure = null;
    const before = new Set(this.peers().map((peer) => peer.id));
    const outcome = await this.live.api.invite(this.folder, this.readOnly, !this.ask);
    if (outcome.ok) {
      const { id } = outcome.value;
      if (this.closed) return void (await this.live.api.cancelPairing(id));
      await this.live.refresh();
      await this.live.until((snapshot) => snapshot.pairings.some((known) => known.id === id), SHOWN_MS);
      this.before = before;
      this.invitation = outcome.value;
      if (old && !this.sent) await this.live.api.cancelPairing(old.id);
      this.sent = false;
    } else {
      this.failure = outcome.failure;
    }
    this.busy = false;
  }

  /** Makes another with what the person has chosen now: the one before said something else. */
  async change(choice: { readOnly?: boolean; ask?: boolean }): Promise<void> {
    this.readOnly = choice.readOnly ?? this.readOnly;
    this.ask = choice.ask ?? this.ask;
    this.sent = false;
    await this.make();
  }

  async answer(yes: boolean): Promise<void> {
    if (!this.invitation) return;
    const outcome = await this.live.api.answerPairing(this.invitation.id, yes);
    if (!outcome.ok) this.failure = outcome.failure;
    await this.live.refresh();
  }

  /** Gives it up, also while it is being made. */
  async withdraw(): Promise<void> {
    this.closed = true;
    const known = this.status;
    if (known) await this.live.api.cancelPairing(known.id);
    await this.live.refresh();
  }

  private peers(): PeerStatus[] {
    return this.live.snapshot?.peers.filter((peer) => peer.folders.some((shared) => shared.folder === this.folder)) ?? [];
  }
}
