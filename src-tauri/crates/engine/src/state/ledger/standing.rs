//! What stands in the folder where the merged version is not placed.

use rusqlite::{OptionalExtension, params};
use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;
use tributary_repo::stat::FileStat;

use super::{Ledger, Result, from_sql};

/// What stands at a path whose merged version is not placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The path.
    pub path: TreePath,
    /// The key whose content has to be here before the path can be placed; `None` when it lies in git.
    pub key: Option<Key>,
    /// The version that stands there, as it was last known; `None` when nothing does.
    pub known: Option<FileStat>,
    /// Why it is not placed.
    pub reason: Reason,
    /// Of a path that is deleted: the key whose content still stands there.
    pub leaves: Option<Key>,
}

/// Why a merged version is not placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its content is on the way, or the applier has not come to it.
    Arriving,
    /// The person keeps it only elsewhere.
    OnlyElsewhere,
    /// This system cannot hold the name.
    NameNotPossible,
}

impl Reason {
    fn code(self) -> i64 {
        match self {
            Self::Arriving => 0,
            Self::OnlyElsewhere => 1,
            Self::NameNotPossible => 2,
        }
    }

    fn of_code(code: i64) -> Self {
        match code {
            1 => Self::OnlyElsewhere,
            2 => Self::NameNotPossible,
            _ => Self::Arriving,
        }
    }
}

impl Ledger {
    /// Notes what stands at paths whose merged version is not placed yet. Must be durable before the merge is.
    pub fn note_standing(&mut self, rows: &[Standing]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        // These alone must survive a loss of power: without them an absent file would look like a deletion.
        self.db.pragma_update(None, "synchronous", "FULL")?;
        let noted = self.write_standing(rows);
        self.db.pragma_update(None, "synchronous", "NORMAL")?;
        noted
    }

    fn write_standing(&mut self, rows: &[Standing]) -> Result<()> {
        let tx = self.db.transaction()?;
        {
            let mut insert =
                tx.prepare_cached("INSERT OR REPLACE INTO standing VALUES (?1, ?2, ?3, ?4, ?5)")?;
            for row in rows {
                let stat = row.known.as_ref().map(stat_text);
                let key = row.key.as_ref().map(Key::as_bytes);
                let leaves = row.leaves.as_ref().map(Key::as_bytes);
                insert.execute(params![row.path.as_bytes(), key, stat, row.reason.code(), leaves])?;
            }
        }
        Ok(tx.commit()?)
    }

    /// Forgets rows: the merged version is placed, or replaced by a newer commit.
    pub fn settle<'p>(&mut self, paths: impl IntoIterator<Item = &'p TreePath>) -> Result<()> {
        let tx = self.db.transaction()?;
        {
            let mut delete = tx.prepare_cached("DELETE FROM standing WHERE path = ?1")?;
            for path in paths {
                delete.execute([path.as_bytes()])?;
            }
        }
        Ok(tx.commit()?)
    }

    /// What stands at this path, if its merged version is not placed.
    pub fn standing(&self, path: &TreePath) -> Result<Option<Standing>> {
        let mut query =
            self.db.prepare_cached("SELECT path, key, stat, reason, leaves FROM standing WHERE path = ?1")?;
        let row = query.query_row([path.as_bytes()], read_standing).optional()?;
        Ok(row.flatten())
    }

    /// Paths that are not placed, after `after` in byte order, at most `limit`: all of them, page by page.
    pub fn standing_after(&self, after: Option<&TreePath>, limit: u32) -> Result<Vec<Standing>> {
        self.page("path > ?1", after, limit)
    }

    /// As [`Ledger::standing_after`], but only paths that wait for no content, those that are deleted among them.
    pub fn standing_without_key_after(&self, after: Option<&TreePath>, limit: u32) -> Result<Vec<Standing>> {
        self.page("path > ?1 AND key IS NULL", after, limit)
    }

    fn page(&self, which: &str, after: Option<&TreePath>, limit: u32) -> Result<Vec<Standing>> {
        let mut query = self.db.prepare_cached(&format!(
            "SELECT path, key, stat, reason, leaves FROM standing WHERE {which} ORDER BY path LIMIT ?2"
        ))?;
        let after = after.map_or(&b""[..], |path| path.as_bytes());
        let rows = query.query_map(params![after, limit], read_standing)?;
        Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    /// Paths that wait for this content.
    pub fn standing_for(&self, key: &Key) -> Result<Vec<Standing>> {
        let mut query =
            self.db.prepare_cached("SELECT path, key, stat, reason, leaves FROM standing WHERE key = ?1")?;
        let rows = query.query_map([key.as_bytes()], read_standing)?;
        Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    /// Whether files stand where others deleted them, so that [`Ledger::leaving`] may find some.
    pub fn is_any_leaving(&self) -> Result<bool> {
        let mut query =
            self.db.prepare_cached("SELECT EXISTS (SELECT 1 FROM standing WHERE leaves IS NOT NULL)")?;
        Ok(query.query_row([], |row| row.get(0))?)
    }

    /// A file with this content that stands where others deleted it: it can be moved instead of copied.
    ///
    /// A row of a deleted path keeps the key that stood there.
    pub fn leaving(&self, key: &Key) -> Result<Option<(TreePath, FileStat)>> {
        let mut query = self.db.prepare_cached(
            "SELECT path, key, stat, reason, leaves FROM standing WHERE leaves = ?1 AND stat IS NOT NULL LIMIT 1",
        )?;
        let row = query.query_row([key.as_bytes()], read_standing).optional()?.flatten();
        Ok(row.and_then(|row| Some((row.path, row.known?))))
    }

    /// How many paths are not placed for this reason.
    pub fn count_standing(&self, reason: Reason) -> Result<u64> {
        let mut query = self.db.prepare_cached("SELECT count(*) FROM standing WHERE reason = ?1")?;
        Ok(query.query_row([reason.code()], |row| from_sql(row.get(0)?))?)
    }

    /// Whether every path that names this key is kept only elsewhere by the person's choice.
    pub fn kept_elsewhere(&self, key: &Key) -> Result<bool> {
        let mut query = self.db.prepare_cached(
            "SELECT count(*), count(standing.path) FROM keys JOIN files ON files.key = keys.id
             LEFT JOIN standing ON standing.path = files.path AND standing.reason = 1 WHERE keys.key = ?1",
        )?;
        Ok(query.query_row([key.as_bytes()], |row| {
            let (all, elsewhere): (i64, i64) = (row.get(0)?, row.get(1)?);
            Ok(all > 0 && all == elsewhere)
        })?)
    }
}

/// `None` for a row whose path or key is none any more: such a row is as good as lost.
fn read_standing(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Standing>> {
    let path: Vec<u8> = row.get(0)?;
    let key: Option<Vec<u8>> = row.get(1)?;
    let stat: Option<String> = row.get(2)?;
    let reason = Reason::of_code(row.get(3)?);
    let leaves: Option<Vec<u8>> = row.get(4)?;
    let leaves = leaves.and_then(|bytes| Key::parse(&bytes));
    let Ok(path) = TreePath::new(path) else { return Ok(None) };
    let key = match key.map(|bytes| Key::parse(&bytes)) {
        Some(None) => return Ok(None),
        Some(key) => key,
        None => None,
    };
    Ok(Some(Standing { path, key, known: stat.as_deref().and_then(stat_of_text), reason, leaves }))
}

/// Stat data as text: the fields in the order of the struct, spaces between.
fn stat_text(stat: &FileStat) -> String {
    format!(
        "{} {} {} {} {} {} {} {} {} {} {}",
        stat.dev,
        stat.ino,
        stat.mode,
        stat.uid,
        stat.gid,
        stat.nlink,
        stat.size,
        stat.mtime.0,
        stat.mtime.1,
        stat.ctime.0,
        stat.ctime.1
    )
}

fn stat_of_text(text: &str) -> Option<FileStat> {
    let fields: Vec<i128> = text.split(' ').map(str::parse).collect::<std::result::Result<_, _>>().ok()?;
    let [dev, ino, mode, uid, gid, nlink, size, mtime, mtime_ns, ctime, ctime_ns] = fields.try_into().ok()?;
    Some(FileStat {
        dev: dev.try_into().ok()?,
        ino: ino.try_into().ok()?,
        mode: mode.try_into().ok()?,
        uid: uid.try_into().ok()?,
        gid: gid.try_into().ok()?,
        nlink: nlink.try_into().ok()?,
        size: size.try_into().ok()?,
        mtime: (mtime.try_into().ok()?, mtime_ns.try_into().ok()?),
        ctime: (ctime.try_into().ok()?, ctime_ns.try_into().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{key, ledger, path};
    use super::*;

    #[test]
    fn what_stands_is_found_by_path_and_by_key() {
        let (dir, mut ledger) = ledger();
        let known = FileStat::from(&std::fs::metadata(dir.path()).unwrap());
        let row = Standing {
            path: path("x"),
            key: Some(key(7)),
            known: Some(known),
            reason: Reason::Arriving,
            leaves: None,
        };
        ledger.note_standing(std::slice::from_ref(&row)).unwrap();
        assert_eq!(ledger.standing(&path("x")).unwrap(), Some(row.clone()));
        assert_eq!(ledger.standing_for(&key(7)).unwrap(), [row]);
        assert_eq!(ledger.count_standing(Reason::Arriving).unwrap(), 1);
        ledger.settle([&path("x")]).unwrap();
        assert_eq!(ledger.standing(&path("x")).unwrap(), None);
    }
}
