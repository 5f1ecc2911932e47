//! The board: what the engine tells everybody who looks, as numbered events and one snapshot.
//!
//! Writers never wait for readers: a slow listener misses events, notices the gap in the numbers, and asks for the
//! snapshot. The worst state of all folders and the account is the state of the whole.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::broadcast;
use tributary_status::{
    Account, AccountState, Event, FolderState, FolderStatus, NumberedEvent, PairingStatus, PeerStatus,
    Problem, ProblemAction, ProblemCode, Settings, Snapshot,
};

/// Events that a listener may lag behind before it has to ask for the snapshot.
const BACKLOG: usize = 1024;

/// Events and snapshot of one engine.
#[derive(Debug)]
pub struct Board {
    inner: Mutex<Inner>,
    events: broadcast::Sender<NumberedEvent>,
}

#[derive(Debug, Default)]
struct Inner {
    number: u64,
    /// In the order in which they were added.
    order: Vec<PathBuf>,
    folders: BTreeMap<PathBuf, FolderStatus>,
    account: Option<Account>,
    pairings: Vec<PairingStatus>,
    peers: Vec<PeerStatus>,
    problems: Vec<Problem>,
    settings: Settings,
    shown: Option<(FolderState, String)>,
}

impl Board {
    /// An empty board.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            inner: Mutex::new(Inner { settings, ..Inner::default() }),
            events: broadcast::channel(BACKLOG).0,
        }
    }

    /// Events from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<NumberedEvent> {
        self.events.subscribe()
    }

    /// Everything, at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let inner = self.lock();
        let (state, sentence) = inner.overall();
        Snapshot {
            version: env!("CARGO_PKG_VERSION").into(),
            event: inner.number,
            state,
            sentence,
            account: inner.account.clone(),
            folders: inner.order.iter().filter_map(|path| inner.folders.get(path)).cloned().collect(),
            pairings: inner.pairings.clone(),
            peers: inner.peers.clone(),
            problems: inner.problems.clone(),
            settings: inner.settings.clone(),
        }
    }

    /// The status of the folder at this path.
    #[must_use]
    pub fn folder(&self, path: &std::path::Path) -> Option<FolderStatus> {
        self.lock().folders.get(path).cloned()
    }

    /// Tells that something happened.
    pub fn publish(&self, event: Event) {
        let mut inner = self.lock();
        self.send(&mut inner, event);
    }

    /// Puts up a folder's status; says what changed.
    pub fn set_folder(&self, path: &std::path::Path, status: FolderStatus) {
        let mut inner = self.lock();
        let before = inner.folders.get(path);
        if before == Some(&status) {
            return;
        }
        let (raised, cleared) =
            difference(before.map_or(&[][..], |before| &before.problems), &status.problems);
        let name = status.path.clone();
        if before.is_none() {
            inner.order.push(path.into());
            self.send(&mut inner, Event::FolderAdded { folder: name.clone() });
        }
        inner.folders.insert(path.into(), status);
        for problem in raised {
            self.send(&mut inner, Event::ProblemRaised { folder: Some(name.clone()), problem });
        }
        for problem in cleared {
            self.send(&mut inner, Event::ProblemCleared { folder: Some(name.clone()), problem });
        }
        self.send(&mut inner, Event::FolderChanged { folder: name });
        self.send_state(&mut inner);
    }

    /// Takes a folder down.
    pub fn remove_folder(&self, path: &std::path::Path) {
        let mut inner = self.lock();
        inner.order.retain(|known| known != path);
        if let Some(status) = inner.folders.remove(path) {
            self.send(&mut inner, Event::FolderRemoved { folder: status.path });
        }
        self.send_state(&mut inner);
    }

    /// Puts up how the account is doing.
    pub fn set_account(&self, account: Option<Account>) {
        let mut inner = self.lock();
        if inner.account != account {
            inner.account = account;
            self.send(&mut inner, Event::AccountChanged);
            self.send_state(&mut inner);
        }
    }

    /// Puts up the pairings that are under way.
    pub fn set_pairings(&self, pairings: Vec<PairingStatus>) {
        let mut inner = self.lock();
        if inner.pairings != pairings {
            inner.pairings = pairings;
            self.send(&mut inner, Event::PairingsChanged);
        }
    }

    /// Puts up the paired computers.
    pub fn set_peers(&self, peers: Vec<PeerStatus>) {
        let mut inner = self.lock();
        if inner.peers != peers {
            inner.peers = peers;
            self.send(&mut inner, Event::PairingsChanged);
        }
    }

    /// Puts up the settings.
    pub fn set_settings(&self, settings: Settings) {
        let mut inner = self.lock();
        if inner.settings != settings {
            inner.settings = settings;
            self.send(&mut inner, Event::SettingsChanged);
        }
    }

    /// The settings as they are put up.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.lock().settings.clone()
    }

    /// Raises a problem that belongs to no folder; the same one again only updates its words.
    pub fn raise(&self, problem: Problem) {
        let mut inner = self.lock();
        match inner.problems.iter_mut().find(|known| same(known, &problem)) {
            Some(known) => {
                let since = std::mem::take(&mut known.since);
                *known = Problem { since, ..problem };
            }
            None => {
                inner.problems.push(problem.clone());
                self.send(&mut inner, Event::ProblemRaised { folder: None, problem });
            }
        }
        self.send_state(&mut inner);
    }

    /// Clears the problems of this kind that belong to no folder.
    pub fn clear(&self, code: ProblemCode) {
        self.clear_where(|known| known.code == code);
    }

    /// Clears the problem of this kind that is about this subject, and that belongs to no folder.
    pub fn clear_about(&self, code: ProblemCode, subject: &str) {
        self.clear_where(|known| known.code == code && known.subject == subject);
    }

    /// Clears a problem that a person has read and can do nothing about. Whether there was one: others stay until they
    /// are solved.
    pub fn dismiss(&self, code: ProblemCode, subject: &str) -> bool {
        self.clear_where(|known| {
            known.action == Some(ProblemAction::Dismiss) && known.code == code && known.subject == subject
        })
    }

    fn clear_where(&self, is_gone: impl Fn(&Problem) -> bool) -> bool {
        let mut inner = self.lock();
        let (gone, kept): (Vec<_>, _) = std::mem::take(&mut inner.problems).into_iter().partition(is_gone);
        inner.problems = kept;
        let found = !gone.is_empty();
        for problem in gone {
            self.send(&mut inner, Event::ProblemCleared { folder: None, problem });
        }
        self.send_state(&mut inner);
        found
    }

    fn send(&self, inner: &mut Inner, event: Event) {
        inner.number += 1;
        // Nobody listening is no fault: the snapshot has it.
        let _ = self.events.send(NumberedEvent { number: inner.number, event });
    }

    fn send_state(&self, inner: &mut Inner) {
        let now = inner.overall();
        if inner.shown.as_ref() != Some(&now) {
            inner.shown = Some(now.clone());
            self.send(inner, Event::StateChanged { state: now.0, sentence: now.1 });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no writer panics while it holds the board")
    }
}

impl Inner {
    /// The worst state of all, and one sentence that says it.
    fn overall(&self) -> (FolderState, String) {
        if let Some(problem) = self.problems.iter().find(|problem| problem.needs_you) {
            return (FolderState::NeedsYou, problem.sentence.clone());
        }
        if let Some(account) = &self.account
            && account.state == AccountState::NeedsYou
        {
            return (FolderState::NeedsYou, account.sentence.clone());
        }
        let folders = || self.order.iter().filter_map(|path| self.folders.get(path));
        let Some(state) = folders().map(|folder| folder.state).max() else {
            return (FolderState::UpToDate, "No folder yet.".into());
        };
        let sentence = match folders().filter(|folder| folder.state == state).collect::<Vec<_>>().as_slice() {
            [only] => only.sentence.clone(),
            several => match state {
                FolderState::UpToDate => {
                    let files: u64 = several.iter().map(|folder| folder.files).sum();
                    format!("All {files} files in {} folders are up to date.", several.len())
                }
                FolderState::Waiting => format!("{} folders wait for a place that is away.", several.len()),
                FolderState::Working => format!("{} folders are syncing.", several.len()),
                FolderState::Paused => format!("{} folders are paused.", several.len()),
                FolderState::NeedsYou => format!("{} folders need you.", several.len()),
            },
        };
        (state, sentence)
    }
}

/// Whether two problems are the same one, whatever their words.
fn same(one: &Problem, other: &Problem) -> bool {
    one.code == other.code && one.subject == other.subject
}

/// What was raised and what was cleared between two lists of problems.
fn difference(before: &[Problem], after: &[Problem]) -> (Vec<Problem>, Vec<Problem>) {
    let only_in = |left: &[Problem], right: &[Problem]| {
        left.iter().filter(|problem| !right.iter().any(|other| same(problem, other))).cloned().collect()
    };
    (only_in(after, before), only_in(before, after))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn folder(path: &str, state: FolderState) -> FolderStatus {
        let status = FolderStatus::new(path, state, format!("{path} is {state:?}."));
        FolderStatus { uuid: "u".into(), files: 3, bytes: 3, ..status }
    }

    fn problem(code: ProblemCode, needs_you: bool) -> Problem {
        Problem {
            code,
            sentence: "It broke.".into(),
            hint: "Mend it.".into(),
            since: "2026-01-01T00:00:00Z".into(),
            action: None,
            needs_you,
            subject: "x".into(),
        }
    }

    #[test]
    fn what_is_only_to_be_known_goes_by_being_read_and_nothing_else_does() {
        let board = Board::new(Settings::default());
        board.raise(problem(ProblemCode::KeyringUnavailable, true));
        board
            .raise(Problem { action: Some(ProblemAction::Dismiss), ..problem(ProblemCode::PeerLeft, false) });
        assert!(!board.dismiss(ProblemCode::KeyringUnavailable, "x"), "that stays until it is solved");
        assert!(!board.dismiss(ProblemCode::PeerLeft, "y"), "that is about something else");
        assert!(board.dismiss(ProblemCode::PeerLeft, "x"));
        assert!(!board.dismiss(ProblemCode::PeerLeft, "x"), "it is gone");
        let left: Vec<_> = board.snapshot().problems.iter().map(|problem| problem.code).collect();
        assert_eq!(left, [ProblemCode::KeyringUnavailable]);
    }

    #[test]
    fn the_worst_state_wins() {
        let board = Board::new(Settings::default());
        board.set_folder(Path::new("/a"), folder("/a", FolderState::UpToDate));
        board.set_folder(Path::new("/b"), folder("/b", FolderState::Working));
        assert_eq!(board.snapshot().sentence, "/b is Working.");
        board.raise(problem(ProblemCode::KeyringUnavailable, true));
        assert_eq!(board.snapshot().state, FolderState::NeedsYou);
        board.clear(ProblemCode::KeyringUnavailable);
        assert_eq!(board.snapshot().state, FolderState::Working);
    }

    #[test]
    fn a_problem_is_raised_once_and_cleared_once() {
        let board = Board::new(Settings::default());
        let mut events = board.subscribe();
        let mut broken = folder("/a", FolderState::NeedsYou);
        broken.problems.push(problem(ProblemCode::DiskFull, true));
        board.set_folder(Path::new("/a"), broken.clone());
        broken.files = 4;
        board.set_folder(Path::new("/a"), broken);
        board.set_folder(Path::new("/a"), folder("/a", FolderState::UpToDate));
        let (mut raised, mut cleared, mut last) = (0, 0, 0);
        while let Ok(NumberedEvent { number, event }) = events.try_recv() {
            assert_eq!(number, last + 1, "a gap would make every listener ask for the snapshot");
            last = number;
            raised += u32::from(matches!(event, Event::ProblemRaised { .. }));
            cleared += u32::from(matches!(event, Event::ProblemCleared { .. }));
        }
        assert_eq!((raised, cleared), (1, 1));
    }

    #[test]
    fn the_same_status_again_is_no_event() {
        let board = Board::new(Settings::default());
        board.set_folder(Path::new("/a"), folder("/a", FolderState::UpToDate));
        let mut events = board.subscribe();
        board.set_folder(Path::new("/a"), folder("/a", FolderState::UpToDate));
        assert!(events.try_recv().is_err());
    }
}
