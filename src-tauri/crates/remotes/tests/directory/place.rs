//! A directory for tests, and what may happen to it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tributary_formats::logs::RemoteConfig;
use tributary_formats::{Key, RepoUuid};
use tributary_remotes::suite::Subject;
use tributary_remotes::{
    ChunkRecords, ChunkSet, LocalSettings, RemoteName, SpecialRemote, from_config, initialise,
};
use tributary_testkit::Sandbox;

/// The chunk log, in memory.
#[derive(Default)]
pub struct Records(Mutex<BTreeMap<Key, Vec<ChunkSet>>>);

impl Records {
    pub fn set(&self, key: &Key, sets: Vec<ChunkSet>) {
        self.0.lock().unwrap().insert(key.clone(), sets);
    }
}

impl ChunkRecords for Records {
    fn chunk_sets(&self, key: &Key) -> io::Result<Vec<ChunkSet>> {
        Ok(self.0.lock().unwrap().get(key).cloned().unwrap_or_default())
    }
}

/// A directory remote in a sandbox.
pub struct DirectoryPlace {
    pub sandbox: Sandbox,
    pub uuid: RepoUuid,
    pub config: RemoteConfig,
    pub records: Arc<Records>,
}

impl DirectoryPlace {
    /// A directory that was made ours.
    pub fn new(chunk: Option<&str>) -> Self {
        let place = Self::empty(chunk);
        initialise(&place.uuid, &place.config, &place.local())
            .expect("a directory that is there can be ours");
        place
    }

    /// A directory that is just there.
    pub fn empty(chunk: Option<&str>) -> Self {
        let sandbox = Sandbox::new();
        sandbox.dir("place");
        let mut config: RemoteConfig =
            [("type", "directory"), ("encryption", "none"), ("name", "usb")].into_iter().collect();
        if let Some(chunk) = chunk {
            config.set("chunk", chunk);
        }
        let uuid = RepoUuid::parse("51851c86-80d0-4da4-8153-b03795e18344").unwrap();
        DirectoryPlace { sandbox, uuid, config, records: Arc::default() }
    }

    pub fn path(&self) -> PathBuf {
        self.sandbox.join("place")
    }

    pub fn local(&self) -> LocalSettings {
        LocalSettings {
            name: RemoteName::new("usb"),
            repository: RepoUuid::parse("11111111-2222-3333-4444-555555555555").unwrap(),
            directory: Some(self.path()),
            marked: false,
            cost: None,
            chunk_records: self.records.clone(),
        }
    }

    pub fn remote_with(&self, local: &LocalSettings) -> Box<dyn SpecialRemote> {
        from_config(&self.uuid, &self.config, local).expect("the configuration is fine")
    }

    /// The last file that holds the content: whole, or the last chunk.
    pub fn last_file(&self, key: &Key) -> PathBuf {
        let sets = self.records.chunk_sets(key).unwrap();
        let stored = match sets.first() {
            Some(set) => key.chunk_key(set.chunk_size, set.count).unwrap(),
            None => key.clone(),
        };
        self.path().join(std::ffi::OsStr::from_bytes(&stored.object_path_lower()))
    }
}

impl Subject for DirectoryPlace {
    fn remote(&self) -> Box<dyn SpecialRemote> {
        self.remote_with(&self.local())
    }

    fn unreachable(&self) -> Box<dyn SpecialRemote> {
        self.remote_with(&LocalSettings { directory: Some(self.sandbox.join("not-mounted")), ..self.local() })
    }

    fn record(&self, key: &Key, chunks: ChunkSet) {
        self.records.set(key, vec![chunks]);
    }

    fn forget(&self, key: &Key) {
        self.records.set(key, Vec::new());
    }

    fn damage(&self, key: &Key) {
        let file = self.last_file(key);
        let mut bytes = fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        overwrite(&file, &bytes);
    }

    fn cut(&self, key: &Key) {
        let file = self.last_file(key);
        let bytes = fs::read(&file).unwrap();
        overwrite(&file, &bytes[..bytes.len() / 2]);
    }

    fn lose(&self, key: &Key) {
        let file = self.last_file(key);
        thaw(&file);
        fs::remove_file(file).unwrap();
    }

    fn visible_files(&self) -> usize {
        let tmp = b"tmp/";
        tributary_testkit::snapshot(&self.path()).keys().filter(|path| !path.starts_with(tmp)).count()
    }
}

fn thaw(file: &Path) {
    fs::set_permissions(file.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
}

fn overwrite(file: &Path, bytes: &[u8]) {
    thaw(file);
    fs::write(file, bytes).unwrap();
}
