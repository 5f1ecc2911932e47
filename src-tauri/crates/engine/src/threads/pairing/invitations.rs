//! The invitations of this computer: made, taken up again after a start, answered by people, and withdrawn.

use std::path::PathBuf;
use std::sync::Arc;

use tributary_formats::uuid::RepoUuid;
use tributary_status::{Failure, Invitation, ProblemCode, Reply};
use tributary_xmpp::account::FullJid;
use tributary_xmpp::device::DeviceKeys;
use tributary_xmpp::pairing::{CODE_LIFE, Card, InviterStage, Right, Slot};

use super::{InviteAsk, PairingThread};
use crate::commands::{computer_name, fault};
use crate::pairing::insist::insist;
use crate::pairing::message;
use crate::state::line::Line;
use crate::state::own_device::OpenLink;
use crate::state::problems::moment;

/// The invitations.
#[derive(Default)]
pub(super) struct Invited {
    /// The secrets' side of them, at the address that links name.
    pub(super) desk: Option<(FullJid, tributary_xmpp::pairing::Invitations)>,
    pub(super) offers: Vec<Invite>,
    /// Slots that are over and still explain it to who comes late.
    over: Vec<Slot>,
}

/// One invitation: a link and a code for the same, good for one computer.
pub(super) struct Invite {
    pub(super) id: String,
    pub(super) ours: RepoUuid,
    pub(super) right: Right,
    pub(super) accept: bool,
    pub(super) slots: Vec<Slot>,
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

    pub(super) fn stage(&self, slot: Slot) -> Option<InviterStage> {
        self.desk.as_ref()?.1.stage(slot)
    }

    /// How far an invitation is: the one of its slots that got farthest.
    pub(super) fn stage_of(&self, offer: &Invite) -> InviterStage {
        let stages = offer.slots.iter().filter_map(|slot| self.stage(*slot));
        stages.max_by_key(rank).unwrap_or(InviterStage::Open)
    }

    pub(super) fn slots_of(&self, slot: Slot) -> Vec<Slot> {
        let of = self.offers.iter().find(|offer| offer.slots.contains(&slot));
        of.map(|offer| offer.slots.clone()).unwrap_or_default()
    }

    pub(super) fn of_slot(&mut self, slot: Slot) -> Option<&mut Invite> {
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

    /// An invitation is over, with all its slots.
    pub(super) async fn end(&self, slot: Slot, invited: &mut Invited) {
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
    pub(super) async fn forget_links(&self, slots: &[Slot]) {
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

    /// Where the folder of a repository of ours is.
    pub(super) fn path_of(&self, ours: &RepoUuid) -> Option<PathBuf> {
        let folders = self.board.snapshot().folders;
        folders.into_iter().find(|folder| folder.uuid == ours.as_str()).map(|folder| folder.path.into())
    }

    pub(super) fn open_desk(&self, invited: &mut Invited, line: &Line, keys: &Arc<DeviceKeys>) {
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
pub(super) fn now() -> u64 {
    u64::try_from(crate::engine::now()).unwrap_or_default()
}
