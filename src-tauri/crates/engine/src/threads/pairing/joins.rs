//! The tries to join that are under way, as the pairing thread knows them.

use tokio::sync::oneshot;
use tributary_status::{Failure, PairingStatus, Reply};
use tributary_xmpp::courier::Delivery;

use super::{Answer, AnswerAsk, JoinSeen, is_here};

/// The tries.
#[derive(Default)]
pub(super) struct Joins {
    seen: Vec<JoinSeen>,
    /// Those who wait until packets are listened for.
    waiting: Vec<oneshot::Sender<()>>,
}

impl Joins {
    pub(super) fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// A try began, or is somewhere else now.
    pub(super) fn put(&mut self, seen: JoinSeen, listens: Option<oneshot::Sender<()>>) {
        self.waiting.extend(listens);
        match self.seen.iter_mut().find(|known| known.status.id == seen.status.id) {
            Some(known) => *known = seen,
            None => self.seen.push(seen),
        }
    }

    /// Packets are listened for, or nobody could.
    pub(super) fn say_listening(&mut self, listening: bool) {
        if listening {
            for waiting in self.waiting.drain(..) {
                // Who waited may be gone.
                waiting.send(()).ok();
            }
        }
        self.waiting.retain(|waiting| !waiting.is_closed());
    }

    /// Forgets those that are over.
    pub(super) fn forget_over(&mut self) {
        self.seen.retain(|join| !join.over.is_cancelled());
    }

    /// Waits until one is over.
    pub(super) async fn one_is_over(&self) {
        if self.seen.is_empty() {
            return std::future::pending().await;
        }
        futures::future::select_all(self.seen.iter().map(|join| Box::pin(join.over.cancelled()))).await;
    }

    /// Hands a packet to the try that it is for; gives it back when it is for none.
    pub(super) fn hand_over(&self, delivery: Delivery) -> Option<Delivery> {
        let is_for = |join: &&JoinSeen| {
            join.slot == delivery.packet.slot
                && match &join.inviter {
                    Some(inviter) => *inviter == delivery.from,
                    None => is_here(&delivery.packet.step),
                }
        };
        match self.seen.iter().find(is_for) {
            // One that does not take its packets is not spoken to any further.
            Some(join) => join.packets.try_send(delivery).err().and(None),
            None => Some(delivery),
        }
    }

    /// Hands a person's answer to the try that asks; gives it back when none does.
    pub(super) fn answer(
        &mut self,
        answer: AnswerAsk,
        reply: oneshot::Sender<Result<Reply, Failure>>,
    ) -> Option<Answer> {
        let asks = |join: &&mut JoinSeen| join.answer.is_some() && is_called(&join.status, &answer.pairing);
        let Some(join) = self.seen.iter_mut().find(asks) else { return Some((answer, reply)) };
        // One answer is enough.
        join.answer.take()?.try_send((answer, reply)).ok();
        None
    }

    /// Gives up a try.
    pub(super) fn cancel(&mut self, pairing: &str) -> Option<Reply> {
        let join = self.seen.iter().find(|join| is_called(&join.status, pairing))?;
        join.cancel.cancel();
        Some(Reply::Done { sentence: "The other computer is told, and nothing is set up.".into() })
    }

    /// As people see them.
    pub(super) fn shown(&self) -> impl Iterator<Item = PairingStatus> {
        self.seen.iter().map(|join| join.status.clone())
    }
}

/// Whether a person means this pairing: by its number, or by what the other computer or its account is called.
pub(super) fn is_called(status: &PairingStatus, text: &str) -> bool {
    let peer = status.peer.as_ref();
    status.id == text || peer.is_some_and(|peer| peer.name == text || peer.account == text)
}
