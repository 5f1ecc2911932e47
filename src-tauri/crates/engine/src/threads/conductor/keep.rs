//! Keep: whether the content of files is kept here, by a person's wish.
//!
//! Letting go needs a `SafeDropProof`: enough other copies, each asked for now. The file then leaves the folder and
//! counts as only elsewhere until it is wanted again.

use tokio::sync::oneshot;
use tributary_formats::tree_path::TreePath;
use tributary_planner::Input;
use tributary_repo::index::IndexEntry;
use tributary_repo::tree::{self, Content};
use tributary_status::{Failure, Reply};

use super::Conductor;
use crate::folder_facts::{Fact, KeepAsk};
use crate::state::desk::{Desk, DeskError};
use crate::state::facts;
use crate::state::ledger::{Reason, Standing};
use crate::state::outlook;
use crate::threads::committer::chain;

impl Conductor {
    /// Does what was asked, and answers.
    pub(super) async fn keep(&self, wish: KeepAsk, reply: oneshot::Sender<Reply>) {
        if !wish.keep {
            let dropper = self.dropper.clone();
            tokio::spawn(async move {
                reply.send(dropper.let_go(wish.path).await).ok();
            });
            return;
        }
        let (places, asked, tell) = (self.places.clone(), wish.path.clone(), self.facts.clone());
        let wanted = self
            .desk
            .with(move |desk| {
                let (files, keys) = want_here(desk, wish.path.as_ref())?;
                if files.is_some_and(|files| files > 0) {
                    // At the desk, so that no older truth comes after it.
                    let contents = facts::of_keys(desk, &places, &keys, false)?;
                    tell.send(Fact::Planner(vec![Input::Contents(contents)])).ok();
                }
                Ok::<_, DeskError>(files)
            })
            .await;
        let answer = match wanted {
            Ok(None) => not_known(asked.as_ref()),
            Ok(Some(0)) => Reply::Done { sentence: "It is kept here already.".into() },
            Ok(Some(files)) => {
                self.apply.versions();
                Reply::Done { sentence: format!("{} on the way.", outlook::files(files)) }
            }
            Err(error) => Reply::Failed {
                failure: Failure {
                    code: None,
                    sentence: format!("{}.", chain(&error)),
                    hint: "If it stays, run `git fsck` in the folder.".into(),
                },
            },
        };
        reply.send(answer).ok();
    }
}

/// What is answered when nothing is known at a path.
pub(crate) fn not_known(path: Option<&TreePath>) -> Reply {
    let sentence = match path {
        Some(path) => format!("{} is not known in this folder.", path.to_string_lossy()),
        None => "The folder is empty.".into(),
    };
    let hint = "Check the name; `trib wait` takes in what is new.".into();
    Reply::Failed { failure: Failure { code: None, sentence, hint } }
}

/// Makes files that are kept only elsewhere arrive. Returns how many, and their keys; `None` where there is no file.
fn want_here(
    desk: &mut Desk,
    path: Option<&TreePath>,
) -> Result<(Option<u64>, Vec<tributary_formats::key::Key>), DeskError> {
    let mut rows = Vec::new();
    let files = below(desk, path);
    if files.is_empty() {
        return Ok((None, vec![]));
    }
    for (path, entry) in files {
        let Some(standing) = desk.ledger.standing(&path)? else { continue };
        if standing.reason != Reason::OnlyElsewhere {
            continue;
        }
        if let Content::Annexed { key, locked: false } = tree::content_of(desk.repo.git(), entry.entry)? {
            rows.push(Standing { key: Some(key), reason: Reason::Arriving, ..standing });
        }
    }
    desk.ledger.note_standing(&rows)?;
    let mut keys: Vec<_> = rows.iter().filter_map(|row| row.key.clone()).collect();
    keys.sort_unstable();
    keys.dedup();
    Ok((Some(rows.len() as u64), keys))
}

/// The index entries at and below a path; all, for none.
pub(crate) fn below(desk: &Desk, path: Option<&TreePath>) -> Vec<(TreePath, IndexEntry)> {
    let named = |(path, entry): (&[u8], &IndexEntry)| Some((TreePath::new(path).ok()?, *entry));
    match path {
        None => desk.index.iter().filter_map(named).collect(),
        Some(path) => {
            let itself = desk.index.get(path.as_bytes()).map(|entry| (path.clone(), *entry));
            itself.into_iter().chain(desk.index.under(path.as_bytes()).filter_map(named)).collect()
        }
    }
}
