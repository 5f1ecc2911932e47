//! The line to the server: a stanza stream that is connected, resumed, and built anew when it went bad.
//!
//! One task owns it and drives it through [`Line::next`]; its halves are never split, because the receiving one
//! loses its waker while the other sends. Source: the defects of tokio-xmpp 6.0.0 in this crate's README.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::SystemTime;

use futures::{FutureExt, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_xmpp::Stanza;
use tokio_xmpp::stanzastream::{Connection, Event, StanzaStage, StanzaStream, StanzaToken, StreamEvent};
use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::ping::Ping;

use super::pause::Pause;
use super::slot::Slot;
use super::{ConnectionState, Login, Timeouts};
use crate::account::FullJid;
use crate::login::{LoggedIn, LoginCause, LoginFault, LoginStep, Mechanism, Retry, log_in};
use crate::socks5::Whereabouts;

/// Stanzas that may wait in either direction. We have far fewer under way, so that sending never waits.
const QUEUE_DEPTH: usize = 1024;
/// A goodbye takes a round trip; who stops does not wait longer for it.
const GOODBYE: std::time::Duration = std::time::Duration::from_secs(2);

/// What happened on the line.
#[derive(Debug)]
pub(crate) enum LineEvent {
    /// The connection's state changed. `Online` with `resumed: false` is a new session.
    State(ConnectionState),
    /// The password was proven in a stronger way than before.
    Proven(Mechanism),
    /// A stanza came.
    Stanza(Box<Stanza>),
    /// There is room again, after [`Line::room`] had been asked while there was little.
    Room,
}

/// The line. Its fields are dropped in their order, the stream before the slots.
pub(crate) struct Line {
    stream: StanzaStream,
    slots: mpsc::Receiver<Slot>,
    phase: Phase,
    ready: VecDeque<LineEvent>,
    login: watch::Receiver<Login>,
    timeouts: Timeouts,
    pause: Pause,
    /// Breaks the present connection.
    cut: CancellationToken,
    /// The next try is made without a pause.
    at_once: bool,
    /// The stream was already built anew since it was last online, so that it is not for ever.
    rebuilt: bool,
    bound: Option<FullJid>,
    /// Tells where we are.
    here: watch::Sender<Whereabouts>,
    probes: u64,
    /// What was sent and may still be in the queue, oldest first.
    queued: VecDeque<StanzaToken>,
    /// Somebody waits for room in the queue.
    crowded: bool,
}

type Attempt = Pin<Box<dyn Future<Output = Result<LoggedIn, LoginFault>> + Send>>;

enum Phase {
    /// The stream has not asked for a connection yet.
    Idle,
    /// Until the next try.
    Pausing { slot: Slot, at: Instant },
    /// Logging in.
    Trying { slot: Slot, attempt: Attempt, steps: watch::Receiver<LoginStep> },
    /// Waits for a person.
    Parked { slot: Slot, cause: LoginCause },
    /// The stream binds or resumes. It knows no time limit for that.
    Negotiating { until: Instant },
    /// Online; after a resumption with the moment by which the server must have answered.
    Up { since: Instant, deaf_at: Option<Instant> },
}

enum Progress {
    Step(LoginStep),
    Done(Box<Result<LoggedIn, LoginFault>>),
}

impl Line {
    /// Starts to connect.
    pub(crate) fn new(
        login: watch::Receiver<Login>,
        here: watch::Sender<Whereabouts>,
        timeouts: Timeouts,
    ) -> Line {
        let (stream, slots) = new_stream();
        Line {
            stream,
            slots,
            phase: Phase::Idle,
            ready: VecDeque::new(),
            login,
            pause: Pause::new(timeouts.first_pause, timeouts.longest_pause),
            timeouts,
            cut: CancellationToken::new(),
            at_once: false,
            rebuilt: false,
            bound: None,
            here,
            probes: 0,
            queued: VecDeque::new(),
            crowded: false,
        }
    }

    /// Waits for the next event. May be dropped at any time without loss.
    pub(crate) async fn next(&mut self) -> LineEvent {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return event;
            }
            let deadline = self.phase.deadline();
            tokio::select! {
                event = self.stream.next() => match event {
                    Some(Event::Stanza(stanza)) if self.is_probe_answer(&stanza) => self.heard(),
                    Some(Event::Stanza(stanza)) => return LineEvent::Stanza(Box::new(stanza)),
                    Some(Event::Stream(event)) => self.stream_event(event),
                    None => self.rebuild("its worker ended"),
                },
                // The stream says that it lost its connection before it asks for another one, but on another
                // channel: the request waits here until the loss was seen.
                Some(slot) = self.slots.recv(), if matches!(self.phase, Phase::Idle) => self.asked(slot),
                progress = self.phase.progress() => match progress {
                    Progress::Step(step) => self.step(step),
                    Progress::Done(result) => match *result {
                        Ok(logged_in) => self.logged_in(logged_in),
                        Err(fault) => self.failed(fault),
                    },
                },
                () = until(deadline) => self.deadline_passed(),
                () = left(&mut self.queued), if self.crowded => {
                    self.crowded = false;
                    return LineEvent::Room;
                }
            }
        }
    }

    /// How many stanzas the queue takes now without waiting.
    pub(crate) fn room(&mut self) -> usize {
        while self.queued.front().is_some_and(|token| token.state() != StanzaStage::Queued) {
            self.queued.pop_front();
        }
        QUEUE_DEPTH.saturating_sub(self.queued.len())
    }

    /// Asks for [`LineEvent::Room`] as soon as something leaves the queue.
    pub(crate) fn await_room(&mut self) {
        self.crowded = true;
    }

    /// Sends a stanza. What is sent while the line is interrupted goes out when it is resumed.
    pub(crate) fn send(&mut self, stanza: Box<Stanza>) {
        // The library panics here when its worker died; that must not end our task. `unconstrained`, because a
        // task that used up its turn would seem to have a full queue.
        let sent = AssertUnwindSafe(tokio::task::unconstrained(self.stream.send(stanza)));
        match sent.catch_unwind().now_or_never() {
            Some(Ok(token)) => self.queued.push_back(token),
            // The end of the stream's events says it too, and leads to a new one.
            Some(Err(_)) => tracing::warn!("the stanza stream's worker ended"),
            None => self.rebuild("its queue is full"),
        }
    }

    /// The network is another one: what waits is tried now, and what stands is resumed over it.
    pub(crate) fn network_changed(&mut self) {
        self.pause.reset();
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Pausing { slot, .. } | Phase::Trying { slot, .. } => self.attempt(slot),
            // Another network may have another server in the middle; the password is wrong on all of them.
            Phase::Parked { slot, cause } if !asks_for_password(&cause) => self.attempt(slot),
            phase @ (Phase::Up { .. } | Phase::Negotiating { .. }) => {
                self.phase = phase;
                self.at_once = true;
                self.cut.cancel();
            }
            phase => self.phase = phase,
        }
    }

    /// A person gave a password or decided about a certificate: what waits is tried now.
    pub(crate) fn login_changed(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Pausing { slot, .. } | Phase::Trying { slot, .. } | Phase::Parked { slot, .. } => {
                self.pause.reset();
                self.attempt(slot);
            }
            phase => self.phase = phase,
        }
    }

    /// Ends the line, with a goodbye to the server when it is there.
    pub(crate) async fn close(self) {
        if matches!(self.phase, Phase::Up { .. }) {
            // What the server does not take in now it will notice by itself.
            let _ = tokio::time::timeout(GOODBYE, self.stream.close()).await;
        }
    }

    /// The stream wants a connection.
    fn asked(&mut self, slot: Slot) {
        let wait = if std::mem::take(&mut self.at_once) {
            std::time::Duration::ZERO
        } else {
            self.pause.next(rand::random())
        };
        if wait.is_zero() {
            self.attempt(slot);
        } else {
            self.phase = Phase::Pausing { slot, at: Instant::now() + wait };
        }
    }

    fn attempt(&mut self, slot: Slot) {
        let Login { account, secret } = self.login.borrow_and_update().clone();
        let timeouts = self.timeouts.clone();
        // A new token for each connection: the one before may have been cut.
        self.cut = CancellationToken::new();
        let cut = self.cut.clone();
        let (step, steps) = watch::channel(LoginStep::NameLookup);
        let attempt = async move {
            let on_step = |now: LoginStep| _ = step.send(now);
            log_in(&account, &secret, &timeouts, &cut, &on_step).await
        };
        self.phase = Phase::Trying { slot, attempt: Box::pin(attempt), steps };
    }

    fn step(&mut self, step: LoginStep) {
        // While a session can still be resumed, that is what a person should see.
        if self.bound.is_none() {
            self.tell(match step {
                LoginStep::NameLookup => ConnectionState::Resolving,
                LoginStep::Connect => ConnectionState::Connecting,
                LoginStep::Tls | LoginStep::Certificate => ConnectionState::Tls,
                LoginStep::Password | LoginStep::Session => ConnectionState::Login,
            });
        }
    }

    fn logged_in(&mut self, logged_in: LoggedIn) {
        let Phase::Trying { slot, .. } = std::mem::replace(&mut self.phase, Phase::Idle) else { return };
        let account = self.login.borrow().account.clone();
        if account.strongest.is_none_or(|strongest| strongest < logged_in.mechanism) {
            self.ready.push_back(LineEvent::Proven(logged_in.mechanism));
        }
        let identity = match account.jid.with_resource(&account.resource) {
            Ok(full) => Jid::from(full.0),
            // A resource that is none: the server gives one.
            Err(_) => Jid::from(account.jid.0),
        };
        self.here.send_modify(|here| here.ends = logged_in.ends);
        slot.fill(Connection { stream: logged_in.stream, features: logged_in.features, identity });
        self.phase = Phase::Negotiating { until: Instant::now() + self.timeouts.step };
    }

    fn failed(&mut self, fault: LoginFault) {
        let Phase::Trying { slot, .. } = std::mem::replace(&mut self.phase, Phase::Idle) else { return };
        tracing::info!(step = fault.step.code(), %fault, "login failed");
        if fault.retry() == Retry::AfterPerson {
            self.phase = Phase::Parked { slot, cause: fault.cause.clone() };
            self.tell(match &fault.cause {
                cause if asks_for_password(cause) => ConnectionState::NeedsPassword { fault },
                LoginCause::Lacks(_) => ConnectionState::ServerLacks { fault },
                _ => ConnectionState::NeedsTrust { fault },
            });
            return;
        }
        // A try that failed is never followed by another at once.
        let wait = self.pause.next(rand::random()).max(self.timeouts.first_pause.mul_f64(0.75));
        self.phase = Phase::Pausing { slot, at: Instant::now() + wait };
        self.tell(ConnectionState::Retrying { fault, at: SystemTime::now() + wait });
    }

    fn stream_event(&mut self, event: StreamEvent) {
        let now = Instant::now();
        match event {
            StreamEvent::Reset { bound_jid, .. } => {
                self.phase = Phase::Up { since: now, deaf_at: None };
                self.online(bound_jid, false);
            }
            StreamEvent::Resumed => {
                // prosody 0.12 sometimes resumes a session and then hears nothing of it any more.
                self.phase = Phase::Up { since: now, deaf_at: Some(now + self.timeouts.deaf) };
                if let Some(bound) = self.bound.clone() {
                    self.online(bound.0.into(), true);
                }
                self.probe();
            }
            StreamEvent::Suspended => match self.phase {
                Phase::Up { since, .. } => {
                    if now.duration_since(since) >= self.timeouts.settled {
                        self.pause.reset();
                    } else {
                        self.pause.ease(self.timeouts.settled / 2);
                    }
                    self.phase = Phase::Idle;
                    self.tell(ConnectionState::Suspended);
                }
                // Lost a second time with nothing regained: the server does not know what is to be resumed and
                // says so in a way that the library takes for a broken line, for ever.
                _ => self.rebuild("it cannot be resumed"),
            },
        }
    }

    fn online(&mut self, bound: Jid, resumed: bool) {
        self.rebuilt = false;
        match bound.try_into_full() {
            Ok(bound) => {
                self.bound = Some(FullJid(bound.clone()));
                self.here.send_modify(|here| here.bound = Some(FullJid(bound.clone())));
                self.tell(ConnectionState::Online { bound: FullJid(bound), resumed });
            }
            Err(_) => self.rebuild("the server bound no client"),
        }
    }

    fn probe(&mut self) {
        self.probes += 1;
        let server = self.login.borrow().account.jid.0.domain().to_owned();
        let ping = Iq::from_get(self.probe_id(), Ping).with_to(server.into());
        self.send(Box::new(ping.into()));
    }

    fn probe_id(&self) -> String {
        format!("probe-{}", self.probes)
    }

    fn is_probe_answer(&self, stanza: &Stanza) -> bool {
        matches!(self.phase, Phase::Up { deaf_at: Some(_), .. })
            && matches!(stanza, Stanza::Iq(iq @ (Iq::Result { .. } | Iq::Error { .. })) if iq.id() == self.probe_id())
    }

    fn heard(&mut self) {
        if let Phase::Up { deaf_at, .. } = &mut self.phase {
            *deaf_at = None;
        }
    }

    fn deadline_passed(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Pausing { slot, .. } => self.attempt(slot),
            Phase::Negotiating { .. } => self.rebuild("the server opens no session"),
            Phase::Up { .. } => self.rebuild("the resumed session is deaf"),
            phase => self.phase = phase,
        }
    }

    /// Throws the stream away, with all that it would resume, and takes a new one.
    fn rebuild(&mut self, why: &str) {
        tracing::debug!(why, "a new stanza stream");
        self.cut.cancel();
        (self.stream, self.slots) = new_stream();
        self.queued.clear();
        self.phase = Phase::Idle;
        self.at_once = !std::mem::replace(&mut self.rebuilt, true);
        if self.bound.take().is_some() {
            self.tell(ConnectionState::Connecting);
        }
    }

    fn tell(&mut self, state: ConnectionState) {
        self.ready.push_back(LineEvent::State(state));
    }
}

impl Phase {
    fn deadline(&self) -> Option<Instant> {
        match self {
            Phase::Pausing { at, .. } => Some(*at),
            Phase::Negotiating { until } => Some(*until),
            Phase::Up { deaf_at, .. } => *deaf_at,
            Phase::Idle | Phase::Trying { .. } | Phase::Parked { .. } => None,
        }
    }

    async fn progress(&mut self) -> Progress {
        let Phase::Trying { attempt, steps, .. } = self else { return std::future::pending().await };
        tokio::select! {
            result = attempt => Progress::Done(Box::new(result)),
            Ok(()) = steps.changed() => Progress::Step(*steps.borrow_and_update()),
        }
    }
}

fn new_stream() -> (StanzaStream, mpsc::Receiver<Slot>) {
    let (asks, slots) = mpsc::channel(1);
    let reconnector = move |_, sender| {
        // Refused only when the line was built anew; the slot then retires.
        let _ = asks.try_send(Slot::new(sender));
    };
    (StanzaStream::new(Box::new(reconnector), QUEUE_DEPTH), slots)
}

fn asks_for_password(cause: &LoginCause) -> bool {
    matches!(cause, LoginCause::WrongPassword | LoginCause::Refused { .. })
}

/// Waits until the oldest stanza has left the queue, in whatever way.
async fn left(queued: &mut VecDeque<StanzaToken>) {
    if let Some(oldest) = queued.front_mut() {
        // A token that is gone has left too.
        let _ = oldest.wait_for(StanzaStage::Sent).await;
    }
}

/// Sleeps until then, or for ever.
pub(super) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
