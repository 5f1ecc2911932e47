//! Place watcher: sees places on this machine come and go: drives, mounts, folders that are renamed or exchanged.
//!
//! Waits for the system's word that the mount table changed or the directory of a place went, for paired devices that
//! come online or leave, and for places that were set up anew; looks again after growing pauses while a place is away;
//! tells the planner what is there. Ends when told to stop. A place over the network is always tried: whether it answers
//! is found out by asking it.

mod departures;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tributary_planner::{Input, PlaceId};
use tributary_remotes::PlaceError;
use tributary_status::ProblemCode;

use self::departures::Departures;
use crate::folder_facts::{Fact, FactSender};
use crate::state::places::{PlaceRow, Places, Reach};
use crate::state::problems::{Deed, problem};
use crate::threads::transferrer::Transferrer;

/// First and longest pause between two looks at a place that is away; a look is one `stat`, or a small file.
const AWAY_PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// Pause between two looks while all are there: those that the system says nothing of are mostly noticed when used.
const THERE_PAUSE: Duration = Duration::from_secs(30);

/// A place that says nothing for so long hangs, as a network file system does whose server is gone.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// The mount table as this process sees it; the system marks it as exceptional when it changed.
const MOUNTS: &str = "/proc/self/mountinfo";

/// The place watcher's wiring.
pub(crate) struct PlaceWatcher {
    pub(crate) places: Places,
    /// Makes special remotes: only they know their mark.
    pub(crate) transferrer: Transferrer,
    pub(crate) facts: FactSender,
}

/// Which directory is at a path: device and inode. Another drive under the same path has another.
type Identity = (u64, u64);

/// What a look found: the directory that is there, or why it does not count as there.
type Look = Result<Identity, String>;

/// What is remembered from look to look.
struct Seen {
    departures: Departures,
    there: BTreeMap<PlaceId, Option<Identity>>,
    /// Looks that hang. Another one would hang as well.
    hanging: BTreeMap<PlaceId, JoinHandle<Look>>,
}

/// Runs until told to stop.
pub(crate) async fn run(watcher: PlaceWatcher, stop: CancellationToken) {
    #[expect(
        deprecated,
        reason = "unsound only for types that lend their descriptor out; a File keeps its own"
    )]
    let mounts = File::open(MOUNTS)
        .and_then(|file| AsyncFd::with_interest(file, Interest::PRIORITY | Interest::ERROR))
        .inspect_err(|error| tracing::info!(%error, "the mount table cannot be watched"))
        .ok();
    let mut presence = watcher.places.presence_changes();
    let mut reads = watcher.places.reads();
    let mut seen = Seen { departures: Departures::new(), there: BTreeMap::new(), hanging: BTreeMap::new() };
    let mut pause = THERE_PAUSE;
    while let Some(away) = stop.run_until_cancelled(watcher.look(&mut seen)).await {
        pause = match away {
            0 => THERE_PAUSE,
            _ if pause == THERE_PAUSE => AWAY_PAUSE.0,
            _ => (pause * 2).min(AWAY_PAUSE.1),
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = mounted(mounts.as_ref()) => pause = THERE_PAUSE,
            () = seen.departures.next() => pause = THERE_PAUSE,
            () = changed(presence.as_mut()) => {}
            () = changed(Some(&mut reads)) => pause = THERE_PAUSE,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Ends when the mount table changed.
async fn mounted(mounts: Option<&AsyncFd<File>>) {
    let Some(mounts) = mounts else { return std::future::pending().await };
    match mounts.ready(Interest::PRIORITY | Interest::ERROR).await {
        // Asked for again, the system reports the next change only.
        Ok(mut ready) => ready.clear_ready(),
        Err(_) => std::future::pending().await,
    }
}

/// Ends at the next news, such as that a paired device came or left.
async fn changed<T>(news: Option<&mut watch::Receiver<T>>) {
    let Some(news) = news else { return std::future::pending().await };
    if news.changed().await.is_err() {
        // Nobody is left to tell.
        std::future::pending().await
    }
}

impl PlaceWatcher {
    /// Looks at every place on this machine, and at which devices are online, and tells what changed, each as soon as it
    /// is known. Returns how many are away.
    async fn look(&self, seen: &mut Seen) -> usize {
        let rows = self.places.rows();
        let known = |id: &PlaceId| rows.iter().any(|row| row.id == *id);
        seen.there.retain(|id, _| known(id));
        seen.hanging.retain(|id, _| known(id));
        let limit = Instant::now() + LOOK_LIMIT;
        let mut looks = FuturesUnordered::new();
        for row in rows.iter() {
            match row.local_path() {
                Some(path) => {
                    let begin = || self.begin(row, path, seen.departures.clone());
                    let mut look = seen.hanging.remove(&row.id).unwrap_or_else(begin);
                    looks.push(async move { (row, timeout_at(limit, &mut look).await, look) });
                }
                // A computer that is off is no fault. Each time that it comes it is looked at anew.
                None if row.peer().is_some() => {
                    let now = self.places.peer_is_there(row).map(|came| (came, 0));
                    if seen.there.insert(row.id, now) != Some(now) {
                        self.tell_planner(row.id, now.is_some());
                    }
                }
                None if seen.there.insert(row.id, None).is_none() => self.tell_planner(row.id, true),
                None => {}
            }
        }
        let mut away = 0;
        while let Some((row, found, look)) = looks.next().await {
            let found = match found {
                Ok(found) => found.expect("looking does not panic"),
                Err(_) => {
                    seen.hanging.insert(row.id, look);
                    Err(format!("{} does not answer", row.url()))
                }
            };
            away += usize::from(found.is_err());
            let now = found.as_ref().ok().copied();
            if seen.there.insert(row.id, now) != Some(now) {
                self.tell_planner(row.id, now.is_some());
                self.tell(row, found.err());
            }
        }
        away
    }

    fn tell_planner(&self, place: PlaceId, there: bool) {
        let input = if there { Input::PlaceUp(place) } else { Input::PlaceDown(place) };
        self.facts.send(Fact::Planner(vec![input])).ok();
    }

    /// Begins to look: a special remote says itself whether it is there, since the bare mount point of its drive is a
    /// folder too.
    fn begin(&self, row: &PlaceRow, path: &Path, departures: Departures) -> JoinHandle<Look> {
        let path = path.to_owned();
        let special = match row.reach {
            Reach::Special { .. } => self.transferrer.special(row).ok(),
            Reach::Git(_) => None,
        };
        tokio::spawn(async move {
            let at = path.clone();
            let found = tokio::task::spawn_blocking(move || {
                // First, so that what goes right after it was seen is not missed.
                departures.watch(&at);
                std::fs::metadata(at)
            })
            .await;
            let found = found.expect("looking does not panic");
            let found = found.map_err(|_| format!("{} is missing", path.display()))?;
            if let Some(special) = special
                && let Err(PlaceError::Unreachable { source, .. }) = special.probe().await
            {
                return Err(format!("{} is there, but {source}", path.display()));
            }
            Ok((found.dev(), found.ino()))
        })
    }

    fn tell(&self, row: &PlaceRow, away: Option<String>) {
        let fault = away.map(|why| {
            let sentence = format!("{} is not there: {why}.", row.name);
            let hint = "Plug the drive in or mount it. What waits for it goes on by itself.";
            problem(ProblemCode::PlaceUnreachable, &row.name, sentence, hint)
        });
        self.facts.send(Fact::Went { place: row.name.clone(), deed: Deed::Look, fault }).ok();
    }
}
