//! What is remembered of the branch and of git's index file, for the next start.

use rusqlite::OptionalExtension;
use tributary_repo::Oid;

use super::{Ledger, Result, set_named};

const COMMIT: &str = "commit";
const INDEX: &str = "index";

/// Which commit the branch was at last, and what git's index file said then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BranchNote {
    /// The commit.
    pub commit: Oid,
    /// The tree that the index file was of: that commit's, when the file was written since.
    pub index_tree: Oid,
}

impl Ledger {
    /// Remembers it, or that nothing is known.
    pub fn note_branch(&mut self, note: Option<BranchNote>) -> Result<()> {
        let tx = self.db.transaction()?;
        match note {
            Some(note) => {
                set_named(&tx, COMMIT, &note.commit.to_string())?;
                set_named(&tx, INDEX, &note.index_tree.to_string())?;
            }
            None => {
                tx.execute("DELETE FROM followed WHERE what IN (?1, ?2)", [COMMIT, INDEX])?;
            }
        }
        Ok(tx.commit()?)
    }

    /// What was remembered; `None` when nothing was.
    pub fn branch(&self) -> Result<Option<BranchNote>> {
        let mut query = self.db.prepare_cached("SELECT at FROM followed WHERE what = ?1")?;
        let mut id = |what: &str| -> Result<Option<Oid>> {
            let text: Option<String> = query.query_row([what], |row| row.get(0)).optional()?;
            Ok(text.and_then(|text| Oid::from_str(&text).ok()))
        };
        Ok(match (id(COMMIT)?, id(INDEX)?) {
            (Some(commit), Some(index_tree)) => Some(BranchNote { commit, index_tree }),
            _ => None,
        })
    }
}
