//! A try to join: from the link or code that a person gave to the folder that is here.
//!
//! The folder is fetched before this side says yes, and is synced from the moment on in which the inviter heard that; so
//! whatever fails before leaves nothing on either side. What a crash leaves is in the journal, and is settled at the next
//! start.

mod folder;
mod journal;
mod unheard;

pub(crate) use journal::Journal;
pub(crate) use unheard::take_up;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tributary_status::{Failure, Offer, PairingStage, PairingStatus, Reply};
use tributary_xmpp::account::{BareJid, FullJid};
use tributary_xmpp::courier::{CourierError, Delivery};
use tributary_xmpp::device::{DeviceId, DeviceKeys};
use tributary_xmpp::hints::HintKey;
use tributary_xmpp::pairing::{
    Card, Code, Grant, Joiner, JoinerEvent, Link, Packet, Paired, PairingError, Refusal, Right, Step,
};

use super::grant::introduced;
use super::set_up::SetUp;
use super::{message, target};
use crate::commands::{computer_name, fault};
use crate::engine::Engine;
use crate::state::line::Line;
use crate::state::peers::{Peer, Share};
use crate::threads::committer::chain;
use crate::threads::pairing::{Answer, JoinSeen, PairingAsk, new_id, person};
use folder::{Fetched, Terms, Usable};
use journal::Entry;
use unheard::Became;

/// How often an account is asked who shows a code, and for how long.
const KNOCKING: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(20));
/// How often the own yes is said when nobody answers it.
const YESES: usize = 4;
/// How often the inviter is told that we are still there, while a person decides.
const STILL: Duration = Duration::from_secs(tributary_xmpp::pairing::STILL_EVERY);

/// What a person gave.
#[derive(Clone)]
pub(crate) enum Given {
    /// A link.
    Link(Link),
    /// A code, shown by somebody at this account.
    Code(Code, BareJid),
}

/// A try to join.
pub(crate) struct Joining {
    engine: Arc<Engine>,
    line: Line,
    own: Arc<DeviceKeys>,
    given: Given,
    /// Where the person wants the folder.
    wanted: Option<PathBuf>,
    /// Said yes beforehand.
    yes: bool,
    status: PairingStatus,
    /// Who invites, once that is known.
    inviter: Option<FullJid>,
    /// What was known of those that this try keeps, before it did.
    before: Before,
    packets: (mpsc::Sender<Delivery>, mpsc::Receiver<Delivery>),
    cancel: CancellationToken,
    over: CancellationToken,
}

/// What a person agreed to.
struct Agreed {
    folder: PathBuf,
    local_places: bool,
    reply: oneshot::Sender<Result<Reply, Failure>>,
}

/// What a try that fails puts back.
#[derive(Default)]
struct Before {
    peers: Vec<(DeviceId, Option<Peer>)>,
    keys: Vec<HintKey>,
}

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

impl Given {
    /// Reads what a person gave: a link begins as links do, all else is a code.
    pub(crate) fn read(text: &str, from: Option<&str>, own: &BareJid) -> Result<Self, Failure> {
        if text.trim_start().starts_with("tributary:") {
            return text.parse().map(Self::Link).map_err(message::not_paired);
        }
        let code = text.parse().map_err(message::not_paired)?;
        let from = match from {
            None => own.clone(),
            Some(text) => text.trim().parse().map_err(|_| {
                fault(None, format!("{} is no account address.", text.trim()), "It looks like name@server.")
            })?,
        };
        Ok(Self::Code(code, from))
    }
}

impl Joining {
    /// A try with what a person gave.
    pub(crate) fn new(
        engine: Arc<Engine>,
        line: Line,
        own: Arc<DeviceKeys>,
        given: Given,
        wanted: Option<PathBuf>,
        yes: bool,
    ) -> Self {
        let status = PairingStatus {
            id: new_id(),
            inviting: false,
            stage: PairingStage::Waiting,
            sentence: "Looking for the computer that invites.".into(),
            since: crate::state::problems::now(),
            folder: wanted.as_ref().map(|folder| folder.display().to_string()),
            name: String::new(),
            peer: None,
            read_only: false,
        };
        let cancel = engine.stop.child_token();
        let over = CancellationToken::new();
        // One packet at a time is on its way.
        let packets = mpsc::channel(4);
        let inviter = match &given {
            Given::Link(link) => Some(link.inviter().clone()),
            Given::Code(..) => None,
        };
        let before = Before::default();
        Self { engine, line, own, given, wanted, yes, status, inviter, before, packets, cancel, over }
    }

    /// Runs it. `first` hears of the offer, or of the end where none is asked about; when nobody waits there any more, the
    /// try is given up.
    pub(crate) async fn run(mut self, mut first: oneshot::Sender<Result<Reply, Failure>>) {
        let over = self.over.clone().drop_guard();
        let cancel = self.cancel.clone();
        let mut joiner = None;
        let met = tokio::select! {
            met = self.meet(&mut joiner) => met,
            () = cancel.cancelled() => Err(message::not_paired(PairingError::Cancelled)),
            () = first.closed() => Err(message::not_paired(PairingError::Cancelled)),
        };
        let (card, grant) = match met {
            Ok(met) => met,
            Err(failure) => {
                self.leave(joiner).await;
                drop(over);
                first.send(Err(failure)).ok();
                return;
            }
        };
        let Some(mut joiner) = joiner else { return };
        let agreed = self.agree(&mut joiner, &card, &grant, first).await;
        let Some(agreed) = agreed else { return self.leave(Some(joiner)).await };
        let done = self.settle(&mut joiner, card, grant, &agreed).await;
        if done.is_err() {
            self.leave(Some(joiner)).await;
        }
        drop(over);
        agreed.reply.send(done).ok();
    }

    /// Finds the inviter, proves the secret, and waits for its offer.
    async fn meet(&mut self, joiner: &mut Option<Joiner>) -> Result<(Card, Grant), Failure> {
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
        loop {
            let event = match tokio::time::timeout(STILL, self.packets.1.recv()).await {
                Ok(Some(delivery)) => take(joiner, delivery),
                Ok(None) | Err(_) => match still(&self.line, joiner).await {
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
    async fn find(&mut self, code: &Code, account: &BareJid) -> Result<FullJid, Failure> {
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
            Some(tributary_status::ProblemCode::PairingFailed),
            sentence,
            "A code is good for ten minutes, while Tributary runs there. If it is shown by somebody else, name their account too.",
        ))
    }

    /// What a packet changed: the offer, when it came.
    fn heard(&mut self, event: Option<JoinerEvent>) -> Result<Option<(Card, Grant)>, Failure> {
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
    async fn agree(
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
            return Some(Agreed { folder, local_places: true, reply: first });
        }
        let set_up = SetUp::decode(&grant.set_up).unwrap_or_default();
        let offer = Offer {
            id: self.status.id.clone(),
            from: person(card),
            name: grant.name.clone(),
            folder: folder.display().to_string(),
            read_only: grant.right == Right::ReadOnly,
            places: set_up.places().iter().map(super::set_up::SharedPlace::shown).collect(),
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
        Some(Agreed { folder: answer.folder.unwrap_or(folder), local_places: answer.local_places, reply })
    }

    /// Waits for the person's answer; the inviter may stop meanwhile, and does not wait for ever.
    async fn asked(&mut self, joiner: &mut Joiner, answers: &mut mpsc::Receiver<Answer>) -> Option<Answer> {
        let patience = Duration::from_secs(tributary_xmpp::pairing::PERSON_PATIENCE);
        let gives_up = Instant::now() + patience;
        let mut pulse = tokio::time::interval_at(Instant::now() + STILL, STILL);
        pulse.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                answer = answers.recv() => return answer,
                () = self.cancel.cancelled() => return None,
                () = tokio::time::sleep_until(gives_up) => return None,
                _ = pulse.tick() => if still(&self.line, joiner).await.is_some() {
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

    /// Fetches the folder, says yes, and keeps the peer once that was heard.
    async fn settle(
        &mut self,
        joiner: &mut Joiner,
        card: Card,
        grant: Grant,
        agreed: &Agreed,
    ) -> Result<Reply, Failure> {
        let sentence = format!("{} is being fetched.", grant.name);
        self.stage(PairingStage::SettingUp, sentence);
        let set_up = SetUp::decode(&grant.set_up).unwrap_or_default();
        let places = folder::usable(set_up, agreed.local_places);
        let mut entry = Entry::begin(&self.status.id, &agreed.folder);
        self.write_down(&entry)?;
        let terms = Terms::from(&grant);
        let fetched = self.fetch(joiner, &agreed.folder, &terms, &places).await;
        let fetched = fetched.inspect_err(|_| self.engine.joins.settled(&entry.id))?;
        entry.folder.clone_from(&fetched.path);
        let kept = self.keep(&card, &grant, &fetched, &places, &mut entry).await;
        let heard = match kept {
            Ok(()) => self.be_heard(joiner, &card, &mut entry).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = heard {
            self.forget(&fetched).await;
            fetched.take_back();
            self.engine.joins.settled(&entry.id);
            return Err(failure);
        }
        folder::start(&self.engine, &fetched).await?;
        let missing = folder::add_places(&self.engine, &fetched, &terms, places).await;
        self.engine.joins.settled(&entry.id);
        let from = person(&card);
        let mut sentence =
            format!("{} of {} ({}) is at {}.", grant.name, from.name, from.account, fetched.path.display());
        if !missing.is_empty() {
            sentence += &format!(" Not used here: {}.", missing.join(", "));
        }
        Ok(Reply::Done { sentence })
    }

    /// Gets the folder. The inviter hears meanwhile that we are still there.
    async fn fetch(
        &self,
        joiner: &Joiner,
        path: &Path,
        terms: &Terms,
        places: &Usable,
    ) -> Result<Fetched, Failure> {
        let still = async {
            loop {
                tokio::time::sleep(STILL).await;
                if let Some(packet) = joiner.still_waits() {
                    // What is wrong with it shows when the yes is said.
                    self.line.courier.send(joiner.inviter(), packet).await.ok();
                }
            }
        };
        tokio::select! {
            fetched = folder::fetch(&self.engine, path, terms, places) => fetched,
            () = still => unreachable!("it goes on until the folder is there"),
        }
    }

    fn write_down(&self, entry: &Entry) -> Result<(), Failure> {
        self.engine.joins.put(entry).map_err(|error| {
            let sentence = format!("What is set up cannot be written down: {error}.");
            fault(None, sentence, "Make room on the disk and try again. Nothing was set up, here or there.")
        })
    }

    /// Keeps the inviter, and those for whom it vouches, with the folder's key.
    async fn keep(
        &mut self,
        card: &Card,
        grant: &Grant,
        fetched: &Fetched,
        places: &Usable,
        entry: &mut Entry,
    ) -> Result<(), Failure> {
        let share = Share {
            ours: fetched.ours.clone(),
            theirs: Some(grant.repository.clone()),
            they_may: Right::Edit,
            we_may: grant.right,
        };
        let account = self.line.account.clone();
        let mut peers = vec![Peer::of(card, account.clone(), share, now())];
        let vouched = introduced(grant, card, &self.own, &fetched.ours, &account, now());
        // Whom a person paired here is known better than by hearsay.
        peers.extend(vouched.into_iter().filter(|peer| self.engine.peers.get(peer.id()).is_none()));
        let is_new = |peer: &&Peer| self.engine.peers.get(peer.id()).is_none();
        let known_keys = self.engine.device.now().map_or(0, |secrets| secrets.opening(&fetched.ours).len());
        entry.agreed = Some(journal::Agreed {
            ours: fetched.ours.clone(),
            theirs: grant.repository.clone(),
            name: grant.name.clone(),
            inviter_name: card.name.clone(),
            inviter: card.keys.id().to_string(),
            read_only: grant.right == Right::ReadOnly,
            new_peers: peers.iter().filter(is_new).map(|peer| peer.id().to_string()).collect(),
            new_key: known_keys == 0,
            from: fetched.from.clone(),
            set_up: places.to_keep(),
            said_yes: false,
        });
        self.write_down(entry)?;
        let key = HintKey::from_bytes(*grant.hint_key);
        let sealed = self.engine.device.change(|secrets| {
            let before = secrets.opening(&fetched.ours).to_vec();
            secrets.seal_with(&fetched.ours, key);
            before
        });
        self.before.keys = sealed.await.map_err(|error| message::no_secrets(&error))?;
        for peer in peers {
            self.before.peers.push((peer.id(), self.engine.peers.get(peer.id())));
            self.engine.peers.admit(peer).map_err(|error| {
                fault(None, format!("{}.", chain(&error)), "Nothing was set up, here or there.")
            })?;
        }
        Ok(())
    }

    /// Takes back what [`keep`](Self::keep) kept.
    async fn forget(&mut self, fetched: &Fetched) {
        for (device, before) in self.before.peers.drain(..) {
            let removed = self.engine.peers.remove(device);
            let restored =
                removed.and_then(|_| before.map_or(Ok(()), |before| self.engine.peers.admit(before)));
            if let Err(error) = restored {
                tracing::warn!(%error, "a pairing that failed could not be forgotten");
            }
        }
        let keys = std::mem::take(&mut self.before.keys);
        let restored = self.engine.device.change(|secrets| match keys.is_empty() {
            true => drop(secrets.hint_keys.remove(&fetched.ours)),
            false => drop(secrets.hint_keys.insert(fetched.ours.clone(), keys)),
        });
        if let Err(error) = restored.await {
            tracing::warn!(%error, "the key of a folder that was not joined could not be forgotten");
        }
    }

    /// Says yes, until it is clear that it was heard, or not.
    async fn be_heard(&mut self, joiner: &mut Joiner, card: &Card, entry: &mut Entry) -> Result<(), Failure> {
        if let Some(agreed) = &mut entry.agreed {
            agreed.said_yes = true;
        }
        self.write_down(entry)?;
        let failure = match self.say_yes(joiner).await {
            Ok(_) => return Ok(()),
            Err(Unheard::Refused(failure)) => return Err(failure),
            Err(Unheard::Lost(failure)) => failure,
        };
        // It may have been heard and not answered: then we are paired there.
        let name = &card.name;
        self.stage(
            PairingStage::AsksThem,
            format!("{name} was lost before it confirmed. It goes on when {name} is back."),
        );
        match unheard::found_out(&self.engine, card.keys.id(), &self.cancel).await {
            Became::Paired => Ok(()),
            Became::Nothing => Err(failure),
            // The journal has it, and what was kept stays until it is known.
            Became::Unknown => std::future::pending().await,
        }
    }

    /// Says yes until it was heard.
    async fn say_yes(&mut self, joiner: &mut Joiner) -> Result<Box<Paired>, Unheard> {
        let inviter = joiner.inviter().clone();
        let (mut packet, mut event) = joiner.answer(true, now());
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
                    if let Ok(Ok(line)) = tokio::time::timeout(KNOCKING.1, back).await
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

    /// Tells the inviter that this side stops, if it is not over anyway.
    async fn leave(&self, joiner: Option<Joiner>) {
        let Some(mut joiner) = joiner else { return };
        let packet = match joiner.stage() {
            // A no that is sealed is one that nobody else can have said.
            tributary_xmpp::pairing::JoinerStage::Offered => joiner.answer(false, now()).0,
            _ => joiner.cancel(),
        };
        if let Some(packet) = packet {
            let inviter = joiner.inviter().clone();
            // Who does not hear it stops waiting by itself.
            self.line.courier.send(&inviter, packet).await.ok();
        }
    }

    fn stage(&mut self, stage: PairingStage, sentence: String) {
        (self.status.stage, self.status.sentence) = (stage, sentence);
        self.told(None, None);
    }

    /// Ends when packets for this try are listened for.
    async fn expect_packets(&self) {
        let (listens, listened) = oneshot::channel();
        self.told(None, Some(listens));
        // A thread that is gone listens to nobody, and nobody will answer.
        listened.await.ok();
    }

    /// Shows where the try is, and says for whom packets are.
    fn told(&self, answer: Option<mpsc::Sender<Answer>>, listens: Option<oneshot::Sender<()>>) {
        let slot = match &self.given {
            Given::Link(link) => link.slot(),
            Given::Code(code, _) => code.slot(),
        };
        let seen = JoinSeen {
            status: self.status.clone(),
            slot,
            inviter: self.inviter.clone(),
            packets: self.packets.0.clone(),
            answer,
            cancel: self.cancel.clone(),
            over: self.over.clone(),
        };
        self.engine.pairing.send(PairingAsk::Joining(Box::new(seen), listens)).ok();
    }
}

/// Tells the inviter that we are still there. Gives the end, when it is not, or does not wait for us.
async fn still(line: &Line, joiner: &mut Joiner) -> Option<JoinerEvent> {
    let packet = joiner.still_waits()?;
    let inviter = joiner.inviter().clone();
    match line.courier.send(&inviter, packet).await {
        Ok(answer) => joiner.still_awaited(Some(answer)),
        Err(CourierError::NotThere) => joiner.still_awaited(None),
        // We ourselves may be away for a moment, or the way may be slow.
        Err(CourierError::Silent | CourierError::Offline) => None,
    }
}

/// Takes a packet of the inviter, and answers it.
fn take(joiner: &mut Joiner, delivery: Delivery) -> Option<JoinerEvent> {
    let slot = delivery.packet.slot;
    let (answer, event) = joiner.take(&delivery.from.clone(), delivery.packet.clone(), now());
    delivery.answer(answer.unwrap_or(Packet { slot, step: Step::Refused(Refusal::Cancelled) }));
    event
}

/// Seconds since 1970.
fn now() -> u64 {
    u64::try_from(crate::engine::now()).unwrap_or_default()
}
