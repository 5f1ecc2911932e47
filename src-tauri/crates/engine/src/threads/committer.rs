//! Committer: turns what the watcher saw into commits.
//!
//! Waits for complete batches of `Changes`; hands the planner what is new, and the applier what is to be filled;
//! publishes commits, held deletions and what could not be read. Ends when told to stop. Content is hashed and stored
//! off the desk; the commit is one visit to it, so that merges and placements go on meanwhile.
//!
//! Order: the objects are durable before the commit names them, since both are made durable by one `syncfs` before the
//! branch moves.

mod moves;
mod record;
mod restore;
mod survey;
mod take_in;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tributary_formats::tree_path::TreePath;
use tributary_planner::{Input, Origin};
use tributary_status::{HeldAnswer, ProblemCode};

use self::record::{Deletions, RecordError, Recorded};
use self::survey::{Identity, Moved};
use self::take_in::{TakeInError, Taken};
use crate::folder_facts::{Fact, FactSender};
use crate::state::arrivals::Arrivals;
use crate::state::changes::Changes;
use crate::state::deletions::{self, More, Storm};
use crate::state::desk::{Desk, DeskError, DeskHandle};
use crate::state::facts;
use crate::state::places::Places;
use crate::state::problems::{disk_full, problem};
use crate::state::repositories::Repositories;
use crate::state::room::{Rest, Room, is_full};

/// A file that somebody still writes says so by an event when it is closed. Some never do (mapped memory, network file
/// systems), so it is looked at again after this long as well.
const BUSY_PAUSE: Duration = Duration::from_secs(2);

/// Pause before what could not be read or stored is tried again.
const FAULT_PAUSE: Duration = Duration::from_secs(3);

/// For so long a file that went is known again under a new name, after its deletion was committed: on a busy machine the
/// two halves of a rename can be seen far apart.
const RECOGNISED: Duration = Duration::from_secs(10);

/// Most names that a problem or a status lists.
const EXAMPLES: usize = 100;

/// The committer's wiring.
pub(crate) struct Committer {
    pub(crate) changes: Arc<Changes>,
    pub(crate) desk: DeskHandle,
    pub(crate) repositories: Repositories,
    pub(crate) places: Places,
    pub(crate) facts: FactSender,
    /// Wakes the applier.
    pub(crate) apply: Arc<Arrivals>,
    pub(crate) room: Arc<Room>,
    /// True while the folder rests.
    pub(crate) paused: watch::Receiver<bool>,
    /// A person's answers to held deletions.
    pub(crate) answers: mpsc::Receiver<HeldAnswer>,
    /// How commits are signed off: the repository's description.
    pub(crate) description: String,
}

/// What the committer carries from one batch to the next.
#[derive(Default)]
struct Carried {
    /// Gone, and not committed: postponed or held.
    gone: BTreeSet<TreePath>,
    /// What the gone files were, so that they are recognised under a new name.
    moved: HashMap<Identity, Moved>,
    /// When that is forgotten: some time after the last of them was committed.
    forgotten_at: Option<Instant>,
    held: bool,
    /// When deletions come, and whether some wait.
    storm: Storm,
    /// Deletions that were committed a short while ago: when, and how many.
    deleted: VecDeque<(Instant, usize)>,
    odd: BTreeSet<TreePath>,
    unreadable: BTreeSet<TreePath>,
    /// Those for which there was no room.
    full: BTreeSet<TreePath>,
    /// While there is no room even for a commit, no batch is taken: its files would be read for nothing.
    rest: Option<Rest>,
}

impl Carried {
    /// Of how many files that went the new names may come yet. What is held was looked for already.
    fn may_be_moved(&self) -> usize {
        if self.held || self.gone.is_empty() { 0 } else { self.moved.len() }
    }

    /// The gone files are known again for a while, when all of them are committed; else until they are.
    fn recognise(&mut self, now: Instant) {
        let some = self.gone.is_empty() && !self.moved.is_empty();
        self.forgotten_at = some.then(|| now + RECOGNISED);
    }

    fn forget_moved(&mut self) {
        self.moved = HashMap::new();
        self.forgotten_at = None;
    }

    /// How the deletions of a batch are to be treated, when `more` waits.
    fn judge(&mut self, more: More) -> Deletions {
        // What is held is decided already: it is part of no move that goes on.
        let gone = if self.held { 0 } else { self.gone.len() };
        let turn = self.storm.turn(Instant::now(), gone, more);
        Deletions::Judge { turn, recent: self.deleted_lately(), held: self.held }
    }

    /// How many files were deleted within the time that counts together.
    fn deleted_lately(&mut self) -> usize {
        while self.deleted.front().is_some_and(|(at, _)| at.elapsed() > deletions::MEMORY) {
            self.deleted.pop_front();
        }
        self.deleted.iter().map(|(_, count)| count).sum()
    }
}

/// Why a batch was not committed.
#[derive(Debug, thiserror::Error)]
enum BatchError {
    #[error(transparent)]
    Desk(#[from] DeskError),
    #[error(transparent)]
    TakeIn(#[from] TakeInError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Open(#[from] tributary_repo::repository::OpenError),
}

/// Runs until told to stop.
pub(crate) async fn run(mut committer: Committer, stop: CancellationToken) {
    let mut carried = Carried::default();
    loop {
        if *committer.paused.borrow_and_update() {
            let resumed = committer.paused.wait_for(|paused| !paused);
            if !matches!(stop.run_until_cancelled(resumed).await, Some(Ok(_))) {
                return;
            }
        }
        if let Some(rest) = &mut carried.rest {
            tokio::select! {
                () = stop.cancelled() => return,
                () = rest.over() => carried.rest = None,
                Some(answer) = committer.answers.recv() => committer.answer(answer, &mut carried).await,
                changed = committer.paused.changed() => if changed.is_err() { return },
            }
            continue;
        }
        let over = carried.storm.over_at(Instant::now());
        let forgotten = carried.forgotten_at;
        tokio::select! {
            () = stop.cancelled() => return,
            batch = committer.changes.next_batch(carried.may_be_moved()) => {
                committer.batch(batch, false, &mut carried).await;
                committer.changes.done();
                if committer.changes.is_all_taken_in() {
                    committer.desk.with(Desk::note_whole).await;
                }
            }
            () = at(over) => committer.batch(vec![], false, &mut carried).await,
            () = at(forgotten) => carried.forget_moved(),
            Some(answer) = committer.answers.recv() => committer.answer(answer, &mut carried).await,
            changed = committer.paused.changed() => if changed.is_err() { return },
        }
    }
}

/// Ends at that moment.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

impl Committer {
    /// Commits a batch, with what is carried; `meant` when a person said that the deletions are.
    async fn batch(&self, batch: Vec<TreePath>, meant: bool, carried: &mut Carried) {
        let kept = batch.clone();
        if let Err(error) = self.try_batch(batch, meant, carried).await {
            tracing::warn!(%error, "a batch was not committed");
            let repositories = self.repositories.clone();
            tokio::task::spawn_blocking(move || repositories.clear_locks()).await.ok();
            let sentence = format!("Changes could not be committed: {}.", chain(&error));
            if is_full(&error) {
                carried.rest = Some(self.room.rest());
                self.changes.add(kept);
                self.facts.send(Fact::Raise(disk_full("commit", sentence))).ok();
            } else {
                self.again_after(kept, FAULT_PAUSE);
                let hint = "It is tried again. If it stays, run `trib doctor`.";
                self.facts.send(Fact::Raise(problem(ProblemCode::Internal, "commit", sentence, hint))).ok();
            }
        } else {
            for code in [ProblemCode::DiskFull, ProblemCode::Internal] {
                self.facts.send(Fact::Clear(code, "commit".into())).ok();
            }
        }
    }

    async fn try_batch(
        &self,
        batch: Vec<TreePath>,
        meant: bool,
        carried: &mut Carried,
    ) -> Result<(), BatchError> {
        for path in &batch {
            carried.full.remove(path);
            carried.unreadable.remove(path);
        }
        let mut found = self.desk.with(move |desk| survey::survey(desk, batch)).await?;
        let went = !found.gone.is_empty();
        if found.torn {
            self.apply.versions();
        }
        carried.gone.extend(found.gone.drain(..));
        carried.moved.extend(found.moved.drain());
        found.moved.clone_from(&carried.moved);
        self.again_after(std::mem::take(&mut found.busy), BUSY_PAUSE);
        self.tell_odd(&found, carried);
        let repositories = self.repositories.clone();
        let taken =
            tokio::task::spawn_blocking(move || repositories.with(|repo| take_in::take_in(repo, &found)))
                .await
                .expect("taking in does not panic");
        let Taken { entries, again, unreadable, full } = taken??;
        self.changes.add(again);
        self.tell_unreadable(unreadable, carried);
        self.tell_full(full, carried);
        let deletions = match meant {
            true => Deletions::Meant,
            false => carried.judge(self.changes.more()),
        };
        let gone = std::mem::take(&mut carried.gone);
        let kept = gone.clone();
        let message = format!("tributary in {}", self.description);
        let (places, tell) = (self.places.clone(), self.facts.clone());
        let recorded = self
            .desk
            .with(move |desk| {
                let recorded = record::record(desk, &entries, &gone, deletions, &message)?;
                let mut inputs = Vec::new();
                let contents = facts::of_keys(desk, &places, &recorded.keys, true)?;
                if !contents.is_empty() {
                    inputs.push(Input::Contents(contents));
                }
                if recorded.commit.is_some() {
                    inputs.push(Input::Heads { heads: facts::heads_to_tell(desk)?, origin: Origin::Local });
                }
                // At the desk, so that no older truth comes after it. Sent even when empty: the conductor learns that a
                // batch ended.
                tell.send(Fact::Planner(inputs)).ok();
                Ok::<_, RecordError>(recorded)
            })
            .await;
        // What was not committed is not forgotten: nothing but a scan would find it gone again.
        let recorded = recorded.inspect_err(|_| carried.gone.extend(kept))?;
        let Recorded { commit, changes, again, postponed, held, conflicts, to_apply, deleted, .. } = recorded;
        // What a person said was meant is no reason to ask again.
        if deleted > 0 && !meant {
            carried.deleted.push_back((Instant::now(), deleted));
        }
        self.changes.add(again);
        let deletions = went && (deleted > 0 || !postponed.is_empty());
        carried.storm.batch_ended(Instant::now(), deletions, !postponed.is_empty());
        self.changes.undecided(!postponed.is_empty());
        carried.gone.extend(postponed);
        self.tell_held(held, carried);
        if went || !carried.gone.is_empty() || carried.forgotten_at.is_none() {
            carried.recognise(Instant::now());
        }
        if to_apply {
            self.apply.versions();
        }
        if commit.is_some() {
            self.facts.send(Fact::Committed { changes }).ok();
            if !conflicts.is_empty() {
                self.facts.send(Fact::Merged { from: vec![], conflicts }).ok();
            }
        }
        Ok(())
    }

    async fn answer(&self, answer: HeldAnswer, carried: &mut Carried) {
        match answer {
            HeldAnswer::Delete => self.batch(vec![], true, carried).await,
            HeldAnswer::Restore => {
                let gone = std::mem::take(&mut carried.gone);
                carried.forget_moved();
                carried.held = false;
                carried.storm.batch_ended(Instant::now(), false, false);
                self.changes.undecided(false);
                if let Err(error) = self.desk.with(move |desk| restore::restore(desk, &gone)).await {
                    tracing::warn!(%error, "deleted files could not be put back");
                }
                self.apply.versions();
                self.facts.send(Fact::Held { count: 0, reason: String::new(), files: vec![] }).ok();
            }
        }
    }

    fn tell_held(&self, held: Option<(String, BTreeSet<TreePath>)>, carried: &mut Carried) {
        let was_held = carried.held;
        carried.held = held.is_some();
        match held {
            Some((reason, paths)) => {
                let files = paths.iter().take(EXAMPLES).map(TreePath::to_string_lossy).collect();
                self.facts.send(Fact::Held { count: paths.len(), reason, files }).ok();
                carried.gone.extend(paths);
            }
            None if was_held => {
                self.facts.send(Fact::Held { count: 0, reason: String::new(), files: vec![] }).ok();
            }
            None => {}
        }
    }

    fn tell_odd(&self, found: &survey::Survey, carried: &mut Carried) {
        let before = carried.odd.len();
        for (path, _) in found.files.iter().chain(&found.links) {
            carried.odd.remove(path);
        }
        for path in &carried.gone {
            carried.odd.remove(path);
        }
        carried.odd.extend(found.odd.iter().cloned());
        if carried.odd.len() != before || !found.odd.is_empty() {
            let examples = carried.odd.iter().take(EXAMPLES).map(TreePath::to_string_lossy).collect();
            self.facts.send(Fact::NotSynced { count: carried.odd.len(), examples }).ok();
        }
    }

    fn tell_unreadable(&self, unreadable: Vec<(TreePath, std::io::Error)>, carried: &mut Carried) {
        let cause = unreadable.first().map(|(_, error)| error.to_string());
        let paths: Vec<_> = unreadable.into_iter().map(|(path, _)| path).collect();
        carried.unreadable.extend(paths.iter().cloned());
        self.again_after(paths, FAULT_PAUSE);
        if let (Some(cause), Some(first)) = (cause, carried.unreadable.first()) {
            let others = match carried.unreadable.len() - 1 {
                0 => String::new(),
                1 => " and 1 other file".into(),
                n => format!(" and {n} other files"),
            };
            let sentence = format!("{}{others} cannot be read: {cause}.", first.to_string_lossy());
            let hint = "Give yourself permission to read them; they are synced then.";
            self.facts.send(Fact::Raise(problem(ProblemCode::Unreadable, "files", sentence, hint))).ok();
        } else if carried.unreadable.is_empty() {
            self.facts.send(Fact::Clear(ProblemCode::Unreadable, "files".into())).ok();
        }
    }

    fn tell_full(&self, full: Vec<TreePath>, carried: &mut Carried) {
        carried.full.extend(full.iter().cloned());
        if carried.full.is_empty() {
            self.facts.send(Fact::Clear(ProblemCode::DiskFull, "store".into())).ok();
            return;
        }
        if !full.is_empty() {
            let (mut rest, changes) = (self.room.rest(), self.changes.clone());
            tokio::spawn(async move {
                rest.over().await;
                changes.add(full);
            });
        }
        let sentence = match carried.full.len() {
            1 => "The disk is full: 1 changed file waits to be kept.".into(),
            n => format!("The disk is full: {n} changed files wait to be kept."),
        };
        self.facts.send(Fact::Raise(disk_full("store", sentence))).ok();
    }

    /// Puts paths back after a pause, for the cases in which no event will say that they are ready.
    fn again_after(&self, paths: Vec<TreePath>, pause: Duration) {
        if paths.is_empty() {
            return;
        }
        let changes = self.changes.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            changes.add(paths);
        });
    }
}

/// An error with its causes, for a person: without the system's numbers.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let said = |error: &(dyn std::error::Error + 'static)| {
        let text = error.to_string();
        // What follows the number is the name of a file of our own in the making.
        match text.split_once(" (os error ") {
            Some((said, _)) if error.is::<std::io::Error>() => said.to_owned(),
            _ => text,
        }
    };
    let mut text = said(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = said(error);
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use tributary_remotes::{PlaceError, RemoteName};

    use super::*;

    #[test]
    fn people_are_told_what_the_system_said_and_not_its_numbers() {
        let source = std::io::Error::from_raw_os_error(5);
        let error = PlaceError::of(&RemoteName::new("drive"), source);
        assert_eq!(chain(&error), "drive cannot be reached: Input/output error");
        let cause = std::io::Error::from_raw_os_error(28);
        let error = std::io::Error::new(cause.kind(), format!("{cause} at path \"/tmp_pack\""));
        assert_eq!(chain(&error), "No space left on device");
    }
}
