//! A try to join: from the link or code that a person gave to the folder that is here.
//!
//! The folder is fetched before this side says yes, and is synced from the moment on in which the inviter heard that; so
//! whatever fails before leaves nothing on either side. What a crash leaves is in the journal, and is settled at the next
//! start.

mod folder;
mod journal;
mod keeping;
mod meeting;
mod unheard;
mod yes;

pub(crate) use journal::Journal;
pub(crate) use unheard::take_up;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tributary_repo::cancel::Cancel;
use tributary_status::{Failure, PairingStage, PairingStatus, ProblemCode, Reply};
use tributary_xmpp::account::{BareJid, FullJid};
use tributary_xmpp::courier::Delivery;
use tributary_xmpp::device::DeviceKeys;
use tributary_xmpp::pairing::{Card, Code, Grant, Joiner, JoinerStage, Link, PairingError};

use super::message;
use super::set_up::SetUp;
use crate::commands::fault;
use crate::engine::Engine;
use crate::state::line::Line;
use crate::state::problems::problem;
use crate::threads::pairing::{Answer, JoinSeen, PairingAsk, new_id, person};
use folder::{Fetched, Terms, Usable};
use journal::Entry;
use keeping::Before;
use unheard::Became;

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
    /// Where the person waits; `None` once it was told.
    reply: Option<oneshot::Sender<Result<Reply, Failure>>>,
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
        let Some(mut agreed) = agreed else { return self.leave(Some(joiner)).await };
        let done = self.settle(&mut joiner, card, grant, &mut agreed).await;
        if done.is_err() {
            self.leave(Some(joiner)).await;
        }
        drop(over);
        match (agreed.reply, done) {
            (Some(reply), done) => drop(reply.send(done)),
            // Nobody waits any more, so it is put where people look. Who gave it up knows.
            (None, Err(failure)) if !cancel.is_cancelled() => {
                let folder = agreed.folder.display().to_string();
                let Failure { sentence, hint, .. } = failure;
                self.engine.board.raise(problem(ProblemCode::PairingFailed, &folder, sentence, &hint));
            }
            (None, _) => {}
        }
    }

    /// Fetches the folder, says yes, and keeps the peer once that was heard.
    async fn settle(
        &mut self,
        joiner: &mut Joiner,
        card: Card,
        grant: Grant,
        agreed: &mut Agreed,
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
            // Given up when the folder was there already.
            Ok(()) if self.cancel.is_cancelled() => Err(message::not_paired(PairingError::Cancelled)),
            Ok(()) => self.be_heard(joiner, &card, &mut entry, &mut agreed.reply).await,
            Err(failure) => Err(failure),
        };
        match heard {
            Ok(Became::Paired) => {}
            // The program ends. The journal has it, and what was kept stays until it is known.
            Ok(_) => return Err(message::not_paired(PairingError::Vanished)),
            Err(failure) => {
                let said = entry.agreed.as_ref().is_some_and(|agreed| agreed.yes.is_some());
                self.forget(&fetched, said).await;
                fetched.take_back();
                self.engine.joins.settled(&entry.id);
                return Err(failure);
            }
        }
        let path = fetched.path.display().to_string();
        self.engine.board.clear_about(ProblemCode::PeerLeft, &path);
        folder::start(&self.engine, &fetched).await?;
        let mut missing = places.left_out().to_vec();
        missing.extend(folder::add_places(&self.engine, &fetched, &terms, &places).await);
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
        let given_up = Cancel::new();
        let giving_up = async {
            self.cancel.cancelled().await;
            given_up.cancel();
            std::future::pending().await
        };
        tokio::select! {
            fetched = folder::fetch(&self.engine, path, terms, places, &given_up) => fetched,
            () = still => unreachable!("it goes on until the folder is there"),
            () = giving_up => unreachable!("the fetch has the last word"),
        }
    }

    /// Tells the inviter that this side stops, if it is not over anyway.
    async fn leave(&self, joiner: Option<Joiner>) {
        let Some(mut joiner) = joiner else { return };
        let packet = match joiner.stage() {
            // A no that is sealed is one that nobody else can have said.
            JoinerStage::Offered => joiner.answer(false, now()).0,
            _ => joiner.cancel(),
        };
        if let Some(packet) = packet {
            let inviter = joiner.inviter().clone();
            // Who does not hear it stops waiting by itself; nobody here waits for one who is silent.
            self.line.courier.tell(&inviter, packet).await.ok();
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

/// Seconds since 1970.
fn now() -> u64 {
    u64::try_from(crate::engine::now()).unwrap_or_default()
}
