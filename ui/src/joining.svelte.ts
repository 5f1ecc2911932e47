// A try to join, as a window leads through it: what was typed, the search, the offer, the folder being fetched.

import type { Failure } from "./generated/Failure";
import type { Offer } from "./generated/Offer";
import type { Live } from "./live.svelte";
import { t } from "./strings";

/** How long a login that has just held may take until the account can be used. */
const ONLINE_MS = 20_000;
/** How long the engine may take to show what it has just answered. */
const SHOWN_MS = 10_000;
const LINK = /^\s*tributary:/i;

export type JoinStage = "asks" | "trying" | "offered" | "settingUp" | "done";

export class Joining {
  stage = $state<JoinStage>("asks");
  invitation = $state("");
  from = $state("");
  offer = $state<Offer | null>(null);
  /** Where the person wants the folder. */
  folder = $state("");
  localPlaces = $state(false);
  failure = $state<Failure | null>(null);
  /** Whether the invitation was clicked somewhere: it is shown, and the person says that it is to be used. */
  clicked = $state(false);
  private left = false;

  readonly isLink = $derived(LINK.test(this.invitation));
  readonly invitationFault = $derived(this.invitation.trim() ? "" : t.pairing.join.needInvitation);
  readonly fromFault = $derived(this.isLink || /^([^@/\s]+@[^@/\s]+)?$/.test(this.from.trim()) ? "" : t.pairing.join.needFrom);
  readonly folderFault = $derived(this.folder.startsWith("/") ? "" : t.pairing.join.targetFault);
  /** Where it is, in the engine's eyes. */
  readonly status = $derived.by(() => this.known());

  /** What is being done, in words. */
  readonly sentence = $derived.by(() => {
    if (this.status) return this.status.sentence;
    return this.live.snapshot?.account?.state === "online" ? t.pairing.join.trying : t.pairing.join.connecting;
  });

  constructor(private readonly live: Live) {}

  /** Fills in an invitation that was clicked. */
  take(link: string): void {
    this.invitation = link;
    this.clicked = true;
    this.failure = null;
  }

  /** Looks for the inviter with what was typed, until there is an offer. */
  async start(): Promise<void> {
    if (this.stage !== "asks" || this.invitationFault || this.fromFault) return;
    this.failure = null;
    this.stage = "trying";
    const online = await this.live.until((snapshot) => snapshot.account === null || snapshot.account.state === "online", ONLINE_MS);
    if (this.left) return;
    if (!online) {
      return this.failed({ code: null, sentence: t.pairing.join.accountOff, hint: t.pairing.join.accountOffHint });
    }
    const outcome = await this.live.api.join(this.invitation.trim(), this.isLink ? null : this.from.trim() || null);
    if (!outcome.ok) return this.failed(outcome.failure);
    const offer = outcome.value;
    // Who has left meanwhile wants nothing.
    if (this.left) return void (await this.live.api.answerPairing(offer.id, false));
    await this.live.refresh();
    await this.live.until((snapshot) => snapshot.pairings.some((known) => known.id === offer.id), SHOWN_MS);
    this.offer = offer;
    this.folder = offer.folder;
    this.localPlaces = false;
    this.stage = "offered";
    void this.live
      .until((snapshot) => snapshot.pairings.every((known) => known.id !== offer.id))
      .then(() => {
        // The inviter stopped, or did not wait any longer.
        if (this.stage === "offered" && this.offer?.id === offer.id) {
          this.failed({ code: null, sentence: t.pairing.join.withdrawn, hint: t.pairing.join.withdrawnHint });
        }
      });
  }

  /** Says yes; true when the folder is here. */
  async accept(): Promise<boolean> {
    if (this.stage !== "offered" || !this.offer || this.folderFault) return false;
    this.stage = "settingUp";
    this.failure = null;
    const outcome = await this.live.api.answerPairing(this.offer.id, true, this.folder.trim(), this.localPlaces);
    await this.live.refresh();
    if (outcome.ok) this.stage = "done";
    else this.failed(outcome.failure);
    // The dialog may be closed by now, and with it the place where its failures are said.
    if (outcome.ok || this.left) {
      this.live.notice = outcome.ok
        ? { text: outcome.value, fault: false }
        : { text: `${outcome.failure.sentence} ${outcome.failure.hint}`, fault: true };
    }
    return outcome.ok;
  }

  /** Gives it up; the other side hears of it. What is being fetched already goes on. */
  async leave(): Promise<void> {
    this.left = true;
    if (this.stage === "offered" && this.offer) {
      const { id } = this.offer;
      this.stage = "done";
      await this.live.api.answerPairing(id, false);
    } else if (this.stage === "trying") {
      await this.live.refresh();
      // Asked anew: what was derived is not kept fresh once the dialog is closed.
      const known = this.known();
      if (known) await this.live.api.cancelPairing(known.id);
    }
    await this.live.refresh();
  }

  private known() {
    return this.live.snapshot?.pairings.find((known) => !known.inviting && (this.offer === null || known.id === this.offer.id));
  }

  private failed(failure: Failure): void {
    this.offer = null;
    this.failure = failure;
    this.stage = "asks";
  }
}
