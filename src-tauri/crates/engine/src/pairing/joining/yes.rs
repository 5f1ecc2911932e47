//! The own yes: said until it is clear whether it was heard.

use tokio::sync::oneshot;
use tributary_status::{Failure, PairingStage, Reply};
use tributary_xmpp::courier::CourierError;
use tributary_xmpp::pairing::{Card, Joiner, JoinerEvent, Packet, Paired, PairingError};

use super::journal::{Entry, Yes};
use super::unheard::{Became, found_out};
use super::{Joining, now};
use crate::pairing::message;

/// How often the own yes is said at once when nobody answers it. After that it is said each time the inviter comes.
const YESES: usize = 4;
/// How long it waits for a session that goes on.
const AWAY: std::time::Duration = std::time::Duration::from_secs(20);

/// Why a yes was not heard.
enum Unheard {
    /// The inviter will not.
    Refused(Failure),
    /// Nobody answered, or an answer was lost.
    Lost(Failure),
}

impl Unheard {
    fn of(why: PairingError) -> Self {
        let failure = message::not_paired(why);
        match why {
            // Who was started anew meanwhile has forgotten where it was, and not whom it let in.
            PairingError::Vanished | PairingError::Untrustworthy | PairingError::Unknown => {
                Self::Lost(failure)
            }
            _ => Self::Refused(failure),
        }
    }
}

impl Joining {
    /// Says yes, until it is clear what became of it.
    pub(super) async fn be_heard(
        &mut self,
        joiner: &mut Joiner,
        card: &Card,
        entry: &mut Entry,
        reply: &mut Option<oneshot::Sender<Result<Reply, Failure>>>,
    ) -> Result<Became, Failure> {
        let (yes, event) = joiner.answer(true, now());
        if let Some(agreed) = &mut entry.agreed {
            agreed.yes = yes.as_ref().and_then(Yes::of);
        }
        self.write_down(entry)?;
        let cancel = self.cancel.clone();
        let said = tokio::select! {
            said = self.say(joiner, yes.clone(), event) => said,
            () = cancel.cancelled() => Err(Unheard::Lost(message::not_paired(PairingError::Cancelled))),
        };
        let failure = match said {
            Ok(_) => {
                if let Some(agreed) = &mut entry.agreed {
                    agreed.heard = true;
                }
                // What could not be written down is found out once more after a crash.
                self.write_down(entry).ok();
                return Ok(Became::Paired);
            }
            Err(Unheard::Refused(failure)) => return Err(failure),
            Err(Unheard::Lost(failure)) => failure,
        };
        // The end of the program gives everything up that is under way, and that says nothing.
        if cancel.is_cancelled() {
            return match self.engine.stop.is_cancelled() {
                true => Ok(Became::Unknown),
                false => Err(failure),
            };
        }
        // It may have been heard and not answered: then we are paired there.
        let name = &card.name;
        let sentence = format!("{name} was lost before it confirmed. It goes on when {name} is back.");
        self.stage(PairingStage::AsksThem, sentence.clone());
        if let Some(reply) = reply.take() {
            // That may take days: nobody has to wait for it.
            reply.send(Ok(Reply::Done { sentence })).ok();
        }
        match found_out(&self.engine, card.keys.id(), yes.as_ref(), &self.cancel).await {
            Became::Nothing => Err(failure),
            became => Ok(became),
        }
    }

    /// Says yes until it was heard.
    async fn say(
        &mut self,
        joiner: &mut Joiner,
        mut packet: Option<Packet>,
        mut event: Option<JoinerEvent>,
    ) -> Result<Box<Paired>, Unheard> {
        let inviter = joiner.inviter().clone();
        for _ in 0..YESES {
            if let Some(event) = event.take() {
                return match event {
                    JoinerEvent::Joined(paired) => Ok(paired),
                    JoinerEvent::Ended(why) => Err(Unheard::of(why)),
                    JoinerEvent::Meets(_) | JoinerEvent::Offered(..) => {
                        Err(Unheard::of(PairingError::Untrustworthy))
                    }
                };
            }
            let Some(sent) = packet.take().or_else(|| joiner.again()) else { break };
            match self.line.courier.send(&inviter, sent).await {
                Ok(answer) => (_, event) = joiner.take(&inviter, answer, now()),
                Err(CourierError::Offline) => {
                    // It goes on in the next session, if that comes soon.
                    let mut changes = self.engine.lines.changes();
                    let back = changes
                        .wait_for(|line| line.as_ref().is_some_and(|line| line.address == self.line.address));
                    if let Ok(Ok(line)) = tokio::time::timeout(AWAY, back).await
                        && let Some(line) = line.clone()
                    {
                        self.line = line;
                    }
                }
                Err(CourierError::Silent | CourierError::NotThere) => {}
            }
        }
        match event {
            Some(JoinerEvent::Joined(paired)) => Ok(paired),
            Some(JoinerEvent::Ended(why)) => Err(Unheard::of(why)),
            _ => Err(Unheard::of(PairingError::Vanished)),
        }
    }
}
