//! Restoring: what was deleted here, and was not meant to be.

use std::collections::BTreeSet;

use tributary_formats::tree_path::TreePath;
use tributary_repo::index::IndexEntry;
use tributary_repo::tree::{self, Content};

use crate::state::desk::{Desk, DeskError};
use crate::state::ledger::{Reason, Standing};

/// Makes files that were deleted here count as not placed, so that the applier puts them back.
pub(super) fn restore(desk: &mut Desk, gone: &BTreeSet<TreePath>) -> Result<(), DeskError> {
    let mut rows = Vec::new();
    for path in gone {
        let Some(entry) = desk.index.get(path.as_bytes()).copied() else { continue };
        let key = match tree::content_of(desk.repo.git(), entry.entry)? {
            Content::Annexed { key, locked: false } => Some(key),
            _ => None,
        };
        rows.push((
            entry.entry,
            Standing { path: path.clone(), key, known: None, reason: Reason::Arriving, leaves: None },
        ));
    }
    let standing: Vec<_> = rows.iter().map(|(_, row)| row.clone()).collect();
    desk.ledger.note_standing(&standing)?;
    for (entry, row) in rows {
        desk.index.set(row.path.as_bytes(), IndexEntry::not_placed(entry));
    }
    Ok(())
}
