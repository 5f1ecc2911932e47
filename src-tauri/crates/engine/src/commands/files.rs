//! Files: who has their content, and whether it is kept here.

use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use tributary_formats::logs::description;
use tributary_formats::logs::uuid_log::UuidLog;
use tributary_formats::tree_path::TreePath;
use tributary_repo::tree::{self, Content};
use tributary_status::{Failure, Reply, WhereisRow};

use super::{decode, fault};
use crate::engine::Engine;
use crate::folder::Folder;
use crate::folder_facts::KeepAsk;
use crate::state::desk::Desk;
use crate::threads::committer::chain;

/// Who has the content of a file, as far as is on record.
pub(super) async fn whereis(engine: &Arc<Engine>, path: &str) -> Result<Reply, Failure> {
    let (folder, path) = find(engine, path)?;
    let Some(path) = path else {
        return Err(fault(
            None,
            "That is the whole folder.",
            "Name a file; `trib status` speaks of the folder.",
        ));
    };
    folder.desk.with(move |desk| whereis_at_desk(desk, &path)).await
}

fn whereis_at_desk(desk: &mut Desk, path: &TreePath) -> Result<Reply, Failure> {
    let failed = |error: &(dyn std::error::Error + 'static)| {
        fault(None, format!("{}.", chain(error)), "If it stays, run `git fsck` in the folder.")
    };
    let file = path.to_string_lossy();
    let Some(entry) = desk.index.get(path.as_bytes()).copied() else {
        return Err(fault(
            None,
            format!("{file} is not known yet."),
            "Check the name, or wait until it is synced.",
        ));
    };
    let content = tree::content_of(desk.repo.git(), entry.entry).map_err(|error| failed(&error))?;
    let Content::Annexed { key, .. } = content else {
        return Ok(Reply::Whereis { file, key: None, places: vec![] });
    };
    let log = desk.repo.annex_branch().read(b"uuid.log").map_err(|error| failed(&error))?;
    let names = UuidLog::parse(&log);
    let here = desk.repo.uuid().clone();
    let places = desk
        .ledger
        .locations(&key)
        .map_err(|error| failed(&error))?
        .into_iter()
        .map(|uuid| WhereisRow {
            description: names.get(&uuid).map(description::unescape).unwrap_or_default(),
            here: uuid == here,
            uuid: uuid.to_string(),
        })
        .collect();
    Ok(Reply::Whereis { file, key: Some(key.to_string()), places })
}

/// Keeps the content of a file, or of all below a folder, here; or lets it go.
pub(super) async fn keep(engine: &Arc<Engine>, path: &str, keep: bool) -> Result<Reply, Failure> {
    let (folder, path) = find(engine, path)?;
    folder
        .keep(KeepAsk { path, keep })
        .await
        .map_err(|_| fault(None, "The folder was stopped.", "Try again in a moment."))
}

/// The folder that a path is in, and the path in it; `None` for the folder itself.
fn find(engine: &Arc<Engine>, path: &str) -> Result<(Arc<Folder>, Option<TreePath>), Failure> {
    let path = decode(path)?;
    // The file itself may be absent or a link; the folder it is in is looked up by its true name.
    let path = match (path.parent().map(std::fs::canonicalize), path.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => path,
    };
    let folder = engine.folders.holding(&path).ok_or_else(|| {
        fault(None, format!("{} is in no synced folder.", path.display()), "`trib status` lists them.")
    })?;
    let below = path.strip_prefix(&folder.path).expect("the folder holds it");
    if below.as_os_str().is_empty() {
        return Ok((folder, None));
    }
    let below = TreePath::new(below.as_os_str().as_bytes()).map_err(|error| {
        fault(None, format!("{} cannot be in a folder: {error}.", path.display()), "Check the name.")
    })?;
    Ok((folder, Some(below)))
}
