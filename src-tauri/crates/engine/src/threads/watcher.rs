//! Watcher: sees what changes in the folder, and says which paths the committer should look at.
//!
//! Alone in knowing `notify`. One watch per directory, set by our own walk, so that `.git` is not watched; a directory
//! that appears is walked after its watch is set, so that nothing in it is missed. A file is reported when it was
//! closed, renamed, or changed in its permissions. Overflow, a watch limit and a root that is gone are never silence:
//! the folder is walked instead, and a problem says so. Ends when told to stop.

mod halves;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Config, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tributary_formats::tree_path::TreePath;
use tributary_status::ProblemCode;

use self::halves::Halves;
use crate::folder_facts::{Fact, FactSender};
use crate::state::changes::Changes;
use crate::state::desk::DeskHandle;
use crate::state::problems::problem;
use crate::threads::scan::{self, Differences, Walk};

/// Pause between two walks of a folder that cannot be watched.
const WALK_PAUSE: Duration = Duration::from_secs(60);

/// The watcher's wiring.
pub(crate) struct Watcher {
    pub(crate) top: PathBuf,
    pub(crate) desk: DeskHandle,
    pub(crate) changes: Arc<Changes>,
    pub(crate) facts: FactSender,
    /// Asks for a walk; the number comes back when it is done.
    pub(crate) scans: mpsc::UnboundedReceiver<u64>,
}

/// What the watching library tells, as far as it matters.
enum Seen {
    Event(notify::Event),
    Fault(notify::Error),
}

/// Runs until told to stop.
pub(crate) async fn run(mut watcher: Watcher, stop: CancellationToken) {
    let (tell, mut seen) = mpsc::unbounded_channel();
    let mut eyes = None;
    watcher.walk_all(&mut eyes, &tell).await;
    watcher.changes.looked_through();
    let changes = watcher.changes.clone();
    let mut halves = Halves::default();
    // Held while the other half of a rename is waited for.
    let mut _half = None;
    loop {
        let blind = eyes.is_none();
        let too_late = async {
            match halves.until() {
                Some(until) => tokio::time::sleep_until(until.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            Some(first) = seen.recv() => {
                // A directory that was moved goes with one event and comes with the next, and has to be walked then:
                // what it lost is not complete before.
                let _coming = changes.coming();
                let mut next = Some(first);
                while !stop.is_cancelled() && let Some(this) = next {
                    if let Seen::Event(event) = &this {
                        halves.see(event, Instant::now());
                    }
                    watcher.take(this, &mut eyes).await;
                    next = seen.try_recv().ok();
                }
                _half = halves.until().map(|_| changes.coming());
            }
            () = too_late => {
                halves.give_up();
                _half = None;
            }
            Some(number) = watcher.scans.recv() => {
                watcher.walk_all(&mut eyes, &tell).await;
                watcher.facts.send(Fact::Scanned(number)).ok();
            }
            () = tokio::time::sleep(WALK_PAUSE), if blind => watcher.walk_all(&mut eyes, &tell).await,
        }
    }
}

/// Makes what hears of changes; it watches nothing yet.
fn open_eyes(tell: mpsc::UnboundedSender<Seen>) -> notify::Result<RecommendedWatcher> {
    let handler = move |event: notify::Result<notify::Event>| {
        let seen = match event {
            // Our own reading opens files all the time.
            Ok(event) if matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write)) =>
            {
                return;
            }
            Ok(event) => Seen::Event(event),
            Err(fault) => Seen::Fault(fault),
        };
        // The receiver is gone only when the watcher ends.
        tell.send(seen).ok();
    };
    RecommendedWatcher::new(handler, Config::default().with_follow_symlinks(false))
}

impl Watcher {
    async fn take(&mut self, seen: Seen, eyes: &mut Option<RecommendedWatcher>) {
        let event = match seen {
            Seen::Event(event) => event,
            Seen::Fault(fault) => {
                self.raise_limit(&fault);
                self.walk(eyes, None).await;
                return;
            }
        };
        if event.need_rescan() {
            self.walk(eyes, None).await;
            return;
        }
        let went = matches!(
            event.kind,
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From))
        );
        let created =
            !went && matches!(event.kind, EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(_)));
        // While a file is being written, only its closing counts; of other changes each does. One that was just made
        // and is still open is put back by the committer.
        if matches!(event.kind, EventKind::Modify(ModifyKind::Data(_))) {
            return;
        }
        let mut changed = BTreeSet::new();
        for path in event.paths {
            if path == self.top {
                self.root_changed(eyes).await;
                continue;
            }
            let Some(path) = scan::tree_path(&self.top, &path) else { continue };
            if created {
                let full = scan::full_path(&self.top, &path);
                if full.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
                    changed.insert(path.clone());
                    self.walk(eyes, Some(path)).await;
                    continue;
                }
            }
            changed.insert(path);
        }
        if went {
            self.changes.add_gone(changed);
        } else {
            self.changes.add(changed);
        }
    }

    async fn root_changed(&mut self, eyes: &mut Option<RecommendedWatcher>) {
        if self.top.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
            self.facts.send(Fact::Clear(ProblemCode::FolderGone, String::new())).ok();
            self.walk(eyes, None).await;
        } else {
            let sentence = format!("The folder {} is gone.", self.top.display());
            let hint = "Put it back, or remove the folder from Tributary. Nothing was deleted elsewhere.";
            let mut fault = problem(ProblemCode::FolderGone, "folder", sentence, hint);
            fault.needs_you = true;
            self.facts.send(Fact::Raise(fault)).ok();
        }
    }

    /// Walks the folder. One that could not be watched may be watched by now: it has fewer directories, other programs need
    /// fewer watches, or a person raised the limit.
    async fn walk_all(&mut self, eyes: &mut Option<RecommendedWatcher>, tell: &mpsc::UnboundedSender<Seen>) {
        if eyes.is_none() {
            match open_eyes(tell.clone()) {
                Ok(opened) => *eyes = Some(opened),
                Err(fault) => self.raise_limit(&fault),
            }
        }
        self.walk(eyes, None).await;
    }

    /// Walks the folder, or what is below a directory of it: sets watches, and reports what is not as the index says.
    async fn walk(&mut self, eyes: &mut Option<RecommendedWatcher>, below: Option<TreePath>) {
        let top = self.top.clone();
        let taken = eyes.take();
        let start = below.clone();
        let whole = start.is_none();
        let (walk, kept) = tokio::task::spawn_blocking(move || {
            let mut eyes = taken;
            let mut fault = None;
            let walk = scan::walk(&top, below.as_ref(), &mut |dir: &Path| {
                if let Some(eyes) = eyes.as_mut()
                    && fault.is_none()
                    && let Err(error) = eyes.watch(dir, RecursiveMode::NonRecursive)
                    && !matches!(error.kind, notify::ErrorKind::PathNotFound)
                {
                    fault = Some(error);
                }
            });
            (walk, (eyes, fault))
        })
        .await
        .expect("walking does not panic");
        let (back, fault) = kept;
        *eyes = back;
        if let Some(fault) = fault {
            self.raise_limit(&fault);
            // Half a set of watches would look like silence.
            *eyes = None;
        } else if whole && eyes.is_some() {
            self.facts.send(Fact::Clear(ProblemCode::WatchLimit, String::new())).ok();
        }
        match walk {
            Err(error) => {
                let sentence = format!("The folder {} cannot be read: {error}.", self.top.display());
                let hint = "Give yourself permission to read it. Nothing was deleted elsewhere.";
                let mut fault = problem(ProblemCode::Unreadable, "folder", sentence, hint);
                fault.needs_you = true;
                self.facts.send(Fact::Raise(fault)).ok();
            }
            Ok(walk) => self.report(walk, start).await,
        }
    }

    async fn report(&self, walk: Walk, below: Option<TreePath>) {
        let Walk { found, odd } = walk;
        let whole = below.is_none();
        let Differences { changed, gone } = self
            .desk
            .with(move |desk| match below {
                None => scan::differences(desk, found),
                Some(below) => scan::differences_below(desk, &below, found),
            })
            .await;
        self.changes.add_gone(gone);
        self.changes.add(changed);
        if whole {
            self.facts.send(Fact::Clear(ProblemCode::Unreadable, "folder".into())).ok();
            let examples = odd.iter().take(100).map(TreePath::to_string_lossy).collect();
            self.facts.send(Fact::NotSynced { count: odd.len(), examples }).ok();
        }
    }

    fn raise_limit(&self, fault: &notify::Error) {
        tracing::warn!(%fault, "the folder cannot be watched");
        let full = matches!(fault.kind, notify::ErrorKind::MaxFilesWatch);
        let sentence = if full {
            "This system allows too few folder watches, so the folder is looked through every minute instead."
                .into()
        } else {
            format!("The folder cannot be watched ({fault}), so it is looked through every minute instead.")
        };
        let hint = "Raise the limit: sudo sysctl fs.inotify.max_user_watches=1048576";
        self.facts.send(Fact::Raise(problem(ProblemCode::WatchLimit, "watches", sentence, hint))).ok();
    }
}
