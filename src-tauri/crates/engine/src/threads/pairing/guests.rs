//! Those who come by an invitation: asked about, let in or not, and kept once they have joined.

use tributary_formats::uuid::RepoUuid;
use tributary_status::{Event, Failure, Problem, ProblemCode, Reply};
use tributary_xmpp::courier::Delivery;
use tributary_xmpp::pairing::{Card, InviterEvent, Packet, Paired, PairingError, Refusal, Right, Slot, Step};

use super::invitations::{Invite, Invited, now};
use super::{AnswerAsk, PairingThread};
use crate::commands::fault;
use crate::pairing::grant::Granting;
use crate::pairing::insist::insist;
use crate::pairing::message;
use crate::state::line::Line;
use crate::state::peers::{Peer, PeersError, Share};
use crate::state::problems::problem;
use crate::threads::committer::chain;

impl PairingThread {
    /// A packet came for an invitation.
    pub(super) async fn deliver(&self, delivery: Delivery, invited: &mut Invited) {
        let slot = delivery.packet.slot;
        let refused = |refusal| Packet { slot, step: Step::Refused(refusal) };
        let Some((_, desk)) = &mut invited.desk else { return delivery.answer(refused(Refusal::Unknown)) };
        let (answer, event) = desk.take(&delivery.from, delivery.packet.clone(), now());
        if let Some((slot, InviterEvent::Joined(paired))) = &event {
            // A link that was used is in nobody's hands any more, however soon this program is killed: first of all.
            self.forget_links(&invited.slots_of(*slot)).await;
            // Who hears that it has joined is kept, whatever happens next.
            if let Err(error) = self.admit(*slot, paired, invited) {
                tracing::warn!(%error, "a computer that joined could not be kept");
                self.fail(*slot, format!("{} could not join: {}.", paired.card.name, chain(&error)), invited);
                self.end(*slot, invited).await;
                return delivery.answer(refused(Refusal::Cancelled));
            }
        }
        match event {
            Some((slot, event @ InviterEvent::Joined(_))) => {
                self.happened(slot, event, invited).await;
                delivery.answer(answer);
            }
            event => {
                delivery.answer(answer);
                if let Some((slot, event)) = event {
                    self.happened(slot, event, invited).await;
                }
            }
        }
    }

    /// A person says yes or no to somebody who asks.
    pub(super) async fn answer(&self, answer: &AnswerAsk, invited: &mut Invited) -> Result<Reply, Failure> {
        let called = |offer: &&Invite| {
            offer.asks.as_ref().is_some_and(|(_, card)| {
                let text = answer.pairing.as_str();
                offer.id == text || card.name == text || card.address.to_bare().as_str() == text
            })
        };
        let mut asking = invited.offers.iter().filter(called);
        let found = asking.next().and_then(|offer| offer.asks.clone());
        let Some((slot, card)) = found else {
            // Nobody has come yet whom a no could be said to: then it is the invitation that is not wanted.
            if !answer.yes && invited.offers.iter().any(|offer| offer.id == answer.pairing) {
                return self.withdraw(&answer.pairing, invited).await;
            }
            let sentence = format!("Nobody who is called {} asks for anything.", answer.pairing);
            return Err(fault(None, sentence, "`trib peers` lists who asks."));
        };
        if asking.next().is_some() {
            let sentence = format!("More than one is called {}.", answer.pairing);
            return Err(fault(
                None,
                sentence,
                "`trib peers` lists them with their numbers: name one by that.",
            ));
        }
        self.decide(slot, answer.yes, invited).await?;
        let name = card.name;
        let sentence =
            if answer.yes { format!("{name} is let in.") } else { format!("{name} is not let in.") };
        Ok(Reply::Done { sentence })
    }

    pub(super) async fn happened(&self, slot: Slot, event: InviterEvent, invited: &mut Invited) {
        match event {
            InviterEvent::Asks(card) => {
                let Some(offer) = invited.of_slot(slot) else { return };
                offer.asks = Some((slot, card.clone()));
                let (accept, id) = (offer.accept, offer.id.clone());
                let ours = offer.ours.clone();
                if !accept {
                    return self.ask_person(&id, &ours, &card);
                }
                if let Err(failure) = self.decide(slot, true, invited).await {
                    self.fail(slot, failure.sentence, invited);
                }
            }
            InviterEvent::Joined(paired) => {
                if let Some(folder) = invited.of_slot(slot).and_then(|offer| self.path_of(&offer.ours)) {
                    self.board.publish(Event::PeerJoined {
                        folder: folder.display().to_string(),
                        name: paired.card.name.clone(),
                        account: paired.card.address.to_bare().as_str().into(),
                    });
                }
                self.end(slot, invited).await;
            }
            InviterEvent::Interrupted(why) => {
                tracing::info!(%why, "a try to join was interrupted");
                self.asks_no_more(slot, invited);
            }
            InviterEvent::Ended(why) => {
                self.asks_no_more(slot, invited);
                if why == PairingError::WrongCode {
                    let sentence = "Somebody tried a wrong code. It is spent, and nobody was let in.".into();
                    self.fail(slot, sentence, invited);
                }
                let Some(offer) = invited.of_slot(slot) else { return };
                if offer.slots.len() > 1 && matches!(why, PairingError::WrongCode | PairingError::Expired) {
                    offer.slots.retain(|known| *known != slot);
                } else {
                    self.end(slot, invited).await;
                }
            }
        }
    }

    /// Carries out a person's decision.
    pub(super) async fn decide(&self, slot: Slot, yes: bool, invited: &mut Invited) -> Result<(), Failure> {
        let line = self.lines.now().ok_or_else(message::no_account)?;
        let Some(offer) = invited.of_slot(slot) else { return Ok(()) };
        let (ours, right) = (offer.ours.clone(), offer.right);
        let Some((_, card)) = offer.asks.clone() else { return Ok(()) };
        let grant = if yes { Some(self.grant(&line, ours, right, &card).await?) } else { None };
        // Nor is it told any more that it was removed: once it has the grant it would take that for the new pairing.
        if yes && let Err(error) = self.peers.knows_of_parting(card.keys.id()) {
            return Err(fault(
                None,
                format!("{}.", chain(&error)),
                "Make room on the disk and say yes again.",
            ));
        }
        let Some((_, desk)) = &mut invited.desk else { return Ok(()) };
        let sent = desk.decide(slot, grant, now()).map_err(message::not_paired)?;
        self.asks_no_more(slot, invited);
        if let Some((to, packet)) = sent {
            insist(line.courier, to, packet);
        }
        if !yes {
            self.end(slot, invited).await;
        }
        Ok(())
    }

    pub(super) async fn grant(
        &self,
        line: &Line,
        ours: RepoUuid,
        right: Right,
        card: &Card,
    ) -> Result<tributary_xmpp::pairing::Grant, Failure> {
        let folder = self.path_of(&ours).and_then(|path| self.folders.get(&path));
        let folder = folder.ok_or_else(|| {
            fault(
                None,
                "The folder is not synced at this moment.",
                "`trib status` says why. Then say yes again.",
            )
        })?;
        let made = self.device.change(|secrets| {
            let key = secrets.hint_key_or_new(&ours, now().max(self.peers.last_removal(&ours)));
            (key, secrets.keys.clone())
        });
        let (hint_key, own) = made.await.map_err(|error| message::no_secrets(&error))?;
        let name = folder.path.file_name().map(|name| name.to_string_lossy().into_owned());
        let others = self.peers.in_folder(&ours);
        let granting = Granting {
            folder: &folder,
            ours,
            name: name.unwrap_or_default(),
            right,
            hint_key,
            line,
            own: &own,
            others,
            now: now(),
        };
        Ok(granting.to(card).await)
    }

    pub(super) fn admit(&self, slot: Slot, paired: &Paired, invited: &mut Invited) -> Result<(), PeersError> {
        let (Some(offer), Some(line)) = (invited.of_slot(slot), self.lines.now()) else { return Ok(()) };
        let share =
            Share { ours: offer.ours.clone(), theirs: None, they_may: offer.right, we_may: Right::Edit };
        self.peers.admit(Peer::of(&paired.card, line.account, share, now()))
    }

    fn asks_no_more(&self, slot: Slot, invited: &mut Invited) {
        if let Some(offer) = invited.of_slot(slot)
            && offer.asks.as_ref().is_some_and(|(by, _)| *by == slot)
        {
            offer.asks = None;
            self.board.clear_about(ProblemCode::PeerAsks, &offer.id);
        }
    }

    fn ask_person(&self, id: &str, ours: &RepoUuid, card: &Card) {
        let (name, account) = (&card.name, card.address.to_bare());
        let folder = self.path_of(ours);
        let folder = folder.as_deref().and_then(std::path::Path::file_name).unwrap_or_default();
        let folder = folder.to_string_lossy();
        self.board.raise(Problem {
            needs_you: true,
            ..problem(
                ProblemCode::PeerAsks,
                id,
                format!("{name} ({}) asks to join {folder}.", account.as_str()),
                &format!("`trib accept {id}` lets it in, `trib decline {id}` does not."),
            )
        });
    }

    fn fail(&self, slot: Slot, sentence: String, invited: &mut Invited) {
        let folder = invited.of_slot(slot).and_then(|offer| self.path_of(&offer.ours));
        let subject = folder.map(|folder| folder.display().to_string()).unwrap_or_default();
        let hint = "`trib invite` makes a new invitation.";
        self.board.raise(problem(ProblemCode::PairingFailed, &subject, sentence, hint));
    }
}
