//! Tries to join that ended between the two yeses: this side said yes and did not hear that it was heard, because a
//! program was killed or the way was lost. The other side may count us as paired, or know nothing of us.
//!
//! Which of them it is shows when it is online: the yes is said again, and who counts us as paired lets us in. Then the
//! try goes on where it stopped; who does not for a while, does not know us, and everything is taken back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tributary_status::{Event, PairingStage, PairingStatus, Person};
use tributary_xmpp::account::BareJid;
use tributary_xmpp::device::DeviceId;
use tributary_xmpp::pairing::{FIRST_LINK_SLOT, Packet, Slot};

use super::folder;
use super::journal::{Agreed, Entry};
use crate::engine::Engine;
use crate::pairing::insist::insist;
use crate::state::peers::Contact;
use crate::threads::pairing::{JoinSeen, PairingAsk};

/// How long a computer that is online may leave us outside until it is clear that it does not know us, in times that an
/// answer may take. It is asked again and again meanwhile, with growing pauses.
const UNKNOWN_AFTER: u32 = 2;

/// First and longest pause before places are tried again that could not be added, and how often.
const PLACES_AGAIN: (Duration, Duration, usize) = (Duration::from_secs(2), Duration::from_secs(60), 8);

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Became {
    /// The other side counts us as paired.
    Paired,
    /// It does not know us, or a person gave up.
    Nothing,
    /// The program ends; it is found out at the next start.
    Unknown,
}

/// Takes up what the last run of the program left. Each is settled by itself.
pub(crate) fn take_up(engine: &Arc<Engine>) {
    for entry in engine.joins.all() {
        engine.tasks.spawn(settle(engine.clone(), entry));
    }
}

async fn settle(engine: Arc<Engine>, entry: Entry) {
    let stop = engine.stop.clone();
    let Some(agreed) = entry.agreed.clone() else {
        // Nothing was kept but what may be in the folder.
        entry.take_back();
        return engine.joins.settled(&entry.id);
    };
    let unlocked = async {
        // Who is paired is known of the account that is logged in, and keys once they were read.
        let (mut paired, mut secrets) = (engine.peers.changes(), engine.device.changes());
        loop {
            if engine.peers.account().is_some() && engine.device.now().is_some() {
                return;
            }
            tokio::select! {
                Ok(()) = paired.changed() => {}
                Ok(()) = secrets.changed() => {}
            }
        }
    };
    if stop.run_until_cancelled(unlocked).await.is_none() {
        return;
    }
    let became = match &agreed.yes {
        Some(_) if agreed.heard => Became::Paired,
        Some(yes) => Shown::of(&engine, &entry, &agreed).await_inviter(yes.packet().as_ref()).await,
        None => Became::Nothing,
    };
    match became {
        Became::Unknown => return,
        Became::Nothing => take_back(&engine, &entry, &agreed).await,
        Became::Paired => {
            // What the end of the program interrupts is done once more at the next start.
            if stop.run_until_cancelled(go_on(&engine, &entry, &agreed)).await.is_none() {
                return;
            }
        }
    }
    engine.joins.settled(&entry.id);
}

/// Does what is left to do when both sides said yes.
async fn go_on(engine: &Arc<Engine>, entry: &Entry, agreed: &Agreed) {
    let fetched = agreed.fetched(entry);
    if let Err(failure) = folder::start(engine, &fetched).await {
        // It stays paired, and the folder can be added by hand.
        return tracing::warn!(sentence = failure.sentence, "a folder that was joined does not start");
    }
    engine.folders_started().await;
    let (terms, places) = (agreed.terms(), agreed.usable());
    let mut pause = PLACES_AGAIN.0;
    for _ in 0..PLACES_AGAIN.2 {
        let missing = folder::add_places(engine, &fetched, &terms, &places).await;
        engine.publish(Event::FolderChanged { folder: entry.folder.display().to_string() });
        if missing.is_empty() {
            return;
        }
        // A place may be away for a moment, and nobody is there who would add it by hand.
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PLACES_AGAIN.1);
    }
    tracing::warn!(folder = %entry.folder.display(), "places that were offered are not used");
}

/// Takes back what a try has kept and made.
pub(super) async fn take_back(engine: &Engine, entry: &Entry, agreed: &Agreed) {
    for device in agreed.new_peers.iter().filter_map(|device| device.parse().ok()) {
        // Who heard our yes, and could not say so, counts us as paired, and has told the others of us.
        let removed = match agreed.yes {
            Some(_) => engine.peers.part_with(device),
            None => engine.peers.remove(device).map(drop),
        };
        if let Err(error) = removed {
            tracing::warn!(%error, "a pairing that failed could not be forgotten");
        }
    }
    if agreed.new_key
        && let Err(error) = engine.device.change(|secrets| secrets.forget(&agreed.ours)).await
    {
        tracing::warn!(%error, "the key of a folder that was not joined could not be forgotten");
    }
    entry.take_back();
}

/// Waits until it is clear whether a device counts us as paired. Our yes is said again each time it comes: it may not
/// have heard it, and hears it once however often it is said.
pub(super) async fn found_out(
    engine: &Engine,
    inviter: DeviceId,
    yes: Option<&Packet>,
    given_up: &CancellationToken,
) -> Became {
    let (mut paired, mut present) = (engine.peers.changes(), engine.tunnels.presence_changes());
    let unknown_after = engine.tunnels.timeouts().reply * UNKNOWN_AFTER;
    let mut online_since: Option<tokio::time::Instant> = None;
    let mut said_to = None;
    loop {
        paired.mark_unchanged();
        present.mark_unchanged();
        // Another account may be logged in for a while; whoever unpairs it has settled it.
        if engine.peers.account().is_some() {
            let Some(peer) = engine.peers.get(inviter) else { return Became::Nothing };
            let met = [Contact::Reached, Contact::Served, Contact::Confirmed];
            if met.iter().any(|contact| peer.contacts.contains(contact)) {
                return Became::Paired;
            }
            let online = engine.tunnels.is_online(&peer);
            online_since = online.map(|_| online_since.unwrap_or_else(tokio::time::Instant::now));
            if online.is_some() && online != said_to {
                said_to = online;
                if let (Some(yes), Some(line)) = (yes, engine.lines.now()) {
                    insist(line.courier, peer.address, yes.clone());
                }
            }
        }
        let unknown = async {
            match online_since {
                Some(since) => tokio::time::sleep_until(since + unknown_after).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = engine.stop.cancelled() => return Became::Unknown,
            // The end of the program gives everything up that is under way, and that says nothing.
            () = given_up.cancelled() => {
                return if engine.stop.is_cancelled() { Became::Unknown } else { Became::Nothing };
            }
            () = unknown => return Became::Nothing,
            Ok(()) = paired.changed() => {}
            Ok(()) = present.changed() => {}
        }
    }
}

/// A try that is shown to people, who may give it up.
struct Shown<'a> {
    engine: &'a Engine,
    inviter: Option<DeviceId>,
    given_up: CancellationToken,
    over: CancellationToken,
    _packets: mpsc::Receiver<tributary_xmpp::courier::Delivery>,
}

impl<'a> Shown<'a> {
    fn of(engine: &'a Engine, entry: &Entry, agreed: &Agreed) -> Self {
        let inviter: Option<DeviceId> = agreed.inviter.parse().ok();
        let account: Option<BareJid> =
            inviter.and_then(|inviter| engine.peers.get(inviter)).map(|peer| peer.address.to_bare());
        let name = &agreed.inviter_name;
        let status = PairingStatus {
            id: entry.id.clone(),
            inviting: false,
            stage: PairingStage::AsksThem,
            sentence: format!("{name} was lost before it confirmed. It goes on when {name} is back."),
            since: crate::state::problems::now(),
            folder: Some(entry.folder.display().to_string()),
            name: agreed.name.clone(),
            peer: account.map(|account| Person { name: name.clone(), account: account.as_str().into() }),
            read_only: agreed.read_only,
        };
        let (given_up, over) = (CancellationToken::new(), CancellationToken::new());
        // No packet is expected any more: the secret has done its part.
        let (packets, kept) = mpsc::channel(1);
        let seen = JoinSeen {
            status,
            slot: Slot(FIRST_LINK_SLOT),
            inviter: None,
            packets,
            answer: None,
            cancel: given_up.clone(),
            over: over.clone(),
        };
        engine.pairing.send(PairingAsk::Joining(Box::new(seen), None)).ok();
        Self { engine, inviter, given_up, over, _packets: kept }
    }

    async fn await_inviter(self, yes: Option<&Packet>) -> Became {
        let _over = self.over.clone().drop_guard();
        match self.inviter {
            Some(inviter) => found_out(self.engine, inviter, yes, &self.given_up).await,
            None => Became::Nothing,
        }
    }
}
