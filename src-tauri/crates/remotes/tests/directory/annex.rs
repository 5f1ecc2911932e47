//! git-annex as writer of what we read, as reader of what we write, and as judge: every release that is installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use tributary_formats::logs::{ChunkLog, RemoteConfig};
use tributary_formats::{Key, RepoUuid};
use tributary_remotes::{
    Download, LocalSettings, Meter, RemoteName, SpecialRemote, Unverifiable, Upload, from_config, initialise,
};
use tributary_testkit::{
    Annex, Entry, OddFiles, OddName, Snapshot, annex_versions, differences, run, snapshot,
};

use crate::place::Records;

/// A git-annex repository with files, and a directory remote.
struct Clone {
    annex: Annex,
    repo: PathBuf,
    place: PathBuf,
    uuid: RepoUuid,
    records: Arc<Records>,
}

impl Clone {
    /// `fields` are those of `initremote`.
    fn new(annex: Annex, fields: &[&str]) -> Self {
        let (repo, place) = (annex.sandbox().join("repo"), annex.sandbox().dir("place"));
        annex.init(&repo, "a repository");
        // The newest git-annex cannot add names that are not UTF-8, nor those of 255 bytes.
        let files =
            OddFiles::new(3, 12).largest(5_000).without(OddName::InvalidUtf8).without(OddName::Longest);
        files.write(&repo.join("files"));
        fs::write(repo.join("empty"), "").unwrap();
        fs::write(repo.join("large.bin"), vec![7; 300_000]).unwrap();
        annex.annex(&repo, ["add", "-c", "annex.dotfiles=true", "--quiet", "."]);
        annex.git(&repo, ["commit", "-q", "-m", "files"]);
        let directory = format!("directory={}", place.display());
        let fixed = ["initremote", "--quiet", "usb", "type=directory", "encryption=none", &directory];
        annex.annex(&repo, fixed.iter().chain(fields));
        let uuid = annex.git(&repo, ["config", "remote.usb.annex-uuid"]);
        let uuid = RepoUuid::parse(&uuid).unwrap();
        Clone { annex, repo, place, uuid, records: Arc::default() }
    }

    fn keys(&self) -> Vec<Key> {
        let listed = self.annex.annex(&self.repo, ["find", "--include=*", "--format=${key}\\n"]);
        let mut keys: Vec<Key> =
            listed.lines().map(|line| Key::parse(line.as_bytes()).expect("a key")).collect();
        keys.sort();
        keys.dedup();
        assert!(keys.len() >= 10, "there is something to try: {keys:?}");
        keys
    }

    fn object(&self, key: &Key) -> PathBuf {
        let path = String::from_utf8(key.object_path_mixed()).unwrap();
        self.repo.join(".git/annex/objects").join(path)
    }

    /// The remote, as its entry in remote.log says.
    fn remote(&self) -> Box<dyn SpecialRemote> {
        from_config(&self.uuid, &self.config(), &self.local()).expect("git-annex's own configuration is fine")
    }

    fn config(&self) -> RemoteConfig {
        let log = self.annex.git(&self.repo, ["show", "git-annex:remote.log"]);
        let line = log
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{} ", self.uuid)))
            .expect("it is on record");
        RemoteConfig::parse(line.as_bytes()).unwrap()
    }

    fn local(&self) -> LocalSettings {
        LocalSettings {
            name: RemoteName::new("usb"),
            repository: RepoUuid::parse("11111111-2222-3333-4444-555555555555").unwrap(),
            directory: Some(self.place.clone()),
            marked: false,
            cost: None,
            chunk_records: self.records.clone(),
        }
    }

    /// Reads the chunk logs that git-annex wrote.
    fn learn_chunks(&self) {
        for key in self.keys() {
            let path = String::from_utf8(key.log_path_with(b".log.cnk")).unwrap();
            let log = self.annex.try_git(&self.repo, ["show", &format!("git-annex:{path}")]);
            self.records.set(&key, ChunkLog::parse(log.stdout_bytes()).sets_of(&self.uuid));
        }
    }

    /// Tells git-annex where contents are and in which chunks, as the engine does.
    fn tell(&self, key: &Key, chunks: Option<tributary_remotes::ChunkSet>) {
        self.annex.annex(&self.repo, ["setpresentkey", &key.to_string(), self.uuid.as_str(), "1"]);
        if let Some(set) = chunks {
            let mut log = ChunkLog::default();
            log.add(&self.uuid, set, 1_700_000_000);
            let path = String::from_utf8(key.log_path_with(b".log.cnk")).unwrap();
            // Left in the journal, for git-annex to commit.
            let name = path.replace('_', "__").replace('/', "_");
            let journal = self.repo.join(".git/annex/journal");
            fs::create_dir_all(&journal).unwrap();
            fs::write(journal.join(name), log.to_bytes()).unwrap();
        }
    }
}

/// The kinds of remote to try.
const FIELDS: [&[&str]; 2] = [&[], &["chunk=1KiB"]];

#[tokio::test]
async fn reads_what_git_annex_wrote() {
    for (version, fields) in
        annex_versions().iter().flat_map(|version| FIELDS.map(|fields| (version, fields)))
    {
        let clone = Clone::new(Annex::new(version), fields);
        clone.annex.annex(&clone.repo, ["copy", "--quiet", "--to", "usb"]);
        clone.learn_chunks();
        let remote = clone.remote();
        let keys = clone.keys();
        let present = remote.check_present_many(keys.clone()).await;
        assert!(
            present.into_iter().all(|present| present.unwrap()),
            "{} {fields:?}: all are there",
            version.name
        );
        let partial = |key: &Key| clone.annex.sandbox().join(format!("tmp/{key}"));
        let download = |key: &Key| Download {
            key: key.clone(),
            partial: partial(key),
            unverifiable: Unverifiable::Refuse,
            meter: Meter::silent(),
        };
        for (key, file) in keys.iter().zip(remote.retrieve_many(keys.iter().map(download).collect()).await) {
            let file = file.unwrap_or_else(|error| panic!("{} {fields:?} {key}: {error:?}", version.name));
            assert!(fs::read(file.path()).unwrap() == fs::read(clone.object(key)).unwrap());
        }
        // Nothing that git-annex stored is stored again.
        let uploads = keys.iter().map(|key| upload(&clone, key)).collect();
        let again = remote.store_many(uploads).await;
        assert!(again.into_iter().all(|stored| stored.unwrap().already_there), "{} {fields:?}", version.name);
    }
}

#[tokio::test]
async fn git_annex_reads_what_we_wrote() {
    for (version, fields) in
        annex_versions().iter().flat_map(|version| FIELDS.map(|fields| (version, fields)))
    {
        let clone = Clone::new(Annex::new(version), fields);
        let before = contents(&clone, "before");
        initialise(&clone.uuid, &clone.config(), &clone.local()).expect("it can be marked");
        let remote = clone.remote();
        let keys = clone.keys();
        let stored = remote.store_many(keys.iter().map(|key| upload(&clone, key)).collect()).await;
        remote.flush().await.unwrap();
        for (key, stored) in keys.iter().zip(stored) {
            clone.tell(key, stored.unwrap().chunks);
        }
        clone.annex.annex(&clone.repo, ["merge", "--quiet"]);
        let judged = clone.annex.judge(&clone.repo).from("usb").check();
        assert_eq!(judged, 14, "every file was judged");

        // With only the remote's copy left, git-annex gets all of it back, and removes it from there.
        clone.annex.annex(&clone.repo, ["drop", "--quiet", "--force", "."]);
        assert!(keys.iter().all(|key| !clone.object(key).exists()));
        clone.annex.annex(&clone.repo, ["get", "--quiet", "."]);
        assert_eq!(differences(&before, &contents(&clone, "after")), "", "{} {fields:?}", version.name);
        clone.annex.annex(&clone.repo, ["drop", "--quiet", "--from", "usb", "."]);
        let present = remote.check_present_many(keys).await;
        assert!(present.into_iter().all(|present| !present.unwrap()), "git-annex removed them");
    }
}

#[tokio::test]
async fn what_git_annex_left_half_done_is_no_hindrance() {
    for version in annex_versions() {
        let clone = Clone::new(Annex::new(&version), &[]);
        let key = clone.keys().into_iter().max_by_key(Key::size).unwrap();
        // Its uploads grow in a directory of the key's name below tmp.
        let tmp = clone.place.join("tmp").join(key.to_string());
        fs::create_dir_all(&tmp).unwrap();
        fs::write(tmp.join(key.to_string()), "half").unwrap();
        let remote = clone.remote();
        remote.store(upload(&clone, &key)).await.expect("ours grows elsewhere");
        assert!(remote.check_present(&key).await.unwrap());
        clone.tell(&key, None);
        clone.annex.annex(&clone.repo, ["fsck", "--quiet", "--from", "usb", "large.bin"]);
    }
}

/// `git annex testremote` goes through its own suite in a place that holds our files too.
#[tokio::test]
async fn git_annex_tests_its_remote_in_a_place_of_ours() {
    for version in annex_versions() {
        let clone = Clone::new(Annex::new(&version), &[]);
        initialise(&clone.uuid, &clone.config(), &clone.local()).expect("it can be marked");
        let key = clone.keys().remove(0);
        clone.remote().store(upload(&clone, &key)).await.unwrap();
        let mut command = clone.annex.sandbox().command("git-annex");
        command
            .args(["testremote", "usb", "--fast", "--size=10KiB"])
            .current_dir(&clone.repo)
            .stdin(Stdio::null());
        run(command).ok();
        assert!(clone.remote().check_present(&key).await.unwrap(), "ours is untouched");
    }
}

fn upload(clone: &Clone, key: &Key) -> Upload {
    Upload { key: key.clone(), source: clone.object(key), meter: Meter::silent() }
}

/// The contents of a clone's locked files, seen through their links. The executable bit is that of the object, which
/// git-annex makes anew.
fn contents(clone: &Clone, copy: &str) -> Snapshot {
    let copy = clone.annex.sandbox().join(copy);
    let mut command = clone.annex.sandbox().command("cp");
    command.args(["-rL"]).args([&clone.repo.join("files"), &copy] as [&Path; 2]);
    run(command).ok();
    let mut contents = snapshot(&copy);
    for entry in contents.values_mut() {
        if let Entry::File { executable, .. } = entry {
            *executable = false;
        }
    }
    contents
}
