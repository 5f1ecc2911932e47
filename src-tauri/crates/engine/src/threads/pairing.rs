//! Pairing: keeps the invitations of this computer, asks people about those who come by them, and hands packets to the
//! tries to join that are under way.
//!
//! Waits for packets, for people, for the line and for time; publishes the pairings that are under way and the paired
//! computers. Listens only while somebody is expected: otherwise nobody is here. Ends when told to stop; links are kept
//! and go on at the next start, everything else is thrown away whole.

mod guests;
mod invitations;
mod joins;
mod presence;
mod removing;
mod shown;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tributary_formats::uuid::RepoUuid;
use tributary_status::{Failure, Invitation, PairingStatus, Reply};
use tributary_xmpp::account::FullJid;
use tributary_xmpp::courier::Delivery;
use tributary_xmpp::device::DeviceId;
use tributary_xmpp::pairing::{Right, Slot, Step};

use crate::state::board::Board;
use crate::state::folders::Folders;
use crate::state::line::Lines;
use crate::state::own_device::OwnDevice;
use crate::state::peers::Peers;
use crate::tunnel::Tunnels;
use invitations::Invited;
use joins::Joins;
use presence::Presence;

pub(crate) use invitations::new_id;
pub(crate) use shown::person;

/// How often the time is looked at while somebody may be waiting, and while only links are open.
const TICK: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(600));

/// What the pairing thread is told.
pub(crate) enum PairingAsk {
    /// Make an invitation.
    Invite(InviteAsk, oneshot::Sender<Result<Invitation, Failure>>),
    /// A person answers what a pairing asks.
    Answer(AnswerAsk, oneshot::Sender<Result<Reply, Failure>>),
    /// A person gives a pairing up.
    Cancel(String, oneshot::Sender<Result<Reply, Failure>>),
    /// A try to join expects packets, or is somewhere else now; until its token is cancelled. Hears when packets are
    /// listened for.
    Joining(Box<JoinSeen>, Option<oneshot::Sender<()>>),
    /// A computer is to be paired no more.
    Unpair(DeviceId, oneshot::Sender<Result<Reply, Failure>>),
    /// A folder is shared with nobody any more.
    FolderGone(RepoUuid),
}

/// An invitation that is wished for.
pub(crate) struct InviteAsk {
    pub(crate) folder: PathBuf,
    pub(crate) ours: RepoUuid,
    pub(crate) right: Right,
    pub(crate) accept: bool,
}

/// A person's answer.
pub(crate) struct AnswerAsk {
    /// The pairing, or what the other computer is called.
    pub(crate) pairing: String,
    pub(crate) yes: bool,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) local_places: bool,
}

/// A person's answer, and where what comes of it goes.
pub(crate) type Answer = (AnswerAsk, oneshot::Sender<Result<Reply, Failure>>);

/// What the thread knows of a try to join.
pub(crate) struct JoinSeen {
    pub(crate) status: PairingStatus,
    pub(crate) slot: Slot,
    /// Who invites, once that is known.
    pub(crate) inviter: Option<FullJid>,
    /// Where packets for it go.
    pub(crate) packets: mpsc::Sender<Delivery>,
    /// Where a person's answer goes, while it is asked for.
    pub(crate) answer: Option<mpsc::Sender<Answer>>,
    /// Gives it up.
    pub(crate) cancel: CancellationToken,
    /// Cancelled when it is over.
    pub(crate) over: CancellationToken,
}

/// The pairing thread's wiring.
pub(crate) struct PairingThread {
    pub(crate) asks: mpsc::UnboundedReceiver<PairingAsk>,
    pub(crate) lines: Lines,
    pub(crate) peers: Peers,
    /// How they are reached.
    pub(crate) tunnels: Tunnels,
    pub(crate) device: OwnDevice,
    pub(crate) folders: Folders,
    pub(crate) board: Arc<Board>,
    /// Where it is kept since when paired computers are away.
    pub(crate) presence_file: PathBuf,
}

/// Runs until told to stop.
pub(crate) async fn run(mut thread: PairingThread, stop: CancellationToken) {
    let (mut line, mut paired) = (thread.lines.changes(), thread.peers.changes());
    let (mut secrets, mut present) = (thread.device.changes(), thread.lines.present());
    let mut ways = thread.tunnels.presence_changes();
    let mut invited = Invited::default();
    let mut joins = Joins::default();
    let mut presence = Presence::load(&thread.presence_file);
    let mut packets: Option<mpsc::Receiver<Delivery>> = None;
    line.mark_changed();
    loop {
        joins.forget_over();
        let expects = !invited.is_empty() || !joins.is_empty();
        match thread.lines.now() {
            Some(line) if expects && packets.is_none() => packets = Some(line.courier.listen()),
            Some(_) if expects => {}
            _ => packets = None,
        }
        joins.say_listening(packets.is_some());
        let there = thread.lines.now().map(|_| present.borrow_and_update().keys().copied().collect());
        let known = thread.peers.all().iter().map(|peer| peer.tag).collect();
        presence.look(&known, there.as_ref());
        thread.show(&invited, &joins, &presence);
        let soon = invited.somebody_may_wait() || !joins.is_empty();
        let delivery = async {
            match packets.as_mut() {
                Some(packets) => packets.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            ask = thread.asks.recv() => match ask {
                None => return,
                Some(ask) => thread.asked(ask, &mut invited, &mut joins).await,
            },
            delivery = delivery => match delivery {
                // The session is over; the next line has another courier.
                None => packets = None,
                Some(delivery) => {
                    if let Some(delivery) = joins.hand_over(delivery) {
                        thread.deliver(delivery, &mut invited).await;
                    }
                }
            },
            // No sender ends before this thread does.
            Ok(()) = line.changed() => {
                packets = None;
                if thread.lines.now().is_some() {
                    invited.are_back();
                }
                thread.restore(&mut invited).await;
            }
            Ok(()) = secrets.changed() => thread.restore(&mut invited).await,
            Ok(()) = paired.changed() => {}
            Ok(()) = present.changed() => {}
            Ok(()) = ways.changed() => {}
            () = joins.one_is_over() => {}
            () = tokio::time::sleep(if soon { TICK.0 } else { TICK.1 }), if expects => {
                thread.tick(&mut invited).await;
            }
        }
    }
}

impl PairingThread {
    async fn asked(&self, ask: PairingAsk, invited: &mut Invited, joins: &mut Joins) {
        // Who asked may be gone: what was done stays done.
        match ask {
            PairingAsk::Invite(ask, reply) => {
                reply.send(self.invite(ask, invited).await).ok();
            }
            PairingAsk::Answer(answer, reply) => {
                if let Some((answer, reply)) = joins.answer(answer, reply) {
                    let given_up = if answer.yes { None } else { joins.cancel(&answer.pairing) };
                    let done = match given_up {
                        Some(done) => Ok(done),
                        None => self.answer(&answer, invited).await,
                    };
                    reply.send(done).ok();
                }
            }
            PairingAsk::Cancel(pairing, reply) => {
                let done = match joins.cancel(&pairing) {
                    Some(done) => Ok(done),
                    None => self.withdraw(&pairing, invited).await,
                };
                reply.send(done).ok();
            }
            PairingAsk::Joining(seen, listens) => joins.put(*seen, listens),
            PairingAsk::Unpair(device, reply) => {
                reply.send(self.unpair(device).await).ok();
            }
            PairingAsk::FolderGone(ours) => self.folder_gone(&ours, invited).await,
        }
    }
}

/// Whether a packet is the answer to a knock.
fn is_here(step: &Step) -> bool {
    matches!(step, Step::Here)
}
