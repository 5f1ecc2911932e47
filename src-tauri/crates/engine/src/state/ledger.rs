//! The ledger: what the engine remembers of a folder so that nothing has to be read twice.
//!
//! An SQLite database in `GITDIR/tributary/`. It follows two commits (the folder's tree and the git-annex branch)
//! by their differences, so that its cost follows what changed, and it holds the versions that still stand in the
//! folder while a newer one is on its way. It can be deleted at any time: the first two are folded anew, and a path
//! without a row counts as one whose standing version is not known, which is never overwritten.

mod branch;
mod standing;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;
use tributary_formats::uuid::RepoUuid;

/// Version of the tables; another one is thrown away and folded anew.
const VERSION: i64 = 2;

const TABLES: &str = "
    CREATE TABLE followed (what TEXT PRIMARY KEY, at TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE keys (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, size INTEGER);
    CREATE TABLE files (path BLOB PRIMARY KEY, key INTEGER, size INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX files_by_key ON files (key) WHERE key IS NOT NULL;
    CREATE TABLE uuids (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE);
    CREATE TABLE locations (key INTEGER NOT NULL, uuid INTEGER NOT NULL, PRIMARY KEY (key, uuid)) WITHOUT ROWID;
    CREATE INDEX locations_by_uuid ON locations (uuid);
    CREATE TABLE standing (path BLOB PRIMARY KEY, key BLOB, stat TEXT, reason INTEGER NOT NULL, leaves BLOB) WITHOUT ROWID;
    CREATE INDEX standing_by_key ON standing (key) WHERE key IS NOT NULL;
    CREATE INDEX standing_by_leaving ON standing (leaves) WHERE leaves IS NOT NULL;
    CREATE INDEX standing_elsewhere ON standing (reason) WHERE reason = 1;
";

/// What the engine remembers of one folder.
#[derive(Debug)]
pub struct Ledger {
    db: Connection,
    /// Rows of the table of the same name: there are few, they never change, and each content asks for some.
    uuids: RefCell<HashMap<i64, RepoUuid>>,
}

/// What is remembered of one content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Paths that name it, as many as were asked for.
    pub names: Vec<TreePath>,
    /// Who has it, as far as is on record.
    pub locations: Vec<RepoUuid>,
    /// Whether every path that names it is kept only elsewhere by the person's choice.
    pub kept_elsewhere: bool,
}

/// The ledger could not be read or written. It may be deleted; nothing of a person is in it.
#[derive(Debug, thiserror::Error)]
#[error("the folder's state database failed")]
pub struct LedgerError(#[from] rusqlite::Error);

pub use branch::BranchNote;
pub use standing::{Reason, Standing};

type Result<T> = std::result::Result<T, LedgerError>;

/// What the ledger follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// The tree of the folder's branch.
    Tree,
    /// The git-annex branch.
    AnnexBranch,
}

impl Followed {
    fn name(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::AnnexBranch => "git-annex",
        }
    }
}

/// A path's new content in the followed tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRow {
    /// The path.
    pub path: TreePath,
    /// Its content; `None` when the path is gone.
    pub content: Option<FileContent>,
}

/// What a file consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileContent {
    /// A key's content.
    Annexed(Key),
    /// Bytes in git.
    InGit {
        /// How many.
        size: u64,
    },
}

/// Numbers of the followed tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Files.
    pub files: u64,
    /// Their sizes in all, bytes, as far as keys tell.
    pub bytes: u64,
    /// Files of which the content is a key's.
    pub annexed: u64,
}

impl Ledger {
    /// Opens the ledger in this file, making it when missing, and anew when it is damaged or of another version.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(file: &Path) -> Result<Self> {
        Self::try_open(file).or_else(|error| {
            // Another engine has it: that is no damage.
            if let Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) = error.0.sqlite_error_code() {
                return Err(error);
            }
            tracing::warn!(%error, "the state database is made anew");
            for suffix in ["", "-wal", "-shm"] {
                let mut name = file.as_os_str().to_owned();
                name.push(suffix);
                std::fs::remove_file(name).ok();
            }
            Self::try_open(file)
        })
    }

    /// As on a disk that is full.
    #[cfg(test)]
    pub(crate) fn refuse_writes(&self) {
        self.db.pragma_update(None, "query_only", true).expect("the database answers");
    }

    fn try_open(file: &Path) -> Result<Self> {
        let db = Connection::open(file)?;
        // Nobody else reads it while the engine has it, and a lock for each of thousands of small questions costs more
        // than the answers. Asked for before the first access, it also spares the file of shared memory.
        db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        // The database may be lost at any time, so it need not survive a loss of power: only its own integrity counts.
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        db.set_prepared_statement_cache_capacity(64);
        let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version != VERSION {
            if version != 0 {
                return Err(rusqlite::Error::InvalidQuery.into());
            }
            db.execute_batch(&format!("BEGIN; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;"))?;
        }
        Ok(Self { db, uuids: RefCell::default() })
    }

    /// The commit or tree that the ledger is at, in hex.
    pub fn followed(&self, what: Followed) -> Result<Option<String>> {
        let mut query = self.db.prepare_cached("SELECT at FROM followed WHERE what = ?1")?;
        Ok(query.query_row([what.name()], |row| row.get(0)).optional()?)
    }

    /// Takes in how the tree differs from the one it followed before, and follows the new one. Returns the keys that
    /// gained or lost a name.
    pub fn follow_tree(&mut self, tree: &str, rows: &[FileRow]) -> Result<Vec<Key>> {
        let tx = self.db.transaction()?;
        let mut touched = Vec::new();
        {
            let mut old = tx.prepare_cached(
                "SELECT keys.key FROM files JOIN keys ON keys.id = files.key WHERE files.path = ?1",
            )?;
            let mut delete = tx.prepare_cached("DELETE FROM files WHERE path = ?1")?;
            let mut insert = tx.prepare_cached("INSERT OR REPLACE INTO files VALUES (?1, ?2, ?3)")?;
            for row in rows {
                let path = row.path.as_bytes();
                if let Some(bytes) = old.query_row([path], |row| row.get::<_, Vec<u8>>(0)).optional()? {
                    touched.extend(Key::parse(&bytes));
                }
                match &row.content {
                    None => {
                        delete.execute([path])?;
                    }
                    Some(FileContent::InGit { size }) => {
                        insert.execute(params![path, None::<i64>, to_sql(*size)])?;
                    }
                    Some(FileContent::Annexed(key)) => {
                        let id = key_id(&tx, key)?;
                        insert.execute(params![path, id, to_sql(key.size().unwrap_or(0))])?;
                        touched.push(key.clone());
                    }
                }
            }
        }
        set_followed(&tx, Followed::Tree, tree)?;
        tx.commit()?;
        touched.sort_unstable();
        touched.dedup();
        Ok(touched)
    }

    /// Takes in where keys are on record now, and follows this commit of the git-annex branch.
    pub fn follow_locations(&mut self, commit: &str, logs: &[(Key, Vec<RepoUuid>)]) -> Result<()> {
        let tx = self.db.transaction()?;
        {
            let mut clear = tx.prepare_cached("DELETE FROM locations WHERE key = ?1")?;
            let mut insert = tx.prepare_cached("INSERT OR IGNORE INTO locations VALUES (?1, ?2)")?;
            for (key, present) in logs {
                let id = key_id(&tx, key)?;
                clear.execute([id])?;
                for uuid in present {
                    insert.execute([id, uuid_id(&tx, uuid)?])?;
                }
            }
        }
        set_followed(&tx, Followed::AnnexBranch, commit)?;
        Ok(tx.commit()?)
    }

    /// Forgets what it followed, so that the next differences are taken from nothing.
    pub fn start_over(&mut self, what: Followed) -> Result<()> {
        let tx = self.db.transaction()?;
        tx.execute(
            match what {
                Followed::Tree => "DELETE FROM files",
                Followed::AnnexBranch => "DELETE FROM locations",
            },
            [],
        )?;
        tx.execute("DELETE FROM followed WHERE what = ?1", [what.name()])?;
        Ok(tx.commit()?)
    }

    /// What is remembered of these contents, each with at most `names` of its paths. In the order of the keys.
    pub fn about(&self, keys: &[Key], names: u32) -> Result<Vec<About>> {
        let some_kept = {
            let mut query =
                self.db.prepare_cached("SELECT EXISTS (SELECT 1 FROM standing WHERE reason = 1)")?;
            query.query_row([], |row| row.get::<_, bool>(0))?
        };
        let mut id = self.db.prepare_cached("SELECT id FROM keys WHERE key = ?1")?;
        let mut paths = self.db.prepare_cached("SELECT path FROM files WHERE key = ?1 LIMIT ?2")?;
        let mut locations = self.db.prepare_cached("SELECT uuid FROM locations WHERE key = ?1")?;
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(id) = id.query_row([key.as_bytes()], |row| row.get::<_, i64>(0)).optional()? else {
                found.push(About::default());
                continue;
            };
            let names = collect_paths(paths.query_map(params![id, names], |row| row.get(0))?)?;
            let mut at = Vec::new();
            let mut rows = locations.query([id])?;
            while let Some(row) = rows.next()? {
                at.extend(self.uuid(row.get(0)?)?);
            }
            let kept_elsewhere = some_kept && self.kept_elsewhere(key)?;
            found.push(About { names, locations: at, kept_elsewhere });
        }
        Ok(found)
    }

    fn uuid(&self, id: i64) -> Result<Option<RepoUuid>> {
        if let Some(uuid) = self.uuids.borrow().get(&id) {
            return Ok(Some(uuid.clone()));
        }
        let mut query = self.db.prepare_cached("SELECT uuid FROM uuids WHERE id = ?1")?;
        let Ok(uuid) = RepoUuid::parse(&query.query_row([id], |row| row.get::<_, String>(0))?) else {
            return Ok(None);
        };
        self.uuids.borrow_mut().insert(id, uuid.clone());
        Ok(Some(uuid))
    }

    /// Who has the content, as far as is on record.
    pub fn locations(&self, key: &Key) -> Result<Vec<RepoUuid>> {
        Ok(self.about(std::slice::from_ref(key), 0)?.swap_remove(0).locations)
    }

    /// The paths that name this key in the followed tree, at most `limit`.
    pub fn paths_of(&self, key: &Key, limit: u32) -> Result<Vec<TreePath>> {
        Ok(self.about(std::slice::from_ref(key), limit)?.swap_remove(0).names)
    }

    /// Every key that the followed tree names, in the order of the paths.
    pub fn keys_in_use(&self) -> Result<Vec<Key>> {
        let mut query = self.db.prepare_cached(
            "SELECT keys.key FROM keys WHERE EXISTS (SELECT 1 FROM files WHERE files.key = keys.id)",
        )?;
        collect_keys(query.query_map([], |row| row.get(0))?)
    }

    /// Keys that the tree names and that are not on record at one of these places: what there may be to do.
    pub fn keys_lacking_at(&self, uuids: &[RepoUuid]) -> Result<Vec<Key>> {
        let mut query = self.db.prepare_cached(
            "SELECT key FROM keys WHERE EXISTS (SELECT 1 FROM files WHERE files.key = keys.id)
             AND NOT EXISTS (SELECT 1 FROM locations JOIN uuids ON uuids.id = locations.uuid
                             WHERE locations.key = keys.id AND uuids.uuid = ?1)",
        )?;
        let mut found = Vec::new();
        for uuid in uuids {
            found.extend(collect_keys(query.query_map([uuid.as_str()], |row| row.get(0))?)?);
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Some keys that are on record at this repository.
    pub fn some_keys_at(&self, uuid: &RepoUuid, limit: u32) -> Result<Vec<Key>> {
        let mut query = self.db.prepare_cached(
            "SELECT keys.key FROM uuids JOIN locations ON locations.uuid = uuids.id
             JOIN keys ON keys.id = locations.key WHERE uuids.uuid = ?1 LIMIT ?2",
        )?;
        collect_keys(query.query_map(params![uuid.as_str(), limit], |row| row.get(0))?)
    }

    /// How many files of the followed tree are on record at this repository.
    pub fn files_at(&self, uuid: &RepoUuid) -> Result<u64> {
        let mut query = self.db.prepare_cached(
            "SELECT count(*) FROM uuids JOIN locations ON locations.uuid = uuids.id
             JOIN files ON files.key = locations.key WHERE uuids.uuid = ?1",
        )?;
        Ok(query.query_row([uuid.as_str()], |row| from_sql(row.get(0)?))?)
    }

    /// The numbers of the followed tree.
    pub fn totals(&self) -> Result<Totals> {
        let mut query =
            self.db.prepare_cached("SELECT count(*), coalesce(sum(size), 0), count(key) FROM files")?;
        Ok(query.query_row([], |row| {
            Ok(Totals {
                files: from_sql(row.get(0)?)?,
                bytes: from_sql(row.get(1)?)?,
                annexed: from_sql(row.get(2)?)?,
            })
        })?)
    }
}

fn key_id(db: &Connection, key: &Key) -> rusqlite::Result<i64> {
    let mut find = db.prepare_cached("SELECT id FROM keys WHERE key = ?1")?;
    if let Some(id) = find.query_row([key.as_bytes()], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    db.prepare_cached("INSERT INTO keys (key, size) VALUES (?1, ?2)")?
        .insert(params![key.as_bytes(), key.size().map(to_sql)])
}

fn uuid_id(db: &Connection, uuid: &RepoUuid) -> rusqlite::Result<i64> {
    let mut find = db.prepare_cached("SELECT id FROM uuids WHERE uuid = ?1")?;
    if let Some(id) = find.query_row([uuid.as_str()], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    db.prepare_cached("INSERT INTO uuids (uuid) VALUES (?1)")?.insert([uuid.as_str()])
}

fn set_followed(db: &Connection, what: Followed, at: &str) -> rusqlite::Result<()> {
    set_named(db, what.name(), at)
}

fn set_named(db: &Connection, what: &str, at: &str) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO followed VALUES (?1, ?2)")?.execute([what, at])?;
    Ok(())
}

fn collect_keys(rows: impl Iterator<Item = rusqlite::Result<Vec<u8>>>) -> Result<Vec<Key>> {
    let mut keys = Vec::new();
    for bytes in rows {
        keys.extend(Key::parse(&bytes?));
    }
    Ok(keys)
}

fn collect_paths(rows: impl Iterator<Item = rusqlite::Result<Vec<u8>>>) -> Result<Vec<TreePath>> {
    let mut paths = Vec::new();
    for bytes in rows {
        paths.extend(TreePath::new(bytes?).ok());
    }
    Ok(paths)
}

/// Sizes fit: nothing on a disk is larger than `i64::MAX` bytes.
fn to_sql(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn from_sql(number: i64) -> rusqlite::Result<u64> {
    Ok(u64::try_from(number).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn key(n: u32) -> Key {
        Key::parse(format!("SHA256-s{n}--{n:064x}").as_bytes()).unwrap()
    }

    pub(super) fn path(name: &str) -> TreePath {
        TreePath::new(name).unwrap()
    }

    fn named(name: &str, key: Option<Key>) -> FileRow {
        FileRow { path: path(name), content: key.map(FileContent::Annexed) }
    }

    pub(super) fn ledger() -> (tempfile::TempDir, Ledger) {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&dir.path().join("state.db")).unwrap();
        (dir, ledger)
    }

    #[test]
    fn follows_names_and_locations() {
        let (_dir, mut ledger) = ledger();
        let [here, there] = ["u-here", "u-there"].map(|text| RepoUuid::parse(text).unwrap());
        let touched =
            ledger.follow_tree("t1", &[named("a", Some(key(1))), named("b", Some(key(2)))]).unwrap();
        assert_eq!(touched, [key(1), key(2)]);
        ledger
            .follow_locations(
                "c1",
                &[(key(1), vec![here.clone(), there.clone()]), (key(2), vec![here.clone()])],
            )
            .unwrap();
        assert_eq!(ledger.keys_lacking_at(std::slice::from_ref(&there)).unwrap(), [key(2)]);
        assert_eq!(ledger.files_at(&here).unwrap(), 2);
        let touched = ledger.follow_tree("t2", &[named("a", None), named("c", Some(key(2)))]).unwrap();
        assert_eq!(touched, [key(1), key(2)], "both gained or lost a name");
        assert_eq!(ledger.totals().unwrap(), Totals { files: 2, bytes: 4, annexed: 2 });
        assert_eq!(ledger.paths_of(&key(2), 9).unwrap(), [path("b"), path("c")]);
        assert_eq!(ledger.followed(Followed::Tree).unwrap().as_deref(), Some("t2"));
    }

    #[test]
    fn a_damaged_database_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.db");
        std::fs::write(&file, vec![0x5a; 8192]).unwrap();
        let ledger = Ledger::open(&file).unwrap();
        assert_eq!(ledger.followed(Followed::Tree).unwrap(), None);
    }
}
