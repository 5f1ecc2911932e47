// Paired computers in words.

import type { PeerStatus } from "./generated/PeerStatus";
import { clock } from "./format";
import type { Live } from "./live.svelte";
import { t } from "./strings";

/** `here now, directly`, `off since 18:20`, `off`: what is known of it while the account is connected. */
export function presenceOf(peer: PeerStatus, live: Live): string {
  const w = t.pairing.people;
  if (live.snapshot?.account?.state !== "online") return w.unknown;
  if (peer.online) return peer.way ? `${w.here}, ${peer.way}` : w.here;
  return peer.presenceSince ? w.offSince(clock(peer.presenceSince, live.now)) : w.off;
}
