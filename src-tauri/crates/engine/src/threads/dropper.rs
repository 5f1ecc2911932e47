//! Dropper: lets go of contents here, when enough other copies were proven to exist.
//!
//! Started by the conductor when a person asks; ends with one reply. Each copy is asked for now and never taken from
//! the log; a git remote on this machine is asked under its content lock. Only then the file leaves the folder, its
//! content the store, and "missing" is recorded.

use tributary_formats::key::Key;
use tributary_formats::logs::presence::LogStatus;
use tributary_formats::logs::single::NumberLog;
use tributary_formats::numcopies::{MinCopies, NumCopies};
use tributary_formats::tree_path::TreePath;
use tributary_formats::uuid::RepoUuid;
use tributary_remotes::{HeldCopy, SafeDropProof, VerifiedCopy};
use tributary_repo::Repository;
use tributary_repo::annex_branch::LogChange;
use tributary_repo::contents::local::LocalContents;
use tributary_repo::index::IndexEntry;
use tributary_repo::lock::{ExclusiveContentLock, SharedContentLock};
use tributary_repo::place_in_tree::Removed;
use tributary_repo::remote::RemoteKind;
use tributary_repo::tree::{self, Content};
use tributary_status::{Failure, Reply};

use crate::state::desk::{Desk, DeskError};
use crate::state::ledger::{Reason, Standing};
use crate::state::outlook;
use crate::state::places::{PlaceRow, Reach};
use crate::threads::committer::chain;
use crate::threads::conductor::{below, not_known};
use crate::threads::recorder::Recorder;
use crate::threads::transferrer::Transferrer;

/// The dropper's wiring.
#[derive(Clone)]
pub(crate) struct Dropper {
    pub(crate) transferrer: Transferrer,
    pub(crate) recorder: Recorder,
}

/// How many copies have to remain.
#[derive(Debug, Clone, Copy, Default)]
struct Copies {
    numcopies: NumCopies,
    mincopies: MinCopies,
}

impl Dropper {
    /// Lets go of the contents at and below a path; all, for none.
    pub(crate) async fn let_go(&self, path: Option<TreePath>) -> Reply {
        match self.try_to_let_go(path).await {
            Ok(reply) => reply,
            Err(error) => refused(format!("{error}."), "Nothing was removed."),
        }
    }

    async fn try_to_let_go(&self, path: Option<TreePath>) -> Result<Reply, String> {
        let asked = path.clone();
        let (known, files) = self
            .transferrer
            .desk
            .with(move |desk| {
                let mut files = Vec::new();
                let everywhere = OnRecord::read(&desk.repo)?;
                let known = below(desk, path.as_ref());
                let any = !known.is_empty();
                for (path, entry) in known {
                    if entry.skip_worktree {
                        continue;
                    }
                    if let Content::Annexed { key, locked: false } =
                        tree::content_of(desk.repo.git(), entry.entry)?
                    {
                        let copies = everywhere.of(desk, &key)?;
                        files.push((path, key, copies));
                    }
                }
                Ok::<_, DeskError>((any, files))
            })
            .await
            .map_err(|error| chain(&error))?;
        if !known {
            return Ok(not_known(asked.as_ref()));
        }
        if files.is_empty() {
            return Ok(Reply::Done { sentence: "No content of it is here.".into() });
        }
        let mut gone = 0;
        let mut last = None;
        for (path, key, copies) in files {
            match self.let_go_of(&path, &key, copies).await {
                Ok(()) => gone += 1,
                Err(reason) => last = Some((path, reason)),
            }
        }
        Ok(match last {
            None => Reply::Done { sentence: format!("{} only elsewhere now.", outlook::files(gone)) },
            Some((path, reason)) => refused(
                format!(
                    "{} stays here: {reason}. {} only elsewhere now.",
                    path.to_string_lossy(),
                    outlook::files(gone)
                ),
                "Reach a place that has it, or lower numcopies, and try again.",
            ),
        })
    }

    async fn let_go_of(&self, path: &TreePath, key: &Key, copies: Copies) -> Result<(), String> {
        let proof = self.prove(key, copies).await?;
        let (path, key) = (path.clone(), key.clone());
        let dropped = key.clone();
        self.transferrer
            .desk
            .with(move |desk| {
                let store = desk.repo.store();
                let entry = desk.index.get(path.as_bytes()).copied().ok_or("it is gone")?;
                let known = desk.work.stat(&path).map_err(|error| error.to_string())?;
                let known = known.filter(|stat| entry.matches(stat)).ok_or("it was changed meanwhile")?;
                let lock = ExclusiveContentLock::take(&store, &key).map_err(|error| chain(&error))?;
                // The row comes first: the absent file must never look like a deletion.
                let row = Standing {
                    path: path.clone(),
                    key: Some(key.clone()),
                    known: None,
                    reason: Reason::OnlyElsewhere,
                    leaves: None,
                };
                desk.ledger.note_standing(&[row]).map_err(|error| chain(&error))?;
                desk.index.set(path.as_bytes(), IndexEntry::not_placed(entry.entry));
                match desk.work.remove_known(&path, known) {
                    Ok(Removed::Done | Removed::AlreadyGone) => {}
                    Ok(Removed::EditedMeanwhile) => {
                        desk.ledger.settle([&path]).map_err(|error| chain(&error))?;
                        desk.index.set(path.as_bytes(), entry);
                        return Err("it was changed meanwhile".into());
                    }
                    Err(error) => {
                        desk.ledger.settle([&path]).map_err(|error| chain(&error))?;
                        desk.index.set(path.as_bytes(), entry);
                        return Err(chain(&error));
                    }
                }
                // Another file with the same content keeps it here.
                let shared = desk.ledger.kept_elsewhere(&key).map_err(|error| chain(&error))?;
                if shared {
                    store.remove(lock).map_err(|error| error.to_string())?;
                }
                drop(proof);
                Ok::<_, String>(shared)
            })
            .await
            .map(|removed| (removed, dropped))
            .map(|(removed, key)| async move {
                if removed {
                    let uuid = self.here().await;
                    if let Some(uuid) = uuid {
                        let change = LogChange::Location { key, uuid, status: LogStatus::Missing };
                        self.recorder.clone().record(vec![], vec![change]).await;
                    }
                }
            })?
            .await;
        Ok(())
    }

    async fn here(&self) -> Option<RepoUuid> {
        let repositories = self.transferrer.repositories.clone();
        tokio::task::spawn_blocking(move || repositories.with(|repo| repo.uuid().clone()).ok())
            .await
            .ok()
            .flatten()
    }

    /// Asks the places for copies until there are enough.
    async fn prove(&self, key: &Key, copies: Copies) -> Result<SafeDropProof, String> {
        let here = self.here().await.ok_or("the repository cannot be opened")?;
        let mut found = Vec::new();
        for place in self.transferrer.places.rows().iter() {
            found.extend(self.copy_at(place, key).await);
        }
        // For a drop here, mincopies only asks for verified copies, as numcopies does: none of them has to be locked.
        let enough = copies.numcopies.get().max(copies.mincopies.get());
        SafeDropProof::check_here(key, &here, enough, found).map_err(|error| chain(&error))
    }

    async fn copy_at(&self, place: &PlaceRow, key: &Key) -> Option<VerifiedCopy> {
        match &place.reach {
            Reach::Special { .. } => {
                let remote = self.transferrer.special(place).ok()?;
                VerifiedCopy::ask(remote.as_ref(), key).await.ok().flatten()
            }
            Reach::Git(remote) => {
                let (kind, uuid, key) = (remote.kind.clone(), place.uuid.clone()?, key.clone());
                let RemoteKind::LocalPath(path) = kind else { return None };
                let held = tokio::task::spawn_blocking(move || {
                    LocalContents::open(&path, &uuid).ok()?;
                    let there = Repository::open_remote(&path).ok()?;
                    let lock = SharedContentLock::take(&there.store(), &key).ok()?;
                    Some(LockedCopy { uuid, key, _lock: lock })
                })
                .await
                .ok()??;
                Some(VerifiedCopy::held(held))
            }
        }
    }
}

/// A copy in a git remote on this machine, under its content lock.
struct LockedCopy {
    uuid: RepoUuid,
    key: Key,
    _lock: SharedContentLock,
}

impl HeldCopy for LockedCopy {
    fn uuid(&self) -> &RepoUuid {
        &self.uuid
    }

    fn key(&self) -> &Key {
        &self.key
    }
}

/// numcopies and mincopies where no attribute says otherwise.
struct OnRecord {
    numcopies: Option<u32>,
    mincopies: Option<u32>,
}

impl OnRecord {
    fn read(repo: &Repository) -> Result<Self, DeskError> {
        let number = |log: &[u8]| -> Result<Option<u32>, DeskError> {
            Ok(NumberLog::parse(&repo.annex_branch().read(log)?).get())
        };
        // The configuration was its place before numcopies.log, and still counts where that says nothing.
        let configured = || repo.git_config_get("annex.numcopies").and_then(|text| text.trim().parse().ok());
        Ok(Self {
            numcopies: number(b"numcopies.log")?.or_else(configured),
            mincopies: number(b"mincopies.log")?,
        })
    }

    /// What holds for a content: the most that any of its names asks for.
    fn of(&self, desk: &Desk, key: &Key) -> Result<Copies, DeskError> {
        let mut copies = Copies::default();
        for name in desk.ledger.paths_of(key, u32::MAX)? {
            let attribute = |attribute: &str| desk.repo.attribute(&name, attribute)?.trim().parse().ok();
            let numcopies = NumCopies::resolve(None, attribute("annex.numcopies"), self.numcopies);
            let mincopies = MinCopies::resolve(None, attribute("annex.mincopies"), self.mincopies);
            copies.numcopies = copies.numcopies.max(numcopies);
            copies.mincopies = copies.mincopies.max(mincopies);
        }
        Ok(copies)
    }
}

fn refused(sentence: String, hint: &str) -> Reply {
    Reply::Failed { failure: Failure { code: None, sentence, hint: hint.into() } }
}
