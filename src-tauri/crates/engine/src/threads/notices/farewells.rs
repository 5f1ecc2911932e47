//! Farewells: who is paired no more is told so, and who is told so stops trying.
//!
//! A device that was removed is tried at once and a few times after that, when something changes later, and when it comes
//! by itself, which is the surest sign that it is there. Nothing is asked of its server on a clock for longer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tributary_status::{Problem, ProblemAction, ProblemCode};
use tributary_xmpp::device::DeviceId;

use crate::state::board::Board;
use crate::state::own_device::OwnDevice;
use crate::state::peers::{Peer, Peers, Share};
use crate::state::problems::problem;
use crate::threads::committer::chain;
use crate::tunnel::{NoticeError, Tunnels};

/// First and longest pause between two tries to tell the same device. The first one is enough when it comes by itself.
const PAUSE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// How often one that was not told is tried again by the clock: for three minutes. What makes us known there, such as our
/// yes to an invitation, may be on its way yet while we take it back.
const AGAIN: u32 = 7;

/// Who is being told.
#[derive(Default)]
pub(super) struct Farewells {
    tried: BTreeMap<DeviceId, Tried>,
    telling: BTreeSet<DeviceId>,
    under_way: JoinSet<Outcome>,
}

/// How a device was tried.
#[derive(Clone, Copy)]
struct Tried {
    last: Instant,
    times: u32,
}

impl Tried {
    /// When it may be tried again.
    fn rests_until(&self, knocked: bool) -> Instant {
        let doubled = PAUSE.0 * 2_u32.saturating_pow(self.times.saturating_sub(1).min(AGAIN));
        self.last + if knocked { PAUSE.0 } else { doubled.min(PAUSE.1) }
    }
}

/// What came of telling a device.
type Outcome = (DeviceId, Result<(), NoticeError>);

impl Farewells {
    /// Tells those who are still to be told and were not tried a moment ago. `knocked`: one of them has just come. Gives
    /// when the next one is to be tried again.
    pub(super) fn say(&mut self, peers: &Peers, tunnels: &Tunnels, knocked: bool) -> Option<Instant> {
        let now = Instant::now();
        let parted = peers.parted();
        self.tried.retain(|device, _| parted.iter().any(|peer| peer.id() == *device));
        for peer in parted {
            let device = peer.id();
            let rests = self.tried.get(&device).is_some_and(|tried| now < tried.rests_until(knocked));
            if rests || !self.telling.insert(device) {
                continue;
            }
            let tried = self.tried.entry(device).or_insert(Tried { last: now, times: 0 });
            *tried = Tried { last: now, times: tried.times.saturating_add(1) };
            let tunnels = tunnels.clone();
            self.under_way.spawn(async move { (device, tunnels.bid_farewell(&peer).await) });
        }
        let waits =
            |(device, tried): &(&DeviceId, &Tried)| tried.times <= AGAIN && !self.telling.contains(device);
        self.tried.iter().filter(waits).map(|(_, tried)| tried.rests_until(false)).min()
    }

    /// The next one that came to an end; `None` while none is under way.
    pub(super) async fn next(&mut self) -> Option<Outcome> {
        self.under_way.join_next().await.map(|done| done.expect("telling does not panic"))
    }

    /// One came to an end.
    pub(super) fn said(&mut self, peers: &Peers, (device, outcome): Outcome) {
        self.telling.remove(&device);
        match outcome {
            Ok(()) => {
                if let Err(error) = peers.knows_of_parting(device) {
                    tracing::warn!(
                        error = chain(&error),
                        "that a computer knows of its removal could not be kept"
                    );
                }
            }
            Err(error) => {
                tracing::debug!(%device, error = chain(&error), "a computer that was removed was not told");
            }
        }
    }
}

/// A device has parted with us: it is paired no more here either, and a person is told. Gives whether that was kept.
pub(super) async fn take_in(from: &Peer, peers: &Peers, device: &OwnDevice, board: &Board) -> bool {
    if let Err(error) = peers.remove(from.id()) {
        tracing::warn!(error = chain(&error), "that a computer is paired no more could not be kept");
        return false;
    }
    let alone: Vec<_> =
        from.shares.iter().map(|share| &share.ours).filter(|ours| peers.in_folder(ours).is_empty()).collect();
    let forgotten = device.change(|secrets| alone.iter().for_each(|ours| secrets.forget(ours)));
    if let Err(error) = forgotten.await {
        // Nobody is left for whom anything would be sealed with them.
        tracing::warn!(%error, "the keys of folders that are shared no more could not be forgotten");
    }
    from.shares.iter().filter_map(|share| left(from, share, board)).for_each(|problem| board.raise(problem));
    true
}

/// What a person has to know of it.
fn left(from: &Peer, share: &Share, board: &Board) -> Option<Problem> {
    let folders = board.snapshot().folders;
    let folder = folders.into_iter().find(|folder| folder.uuid == share.ours.as_str())?.path;
    let name = std::path::Path::new(&folder).file_name()?.to_string_lossy().into_owned();
    let sentence = format!(
        "{} ({}) does not share {name} with this computer any more.",
        from.name,
        from.address.to_bare().as_str()
    );
    let hint = "What is here stays. If it was not meant so, ask there for a new invitation.";
    let mut left = problem(ProblemCode::PeerLeft, &folder, sentence, hint);
    left.action = Some(ProblemAction::Dismiss);
    Some(left)
}
