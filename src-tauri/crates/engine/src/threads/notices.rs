//! Notices: tells each paired device what changed since it was told last, and takes in what they tell.
//!
//! Waits for changes of the book of peers and of the folders' keys, for devices that come online, for what they say, and
//! for the time to try again. So who was off hears it when it comes; and the first exchange after a pairing is the trial
//! that makes it count. Renews a folder's key whenever somebody was removed who knows it. Ends when told to stop.

mod farewells;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tributary_formats::uuid::RepoUuid;
use tributary_xmpp::device::DeviceId;
use tributary_xmpp::notice::Notice;
use zeroize::Zeroizing;

use crate::pairing::notice;
use crate::state::board::Board;
use crate::state::own_device::{OwnDevice, Secrets};
use crate::state::peers::Peers;
use crate::threads::committer::chain;
use crate::threads::notices::farewells::Farewells;
use crate::tunnel::{NoticeCall, NoticeError, Said, Tunnels};

/// First and longest pause before a device that is online and did not take a notice in is told again. It may not have
/// heard of us yet, from whoever introduces us.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// Notices that wait to be taken in. Each is the whole truth of one device, and these are few.
pub(crate) const WAITING: usize = 8;

/// The notices thread's wiring.
pub(crate) struct Notices {
    pub(crate) peers: Peers,
    pub(crate) device: OwnDevice,
    pub(crate) tunnels: Tunnels,
    pub(crate) board: Arc<Board>,
    pub(crate) calls: mpsc::Receiver<NoticeCall>,
}

/// How far a device has been told.
#[derive(Default)]
struct Told {
    /// What it took in last.
    last: Option<Zeroizing<Vec<u8>>>,
    /// When it came online; it is tried at once when it comes again.
    came: u64,
    pause: Option<Duration>,
    again_at: Option<Instant>,
    under_way: bool,
}

/// What came of telling a device.
type Outcome = (DeviceId, Zeroizing<Vec<u8>>, Result<(), NoticeError>);

/// Runs until told to stop.
pub(crate) async fn run(mut notices: Notices, stop: CancellationToken) {
    let (mut paired, mut secrets) = (notices.peers.changes(), notices.device.changes());
    let (mut present, mut knocks) = (notices.tunnels.presence_changes(), notices.tunnels.knocks());
    let (mut farewells, mut knocked) = (Farewells::default(), false);
    let mut told: BTreeMap<DeviceId, Told> = BTreeMap::new();
    let mut under_way: JoinSet<Outcome> = JoinSet::new();
    loop {
        // What changes from here on is looked at in the next round.
        paired.mark_unchanged();
        secrets.mark_unchanged();
        present.mark_unchanged();
        let farewell_at = farewells.say(&notices.peers, &notices.tunnels, std::mem::take(&mut knocked));
        notices.renew_what_is_known_outside().await;
        let again_at = [farewell_at, notices.tell_all(&mut told, &mut under_way)].into_iter().flatten().min();
        let again = async {
            match again_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            // No sender ends before this thread does.
            Ok(()) = paired.changed() => {}
            Ok(()) = secrets.changed() => {}
            Ok(()) = present.changed() => {}
            Ok(()) = knocks.changed() => knocked = true,
            Some(said) = farewells.next() => farewells.said(&notices.peers, said),
            Some(call) = notices.calls.recv() => notices.hear(call, &mut told).await,
            Some(done) = under_way.join_next() => {
                let (device, said, outcome) = done.expect("telling does not panic");
                told.entry(device).or_default().ended(device, said, outcome);
            }
            () = again => {}
        }
    }
}

impl Notices {
    /// Tells every device that is online and was not told what holds now. Gives when one is to be tried again.
    fn tell_all(
        &self,
        told: &mut BTreeMap<DeviceId, Told>,
        under_way: &mut JoinSet<Outcome>,
    ) -> Option<Instant> {
        let secrets = self.device.now()?;
        let peers = self.peers.all();
        told.retain(|device, told| told.under_way || peers.iter().any(|peer| peer.id() == *device));
        let mut next: Option<Instant> = None;
        for peer in peers {
            let Some(came) = self.tunnels.is_online(&peer) else { continue };
            let device = peer.id();
            let told = told.entry(device).or_default();
            if told.came != came {
                *told = Told { came, last: told.last.take(), under_way: told.under_way, ..Told::default() };
            }
            let say = notice::compose(&peer, &self.peers, &secrets).encode();
            if told.under_way || told.last.as_ref() == Some(&say) {
                continue;
            }
            match told.again_at {
                Some(at) if at > Instant::now() => next = Some(next.map_or(at, |next| next.min(at))),
                _ => {
                    told.under_way = true;
                    let tunnels = self.tunnels.clone();
                    under_way.spawn(async move {
                        let outcome = tunnels.tell(device, say.to_vec()).await;
                        (device, say, outcome)
                    });
                }
            }
        }
        next
    }

    /// Takes in what a device said. Who was not understood hears that, by the answer that does not come.
    async fn hear(&self, call: NoticeCall, told: &mut BTreeMap<DeviceId, Told>) {
        let (Some(secrets), Some(peer)) = (self.device.now(), self.peers.get(call.from)) else { return };
        let said = match &call.said {
            Said::Notice(said) => said,
            Said::Farewell => {
                if farewells::take_in(&peer, &self.peers, &self.device, &self.board).await {
                    // Who asked may be gone.
                    call.taken.send(()).ok();
                }
                return;
            }
        };
        let Some(said) = Notice::decode(said) else {
            return tracing::info!(device = %call.from, "what a paired computer said makes no sense");
        };
        let now = now();
        let keys = notice::keys_in(&said, &peer, &secrets, now);
        if let Err(error) = self.keep(keys, &secrets).await {
            return tracing::warn!(%error, "the keys that a paired computer renewed could not be kept");
        }
        if let Err(error) = notice::take_in(&said, &peer, &self.peers, &secrets, now) {
            return tracing::warn!(error = chain(&error), "what a paired computer said could not be kept");
        }
        let connected = self.peers.get(call.from).is_some_and(|peer| peer.is_connected());
        if connected && !said.connected {
            // It was paired anew there: what it took in before does not count any more.
            told.entry(call.from).or_default().last = None;
        }
        // Who asked may be gone.
        call.taken.send(()).ok();
    }

    async fn keep(
        &self,
        keys: Vec<notice::HeardKey>,
        secrets: &Arc<Secrets>,
    ) -> Result<(), crate::secrets::SecretError> {
        // A keyring may be slow, so it is not written for nothing.
        let mut tried = (**secrets).clone();
        let news = keys.iter().filter(|heard| tried.hear(&heard.ours, &heard.key, heard.renewed)).count();
        if news == 0 {
            return Ok(());
        }
        self.device
            .change(|secrets| {
                for heard in &keys {
                    secrets.hear(&heard.ours, &heard.key, heard.renewed);
                }
            })
            .await
    }

    /// Renews the keys that somebody knows who was removed: here and interrupted, or elsewhere by one that could not
    /// renew them for us.
    async fn renew_what_is_known_outside(&self) {
        let Some(secrets) = self.device.now() else { return };
        let outside = |ours: &&RepoUuid| {
            self.peers.last_removal(ours) > secrets.renewed(ours) && !self.peers.in_folder(ours).is_empty()
        };
        let due: Vec<RepoUuid> = secrets.hint_keys.keys().filter(outside).cloned().collect();
        if due.is_empty() {
            return;
        }
        let renewed = self.device.change(|secrets| {
            for ours in &due {
                secrets.renew(ours, now().max(self.peers.last_removal(ours)));
            }
        });
        if let Err(error) = renewed.await {
            // Until it can be, nothing is sealed with them.
            tracing::warn!(%error, "the keys of the folders' hints could not be renewed");
        }
    }
}

impl Told {
    fn ended(&mut self, device: DeviceId, said: Zeroizing<Vec<u8>>, outcome: Result<(), NoticeError>) {
        self.under_way = false;
        match outcome {
            Ok(()) => {
                tracing::debug!(%device, "a paired computer was told");
                (self.last, self.pause, self.again_at) = (Some(said), None, None);
            }
            Err(error) => {
                tracing::debug!(%device, error = chain(&error), "a paired computer was not told");
                let pause = self.pause.map_or(PAUSE.0, |pause| (pause * 2).min(PAUSE.1));
                (self.pause, self.again_at) = (Some(pause), Some(Instant::now() + pause));
            }
        }
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    u64::try_from(crate::engine::now()).unwrap_or_default()
}
