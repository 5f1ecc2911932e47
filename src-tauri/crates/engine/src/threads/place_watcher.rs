//! Place watcher: sees places on this machine come and go: drives, mounts, folders that are renamed.
//!
//! Waits for the system's word that the mount table changed, and looks again after growing pauses while a place is
//! away; tells the planner what is there. Ends when told to stop. A place over the network is always tried: whether it
//! answers is found out by asking it.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio_util::sync::CancellationToken;
use tributary_planner::{Input, PlaceId};
use tributary_status::ProblemCode;

use crate::folder_facts::{Fact, FactSender};
use crate::state::places::{PlaceRow, Places};
use crate::state::problems::problem;

/// First and longest pause between two looks at a place that is away; a look is one `stat`.
const AWAY_PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// Pause between two looks while all are there: most of them that go are noticed when they are used.
const THERE_PAUSE: Duration = Duration::from_secs(30);

/// The mount table as this process sees it; the system marks it as exceptional when it changed.
const MOUNTS: &str = "/proc/self/mountinfo";

/// The place watcher's wiring.
pub(crate) struct PlaceWatcher {
    pub(crate) places: Places,
    pub(crate) facts: FactSender,
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
    let mut there = BTreeMap::new();
    let mut pause = THERE_PAUSE;
    loop {
        let away = watcher.look(&mut there);
        pause = match away {
            0 => THERE_PAUSE,
            _ if pause == THERE_PAUSE => AWAY_PAUSE.0,
            _ => (pause * 2).min(AWAY_PAUSE.1),
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = mounted(mounts.as_ref()) => pause = THERE_PAUSE,
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

impl PlaceWatcher {
    /// Looks at every place on this machine and tells what changed. Returns how many are away.
    fn look(&self, there: &mut BTreeMap<PlaceId, bool>) -> usize {
        let rows = self.places.rows();
        there.retain(|id, _| rows.iter().any(|row| row.id == *id));
        let mut away = 0;
        let mut inputs = Vec::new();
        for row in rows.iter() {
            let now = row.local_path().is_none_or(std::path::Path::exists);
            away += usize::from(!now);
            if there.insert(row.id, now) == Some(now) {
                continue;
            }
            inputs.push(if now { Input::PlaceUp(row.id) } else { Input::PlaceDown(row.id) });
            self.tell(row, now);
        }
        if !inputs.is_empty() {
            self.facts.send(Fact::Planner(inputs)).ok();
        }
        away
    }

    fn tell(&self, row: &PlaceRow, there: bool) {
        let fact = if there {
            Fact::Clear(ProblemCode::PlaceUnreachable, row.name.clone())
        } else {
            let sentence = format!("{} is not there: {} is missing.", row.name, row.url());
            let hint = "Plug the drive in or mount it. What waits for it goes on by itself.";
            Fact::Raise(problem(ProblemCode::PlaceUnreachable, &row.name, sentence, hint))
        };
        self.facts.send(fact).ok();
    }
}
