//! The invitations of this computer: made, taken up again after a start, answered by people, and withdrawn.

use std::path::PathBuf;
use std::sync::Arc;

use tributary_formats::uuid::RepoUuid;
use tributary_status::{Event, Failure, Invitation, Problem, ProblemCode, Reply};
use tributary_xmpp::account::FullJid;
use tributary_xmpp::courier::Delivery;
use tributary_xmpp::device::{DeviceId, DeviceKeys};
use tributary_xmpp::pairing::{
    CODE_LIFE, Card, InviterEvent, InviterStage, Packet, Paired, PairingError, Refusal, Right, Slot, Step,
};

use super::{AnswerAsk, InviteAsk, PairingThread};
use crate::commands::{computer_name, fault};
use crate::pairing::grant::Granting;
use crate::pairing::insist::insist;
use crate::pairing::message;
use crate::state::line::Line;
use crate::state::own_device::OpenLink;
use crate::state::peers::{Peer, PeersError, Share};
use crate::state::problems::{moment, problem};
use crate::threads::committer::chain;

/// The invitations.
#[derive(Default)]
pub(super) struct Invited {
    /// The secrets' side of them, at the address that links name.
    desk: Option<(FullJid, tributary_xmpp::pairing::Invitations)>,
    pub(super) offers: Vec<Invite>,
    /// Slots that are over and still explain it to who comes late.
    over: Vec<Slot>,
}

/// One invitation: a link and a code for the same, good for one computer.
pub(super) struct Invite {
    pub(super) id: String,
    pub(super) ours: RepoUuid,
    pub(super) right: Right,
    accept: bool,
    slots: Vec<Slot>,
    /// Who asks, and by which of them.
    pub(super) asks: Option<(Slot, Card)>,
    pub(super) since: String,
}

impl Invited {
    /// This computer is online again.
    pub(super) fn are_back(&mut self) {
        if let Some((_, desk)) = &mut self.desk {
            desk.is_back(now());
        }
    }

    /// Whether nobody can come by an invitation, not even too late.
    pub(super) fn is_empty(&self) -> bool {
        self.offers.is_empty() && self.over.is_empty()
    }

    /// Whether time matters: a code is open, or somebody has come.
    pub(super) fn somebody_may_wait(&self) -> bool {
        let waits = |slot: &Slot| slot.is_code() || self.stage(*slot) != Some(InviterStage::Open);
        self.offers.iter().flat_map(|offer| &offer.slots).any(waits)
    }

    fn stage(&self, slot: Slot) -> Option<InviterStage> {
        self.desk.as_ref()?.1.stage(slot)
    }

    /// How far an invitation is: the one of its slots that got farthest.
    pub(super) fn stage_of(&self, offer: &Invite) -> InviterStage {
        let stages = offer.slots.iter().filter_map(|slot| self.stage(*slot));
        stages.max_by_key(rank).unwrap_or(InviterStage::Open)
    }

    fn slots_of(&self, slot: Slot) -> Vec<Slot> {
        let of = self.offers.iter().find(|offer| offer.slots.contains(&slot));
        of.map(|offer| offer.slots.clone()).unwrap_or_default()
    }

    fn of_slot(&mut self, slot: Slot) -> Option<&mut Invite> {
        self.offers.iter_mut().find(|offer| offer.slots.contains(&slot))
    }
}

fn rank(stage: &InviterStage) -> u8 {
    match stage {
        InviterStage::Over(_) => 0,
        InviterStage::Open => 1,
        InviterStage::Greeting => 2,
        InviterStage::Asking => 3,
        InviterStage::Granted => 4,
        InviterStage::Done => 5,
    }
}

impl PairingThread {
    /// Makes an invitation.
    pub(super) async fn invite(&self, ask: InviteAsk, invited: &mut Invited) -> Result<Invitation, Failure> {
        let line = self.lines.now().ok_or_else(message::no_account)?;
        let made = self.device.change(|secrets| {
            secrets.hint_key_or_new(&ask.ours, now().max(self.peers.last_removal(&ask.ours)));
            secrets.keys.clone()
        });
        let keys = made.await.map_err(|error| message::no_secrets(&error))?;
        self.open_desk(invited, &line, &keys);
        let Some((_, desk)) = &mut invited.desk else { return Err(message::no_account()) };
        let now = now();
        let link = desk.make_link(now).map_err(message::not_paired)?;
        let code = desk.make_code(now).inspect_err(|_| {
            desk.withdraw(link.slot());
        });
        let code = code.map_err(message::not_paired)?;
        let slots = vec![link.slot(), code.slot()];
        let open =
            OpenLink { link: link.clone(), ours: ask.ours.clone(), right: ask.right, accept: ask.accept };
        if let Err(error) = self.device.change(|secrets| secrets.links.push(open)).await {
            for slot in slots {
                desk.withdraw(slot);
            }
            return Err(message::no_secrets(&error));
        }
        self.board.clear_about(ProblemCode::PairingFailed, &ask.folder.display().to_string());
        let id = new_id();
        invited.offers.push(Invite {
            id: id.clone(),
            ours: ask.ours,
            right: ask.right,
            accept: ask.accept,
            slots,
            asks: None,
            since: crate::state::problems::now(),
        });
        Ok(Invitation {
            id,
            link: link.to_string(),
            link_expires: moment(i64::try_from(link.expires()).unwrap_or(i64::MAX)),
            code: code.to_string(),
            code_expires: moment(i64::try_from(now + CODE_LIFE).unwrap_or(i64::MAX)),
        })
    }

    /// Takes up the links that are kept, once there is a line and the secrets are read.
    pub(super) async fn restore(&self, invited: &mut Invited) {
        let (Some(line), Some(secrets)) = (self.lines.now(), self.device.now()) else { return };
        self.open_desk(invited, &line, &secrets.keys);
        let Some((_, desk)) = &mut invited.desk else { return };
        for open in &secrets.links {
            let slot = open.link.slot();
            // A link of another account, or of an address that the server has given away, waits for it to come back.
            let known = invited.offers.iter().any(|offer| offer.slots.contains(&slot));
            if known || desk.restore(open.link.clone()).is_err() {
                continue;
            }
            invited.offers.push(Invite {
                id: new_id(),
                ours: open.ours.clone(),
                right: open.right,
                accept: open.accept,
                slots: vec![slot],
                asks: None,
                since: crate::state::problems::now(),
            });
        }
        self.tick(invited).await;
    }

    /// Time passed.
    pub(super) async fn tick(&self, invited: &mut Invited) {
        // While we are away nobody can be heard, so nobody is late.
        if self.lines.now().is_none() {
            return;
        }
        let Some((_, desk)) = &mut invited.desk else { return };
        for (slot, event) in desk.tick(now()) {
            self.happened(slot, event, invited).await;
        }
        let explained = invited.desk.as_ref().map(|(_, desk)| desk);
        invited.over.retain(|slot| explained.is_some_and(|desk| desk.stage(*slot).is_some()));
    }

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

    /// A person gives an invitation up.
    pub(super) async fn withdraw(&self, pairing: &str, invited: &mut Invited) -> Result<Reply, Failure> {
        let Some(offer) = invited.offers.iter().find(|offer| offer.id == pairing) else {
            let sentence = format!("There is no pairing {pairing}.");
            return Err(fault(None, sentence, "`trib peers` lists those that are under way."));
        };
        let slot = offer.slots.first().copied();
        if let Some(slot) = slot {
            self.end(slot, invited).await;
        }
        Ok(Reply::Done { sentence: "The invitation is withdrawn.".into() })
    }

    /// Takes back everything that was given to a device.
    pub(super) async fn unpair(&self, device: DeviceId) -> Result<Reply, Failure> {
        let not_kept = |error: PeersError| {
            fault(
                None,
                format!("{}.", chain(&error)),
                "It is still paired. Make room on the disk and try again.",
            )
        };
        let removed = self.peers.revoke(device, now()).map_err(not_kept)?;
        let Some(peer) = removed else {
            return Err(fault(None, "This computer is not paired.", "`trib peers` lists those that are."));
        };
        // It knows the keys of the folders that it had: those who stay get new ones.
        let shares = peer.shares.clone();
        let renewed = self.device.change(|secrets| {
            for share in &shares {
                if self.peers.in_folder(&share.ours).is_empty() {
                    secrets.forget(&share.ours);
                } else {
                    secrets.renew(&share.ours, now().max(self.peers.last_removal(&share.ours)));
                }
            }
        });
        if let Err(error) = renewed.await {
            // The notices thread tries again; until then nothing is sealed with them.
            tracing::warn!(%error, "the keys of the folders' hints could not be renewed");
        }
        let name = &peer.name;
        let sentence = format!(
            "{name} is not paired any more. It keeps what it has; places that both of you use have to be closed there."
        );
        Ok(Reply::Done { sentence })
    }

    /// A folder is none any more.
    pub(super) async fn folder_gone(&self, ours: &RepoUuid, invited: &mut Invited) {
        let open: Vec<_> = invited.offers.iter().filter(|offer| offer.ours == *ours).collect();
        let slots: Vec<_> = open.iter().filter_map(|offer| offer.slots.first().copied()).collect();
        for slot in slots {
            self.end(slot, invited).await;
        }
        if let Err(error) = self.peers.forget_folder(ours) {
            tracing::warn!(%error, "that a folder is shared no more could not be kept");
        }
        let known = self.device.now().is_some_and(|secrets| secrets.hint_keys.contains_key(ours));
        if known && let Err(error) = self.device.change(|secrets| secrets.forget(ours)).await {
            tracing::warn!(%error, "the key of a folder that is gone could not be forgotten");
        }
    }

    async fn happened(&self, slot: Slot, event: InviterEvent, invited: &mut Invited) {
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
    async fn decide(&self, slot: Slot, yes: bool, invited: &mut Invited) -> Result<(), Failure> {
        let line = self.lines.now().ok_or_else(message::no_account)?;
        let Some(offer) = invited.of_slot(slot) else { return Ok(()) };
        let (ours, right) = (offer.ours.clone(), offer.right);
        let Some((_, card)) = offer.asks.clone() else { return Ok(()) };
        let grant = if yes { Some(self.grant(&line, ours, right, &card).await?) } else { None };
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

    async fn grant(
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

    fn admit(&self, slot: Slot, paired: &Paired, invited: &mut Invited) -> Result<(), PeersError> {
        let (Some(offer), Some(line)) = (invited.of_slot(slot), self.lines.now()) else { return Ok(()) };
        let share =
            Share { ours: offer.ours.clone(), theirs: None, they_may: offer.right, we_may: Right::Edit };
        self.peers.admit(Peer::of(&paired.card, line.account, share, now()))
    }

    /// An invitation is over, with all its slots.
    async fn end(&self, slot: Slot, invited: &mut Invited) {
        let Some(at) = invited.offers.iter().position(|offer| offer.slots.contains(&slot)) else { return };
        let offer = invited.offers.remove(at);
        invited.over.extend(&offer.slots);
        self.board.clear_about(ProblemCode::PeerAsks, &offer.id);
        if let (Some((_, desk)), Some(line)) = (&mut invited.desk, self.lines.now()) {
            for (to, packet) in offer.slots.iter().filter_map(|slot| desk.withdraw(*slot)) {
                insist(line.courier.clone(), to, packet);
            }
        }
        self.forget_links(&offer.slots).await;
    }

    /// Links that are over are not taken up again.
    async fn forget_links(&self, slots: &[Slot]) {
        let is_one = |open: &OpenLink| slots.contains(&open.link.slot());
        if !self.device.now().is_some_and(|secrets| secrets.links.iter().any(is_one)) {
            return;
        }
        let forgotten = self.device.change(|secrets| secrets.links.retain(|open| !is_one(open)));
        if let Err(error) = forgotten.await {
            // It is in no use: whoever comes by it after a restart is asked about once more.
            tracing::warn!(%error, "a link that is over could not be forgotten");
        }
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

    /// Where the folder of a repository of ours is.
    pub(super) fn path_of(&self, ours: &RepoUuid) -> Option<PathBuf> {
        let folders = self.board.snapshot().folders;
        folders.into_iter().find(|folder| folder.uuid == ours.as_str()).map(|folder| folder.path.into())
    }

    fn open_desk(&self, invited: &mut Invited, line: &Line, keys: &Arc<DeviceKeys>) {
        if invited.desk.as_ref().is_some_and(|(address, _)| *address == line.address) {
            return;
        }
        // Invitations of another address cannot be used any more.
        invited.over.clear();
        for offer in invited.offers.drain(..) {
            self.board.clear_about(ProblemCode::PeerAsks, &offer.id);
        }
        let card = Card::own(keys, line.tag, &computer_name(&self.board.settings()), line.address.clone());
        let desk = tributary_xmpp::pairing::Invitations::new(keys.clone(), card);
        invited.desk = Some((line.address.clone(), desk));
    }
}

/// How a pairing is known until it is over.
pub(crate) fn new_id() -> String {
    let mut id = uuid::Uuid::new_v4().simple().to_string();
    id.truncate(8);
    id
}

/// Seconds since 1970.
fn now() -> u64 {
    u64::try_from(crate::engine::now()).unwrap_or_default()
}
