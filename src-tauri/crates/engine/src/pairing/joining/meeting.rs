//! Meeting the inviter: it is found, the secret is proven, its offer comes, and the person here says yes or no.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tributary_status::{Failure, Offer, PairingStage, ProblemCode, Reply};
use tributary_xmpp::account::{BareJid, FullJid};
use tributary_xmpp::courier::{CourierError, Delivery};
use tributary_xmpp::pairing::{
    Card, Code, Grant, Joiner, JoinerEvent, PERSON_PATIENCE, Packet, PairingError, Refusal, Right, Step,
};

use super::{Agreed, Given, Joining, STILL, now};
use crate::commands::{computer_name, fault};
use crate::pairing::set_up::{SetUp, SharedPlace};
use crate::pairing::{message, target};
use crate::state::line::Line;
use crate::threads::pairing::{Answer, person};

/// How many questions in a row nobody answers when the inviter is gone: one may be lost with a connection.
const UNANSWERED: u32 = 2;

/// How often an account is asked who shows a code, and for how long.
const KNOCKING: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(20));

impl Joining {
    /// Finds the inviter, proves the secret, and waits for its offer.
    pub(super) async fn meet(&mut self, joiner: &mut Option<Joiner>) -> Result<(Card, Grant), Failure> {
        let name = computer_name(&self.engine.board.settings());
        let card = Card::own(&self.own, self.line.tag, &name, self.line.address.clone());
        let (made, mut packet) = match self.given.clone() {
            Given::Link(link) => {
                self.expect_packets().await;
                Joiner::by_link(self.own.clone(), card, &link, now()).map_err(message::not_paired)?
            }
            Given::Code(code, account) => {
                self.expect_packets().await;
                let inviter = self.find(&code, &account).await?;
                self.inviter = Some(inviter.clone());
                Joiner::by_code(self.own.clone(), card, inviter, code, now())
            }
        };
        let joiner = joiner.insert(made);
        let inviter = joiner.inviter().clone();
        self.stage(PairingStage::Greeting, "The computers check the invitation.".into());
        loop {
            let answer = self.line.courier.send(&inviter, packet).await.map_err(message::not_carried)?;
            let (next, event) = joiner.take(&inviter, answer, now());
            if let Some(offered) = self.heard(event)? {
                return Ok(offered);
            }
            match next {
                Some(next) => packet = next,
                None => break,
            }
        }
        let mut unanswered = 0;
        loop {
            let event = match tokio::time::timeout(STILL, self.packets.1.recv()).await {
                Ok(Some(delivery)) => take(joiner, delivery),
                Ok(None) | Err(_) => match still(&self.line, joiner, &mut unanswered).await {
                    Some(gone) => Some(gone),
                    None => joiner.tick(now()),
                },
            };
            if let Some(offered) = self.heard(event)? {
                return Ok(offered);
            }
        }
    }

    /// Asks all computers of an account which of them shows this code.
    pub(super) async fn find(&mut self, code: &Code, account: &BareJid) -> Result<FullJid, Failure> {
        let until = Instant::now() + KNOCKING.1;
        while Instant::now() < until {
            self.line.courier.knock(account, code.slot()).await.map_err(message::not_carried)?;
            let again = (Instant::now() + KNOCKING.0).min(until);
            while let Ok(Some(delivery)) = tokio::time::timeout_at(again, self.packets.1.recv()).await {
                let (from, slot) = (delivery.from.clone(), delivery.packet.slot);
                let shows = delivery.packet.step == Step::Here && from.to_bare() == *account;
                delivery.answer(Packet { slot, step: Step::Noted });
                if shows {
                    return Ok(from);
                }
            }
        }
        let sentence = format!("No computer of {} shows this code.", account.as_str());
        Err(fault(
            Some(ProblemCode::PairingFailed),
            sentence,
            "A code is good for ten minutes, while Tributary runs there. If it is shown by somebody else, name their account too.",
        ))
    }

    /// What a packet changed: the offer, when it came.
    pub(super) fn heard(&mut self, event: Option<JoinerEvent>) -> Result<Option<(Card, Grant)>, Failure> {
        match event {
            None => Ok(None),
            Some(JoinerEvent::Meets(card)) => {
                let peer = person(&card);
                self.status.peer = Some(peer.clone());
                let sentence = format!("{} ({}) has to say yes there.", peer.name, peer.account);
                self.stage(PairingStage::AsksThem, sentence);
                Ok(None)
            }
            Some(JoinerEvent::Offered(card, grant)) => Ok(Some((card, grant))),
            Some(JoinerEvent::Ended(why)) => Err(message::not_paired(why)),
            // Nobody joined who was not asked.
            Some(JoinerEvent::Joined(_)) => Err(message::not_paired(PairingError::Untrustworthy)),
        }
    }

    /// Asks the person, unless it has said yes beforehand. `None`: no, or nobody is there to be asked.
    pub(super) async fn agree(
        &mut self,
        joiner: &mut Joiner,
        card: &Card,
        grant: &Grant,
        first: oneshot::Sender<Result<Reply, Failure>>,
    ) -> Option<Agreed> {
        self.status.peer = Some(person(card));
        self.status.name.clone_from(&grant.name);
        self.status.read_only = grant.right == Right::ReadOnly;
        let folder = match (&self.wanted, std::env::home_dir()) {
            (Some(folder), _) => folder.clone(),
            (None, Some(home)) => target::in_home(&home, &grant.name),
            (None, None) => {
                let hint = "Say in which folder it is to be.";
                first.send(Err(fault(None, "There is no home folder to put it in.", hint))).ok();
                return None;
            }
        };
        self.status.folder = Some(folder.display().to_string());
        if self.yes {
            return Some(Agreed { folder, local_places: true, reply: Some(first) });
        }
        let set_up = SetUp::decode(&grant.set_up).unwrap_or_default();
        let offer = Offer {
            id: self.status.id.clone(),
            from: person(card),
            name: grant.name.clone(),
            folder: folder.display().to_string(),
            read_only: grant.right == Right::ReadOnly,
            places: set_up.places().iter().map(SharedPlace::shown).collect(),
        };
        let (asks, mut answers) = mpsc::channel(1);
        self.status.stage = PairingStage::AsksYou;
        self.status.sentence = format!("{} offers {}.", offer.from.name, offer.name);
        self.told(Some(asks), None);
        first.send(Ok(Reply::Offered { offer })).ok();
        let (answer, reply) = self.asked(joiner, &mut answers).await?;
        if !answer.yes {
            reply.send(Ok(Reply::Done { sentence: "Nothing was set up, here or there.".into() })).ok();
            return None;
        }
        let folder = answer.folder.unwrap_or(folder);
        Some(Agreed { folder, local_places: answer.local_places, reply: Some(reply) })
    }

    /// Waits for the person's answer; the inviter may stop meanwhile, and does not wait for ever.
    pub(super) async fn asked(
        &mut self,
        joiner: &mut Joiner,
        answers: &mut mpsc::Receiver<Answer>,
    ) -> Option<Answer> {
        let patience = Duration::from_secs(PERSON_PATIENCE);
        let gives_up = Instant::now() + patience;
        let mut unanswered = 0;
        let mut pulse = tokio::time::interval_at(Instant::now() + STILL, STILL);
        pulse.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                answer = answers.recv() => return answer,
                () = self.cancel.cancelled() => return None,
                () = tokio::time::sleep_until(gives_up) => return None,
                _ = pulse.tick() => if still(&self.line, joiner, &mut unanswered).await.is_some() {
                    return None;
                },
                Some(delivery) = self.packets.1.recv() => {
                    if let Some(JoinerEvent::Ended(_)) = take(joiner, delivery) {
                        return None;
                    }
                }
            }
        }
    }
}

/// Tells the inviter that we are still there. Gives the end, when it is not, or does not wait for us. A server keeps a
/// place for a client that was killed, and takes what is for it: then nobody answers, again and again.
async fn still(line: &Line, joiner: &mut Joiner, unanswered: &mut u32) -> Option<JoinerEvent> {
    let packet = joiner.still_waits()?;
    let inviter = joiner.inviter().clone();
    match line.courier.send(&inviter, packet).await {
        Ok(answer) => {
            *unanswered = 0;
            joiner.still_awaited(Some(answer))
        }
        Err(CourierError::NotThere) => joiner.still_awaited(None),
        Err(CourierError::Silent) => {
            *unanswered += 1;
            if *unanswered < UNANSWERED { None } else { joiner.still_awaited(None) }
        }
        // We ourselves may be away for a moment.
        Err(CourierError::Offline) => None,
    }
}

/// Takes a packet of the inviter, and answers it.
fn take(joiner: &mut Joiner, delivery: Delivery) -> Option<JoinerEvent> {
    let slot = delivery.packet.slot;
    let (answer, event) = joiner.take(&delivery.from.clone(), delivery.packet.clone(), now());
    delivery.answer(answer.unwrap_or(Packet { slot, step: Step::Refused(Refusal::Cancelled) }));
    event
}
