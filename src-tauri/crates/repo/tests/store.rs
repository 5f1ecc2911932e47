//! The object store, with git-annex as judge of what lies in it.

// Clippy lets tests unwrap, but not the functions that tests are made of.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use tributary_formats::backend::Backend;
use tributary_formats::key::Key;
use tributary_formats::logs::presence::LogStatus;
use tributary_formats::tree_path::TreePath;
use tributary_repo::annex_branch::LogChange;
use tributary_repo::commit::{TreeChange, commit_changes, pointer_entry};
use tributary_repo::lock::{ContentLockError, ExclusiveContentLock, SharedContentLock};
use tributary_repo::object_batch::ObjectBatch;
use tributary_repo::repository::Setup;
use tributary_repo::store::{IngestError, Verdict};
use tributary_repo::{Repository, bare};
use tributary_testkit::{Annex, OddFiles, OddName, Sandbox, annex_versions, run};

const NOW: u64 = 1_700_000_000;

fn create(path: &Path) -> Repository {
    let setup = Setup { description: "here".into(), filter_process: None, look_for_git_annex: false };
    Repository::create(path, &setup).unwrap()
}

fn path(path: impl AsRef<[u8]>) -> TreePath {
    TreePath::new(path).unwrap()
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

/// Adds files as the engine does: contents, tree, location log.
fn add(repo: &Repository, paths: &[TreePath]) -> Vec<Key> {
    let (store, tree) = (repo.store(), repo.work_tree().unwrap());
    let (mut batch, mut changes, mut logs, mut keys) =
        (ObjectBatch::new(), Vec::new(), Vec::new(), Vec::new());
    for path in paths {
        let taken = store.ingest(&tree, path, &Backend::SHA256E).unwrap();
        let entry = pointer_entry(&mut batch, &taken.key, taken.stat.is_executable()).unwrap();
        changes.push(TreeChange { path: path.clone(), entry: Some(entry) });
        keys.push(taken.key.clone());
        logs.push(LogChange::Location {
            key: taken.key,
            uuid: repo.uuid().clone(),
            status: LogStatus::Present,
        });
    }
    let parent = repo.git().head().unwrap().target();
    let author = repo.author();
    commit_changes(repo.git(), &mut batch, parent, &changes, "files", &author).unwrap().unwrap();
    repo.annex_branch().update(&logs, NOW, "update").unwrap().unwrap();
    keys
}

#[test]
fn what_is_taken_in_is_what_git_annex_would_have_taken() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let dir = annex.sandbox().join("repo");
        let repo = create(&dir);
        // The newest git-annex loses the bytes of names that are not UTF-8; see the testkit's judge.
        let files = OddFiles::new(7, 40).without(OddName::InvalidUtf8).largest(300_000).write(&dir);
        let paths: Vec<TreePath> = files.keys().map(path).collect();
        let keys = add(&repo, &paths);
        Repository::adopt(
            &dir,
            &Setup { description: String::new(), filter_process: None, look_for_git_annex: true },
        )
        .unwrap();
        annex.git(&dir, ["reset", "-q"]);
        assert_eq!(annex.judge(&dir).check(), paths.len());
        for key in &keys {
            let object = repo.store().locate(key).unwrap();
            assert_eq!(mode(&object) & 0o222, 0, "contents are read-only");
            assert_eq!(mode(object.parent().unwrap()), 0o555);
        }
        assert_eq!(annex.annex(&dir, ["unused"]).lines().count(), 1, "nothing lies about");
    }
}

#[test]
fn the_file_in_the_folder_is_only_read() {
    let sandbox = Sandbox::new();
    let dir = sandbox.join("repo");
    let repo = create(&dir);
    let (store, tree) = (repo.store(), repo.work_tree().unwrap());
    for (name, content, executable) in
        [("a", "one", false), ("b.sh", "two", true), ("c", "one", false), ("d", "", false)]
    {
        fs::write(dir.join(name), content).unwrap();
        let mode = if executable { 0o750 } else { 0o600 };
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).unwrap();
        let before = tree.stat(&path(name)).unwrap().unwrap();
        let taken = store.ingest(&tree, &path(name), &Backend::SHA256E).unwrap();
        assert_eq!(tree.stat(&path(name)).unwrap().unwrap(), before);
        assert_eq!((taken.stat, taken.size), (before, content.len() as u64));
        assert_eq!(taken.known, name == "c", "the content of c came with a");
        assert_eq!(fs::read_to_string(store.locate(&taken.key).unwrap()).unwrap(), content);
        assert_eq!(store.verify(&taken.key).unwrap(), Verdict::Good);
    }
    assert_eq!(
        fs::read_dir(repo.annex_dir().join("othertmp")).unwrap().count(),
        0,
        "no temporary file stays"
    );
    let mut keys = 0;
    store.for_each_key(&mut |_| keys += 1).unwrap();
    assert_eq!(keys, 3);
    store.sync().unwrap();
    assert!(store.free_space().unwrap() > 0);
}

#[test]
fn what_is_no_quiet_plain_file_is_told_apart() {
    let sandbox = Sandbox::new();
    let dir = sandbox.join("repo");
    let repo = create(&dir);
    let (store, tree) = (repo.store(), repo.work_tree().unwrap());
    let ingest = |name: &str| store.ingest(&tree, &path(name), &Backend::SHA256E);
    fs::create_dir(dir.join("dir")).unwrap();
    fs::write(sandbox.join("outside"), "secret").unwrap();
    symlink("../outside", dir.join("link")).unwrap();
    symlink("..", dir.join("up")).unwrap();
    let mut fifo = sandbox.command("mkfifo");
    fifo.arg(dir.join("pipe"));
    run(fifo).ok();
    assert!(matches!(ingest("none"), Err(IngestError::Gone)));
    assert!(matches!(ingest("up/outside"), Err(IngestError::Gone)), "no link on the way is followed");
    for name in ["dir", "link", "pipe"] {
        assert!(matches!(ingest(name), Err(IngestError::NotFile)), "{name}");
    }
    fs::write(dir.join("f"), "x").unwrap();
    let other = Backend::parse("XSPECIAL").unwrap();
    assert!(matches!(store.ingest(&tree, &path("f"), &other), Err(IngestError::Backend(_))));
}

/// A file that grows, or is replaced, all the time: whatever is taken in is a version that was whole.
#[test]
fn a_file_that_changes_while_it_is_read_is_not_taken() {
    let sandbox = Sandbox::new();
    let dir = sandbox.join("repo");
    let repo = create(&dir);
    let (store, tree) = (repo.store(), repo.work_tree().unwrap());
    let file = dir.join("f");
    fs::write(&file, vec![b'a'; 4 << 20]).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut writer = OpenOptions::new().append(true).open(&file).unwrap();
            while !stop.load(relaxed) {
                writer.write_all(b"more").unwrap();
            }
        });
        let mut refused = 0;
        for _ in 0..10 {
            match store.ingest(&tree, &path("f"), &Backend::SHA256E) {
                Err(IngestError::Changed) => refused += 1,
                // Possible only when the writer was not scheduled all the while.
                Ok(taken) => assert_eq!(taken.size, taken.stat.size),
                Err(other) => panic!("{other}"),
            }
        }
        stop.store(true, relaxed);
        assert!(refused > 0, "a file of 4 MiB takes longer to read than a write takes");
    });
    let mut quiet = Vec::new();
    store.for_each_key(&mut |key| quiet.push(key)).unwrap();
    for key in quiet {
        assert_eq!(store.verify(&key).unwrap(), Verdict::Good, "nothing torn is in the store");
    }
}

#[test]
fn torn_and_bad_contents_are_not_believed() {
    let sandbox = Sandbox::new();
    let dir = sandbox.join("repo");
    let repo = create(&dir);
    let (store, tree) = (repo.store(), repo.work_tree().unwrap());
    fs::write(dir.join("f"), "content").unwrap();
    let key = store.ingest(&tree, &path("f"), &Backend::SHA256E).unwrap().key;
    let object = store.locate(&key).unwrap();
    let spoil = |content: &str| {
        fs::set_permissions(&object, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&object, content).unwrap();
    };

    spoil("");
    assert_eq!(store.locate(&key), None, "a loss of power left it empty");
    assert!(!store.contains(&key).unwrap());
    let taken = store.ingest(&tree, &path("f"), &Backend::SHA256E).unwrap();
    assert!(!taken.known);
    assert_eq!(store.verify(&key).unwrap(), Verdict::Good, "taken in anew");

    spoil("CONTENT");
    assert_eq!(store.verify(&key).unwrap(), Verdict::Bad);
    store.ingest(&tree, &path("f"), &Backend::SHA256E).unwrap();
    assert_eq!(store.verify(&key).unwrap(), Verdict::Good);
    let bad = repo.annex_dir().join("bad");
    assert_eq!(fs::read_dir(bad).unwrap().count(), 1, "the bad one is kept where git-annex keeps such");

    spoil("CONTENT");
    assert!(store.set_aside(&key).unwrap());
    assert!(!store.set_aside(&key).unwrap());
    assert_eq!(store.verify(&key).unwrap(), Verdict::Absent);
}

#[test]
fn a_download_gets_its_name_when_it_is_verified() {
    let sandbox = Sandbox::new();
    for repo in [create(&sandbox.join("repo")), {
        bare::create(&sandbox.join("hub")).unwrap();
        bare::init_contents(&sandbox.join("hub"), "hub").unwrap()
    }] {
        let store = repo.store();
        let key =
            Key::parse(b"SHA256E-s6--5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03.txt")
                .unwrap();
        let tmp = store.tmp_path(&key).unwrap();
        fs::write(&tmp, "hel").unwrap();
        assert_eq!(store.verify_file(&tmp, &key).unwrap(), Verdict::Bad);
        OpenOptions::new().append(true).open(&tmp).unwrap().write_all(b"lo\n").unwrap();
        assert_eq!(store.verify_file(&tmp, &key).unwrap(), Verdict::Good);
        let object = store.place(&tmp, &key).unwrap();
        let below = if repo.is_bare() { "d91/b11" } else { "mK/4w" };
        assert!(object.starts_with(repo.annex_dir().join("objects").join(below)), "{}", object.display());
        assert_eq!((mode(&object), mode(object.parent().unwrap())), (0o444, 0o555));
        assert!(!tmp.exists());
        fs::write(&tmp, "hello\n").unwrap();
        assert_eq!(store.place(&tmp, &key).unwrap(), object, "a second download changes nothing");
        assert!(!tmp.exists());

        // In the other hash directory it is found all the same.
        let other = if repo.is_bare() { "mK/4w" } else { "d91/b11" };
        let moved = repo.annex_dir().join("objects").join(other);
        fs::create_dir_all(moved.parent().unwrap()).unwrap();
        fs::rename(object.parent().unwrap().parent().unwrap(), &moved).unwrap();
        assert!(store.locate(&key).unwrap().starts_with(&moved));
        let lock = ExclusiveContentLock::take(&store, &key).unwrap();
        assert!(store.remove(lock).unwrap());
        assert!(!moved.exists(), "empty directories go too");
        assert!(!store.contains(&key).unwrap());
    }
}

#[test]
fn a_group_repository_keeps_its_permissions() {
    let sandbox = Sandbox::new();
    let repo = create(&sandbox.join("repo"));
    repo.git_config_set("core.sharedRepository", "group").unwrap();
    let (key, _, _) = repo.store().ingest_stream(&mut &b"x"[..], b"f", &Backend::SHA256E, false).unwrap();
    let object = repo.store().locate(&key).unwrap();
    assert_eq!(
        (mode(&object), mode(object.parent().unwrap())),
        (0o444, 0o2775),
        "the group may still write there"
    );
}

#[test]
fn locks_are_git_annexs() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let dir = annex.sandbox().join("repo");
        annex.init(&dir, "here");
        fs::write(dir.join("f"), "content").unwrap();
        annex.annex(&dir, ["add", "f"]);
        annex.git(&dir, ["commit", "-q", "-m", "f"]);
        let key = Key::parse(annex.annex(&dir, ["lookupkey", "f"]).as_bytes()).unwrap();
        let store = Repository::open(&dir).unwrap().store();

        let shared = SharedContentLock::take(&store, &key).unwrap();
        let second = SharedContentLock::take(&store, &key).unwrap();
        let refused = annex.try_annex(&dir, ["drop", "--force", "f"]);
        assert!(!refused.success(), "git-annex must not drop what we hold");
        let ours = ExclusiveContentLock::take(&store, &key);
        assert!(matches!(ours, Err(ContentLockError::Locked { retained_for: None, .. })), "nor we ourselves");
        drop(shared);
        assert!(ExclusiveContentLock::take(&store, &key).is_err(), "the second one still holds it");
        drop(second);
        let object = store.locate(&key).unwrap();
        assert_eq!(fs::read_dir(object.parent().unwrap()).unwrap().count(), 1, "no lock file stays");

        // A promise that git-annex made to another program and could not take back.
        let dir_of = object.parent().unwrap();
        fs::set_permissions(dir_of, fs::Permissions::from_mode(0o755)).unwrap();
        let promise = object.with_file_name(format!("{key}.rtm"));
        let in_a_minute =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 60;
        fs::write(&promise, format!("{in_a_minute}.5s")).unwrap();
        match ExclusiveContentLock::take(&store, &key) {
            Err(ContentLockError::Locked { retained_for: Some(left), .. }) => assert!(left.as_secs() <= 60),
            other => panic!("{other:?}"),
        }
        fs::write(&promise, "1.5s").unwrap();
        let lock = ExclusiveContentLock::take(&store, &key).unwrap();
        assert!(store.remove(lock).unwrap());
        assert!(!dir_of.exists(), "an old promise does not keep the directory");
        assert!(matches!(ExclusiveContentLock::take(&store, &key), Err(ContentLockError::NotPresent { .. })));
    }
}

#[test]
fn git_annexs_exclusive_lock_is_seen() {
    let sandbox = Sandbox::new();
    let repo = create(&sandbox.join("repo"));
    let store = repo.store();
    let (key, _, _) = store.ingest_stream(&mut &b"x"[..], b"f", &Backend::SHA256E, false).unwrap();
    let object = store.locate(&key).unwrap();
    fs::set_permissions(object.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    let lock = File::create(object.with_file_name(format!("{key}.lck"))).unwrap();
    // A POSIX record lock, as git-annex takes it; the kernel lets it conflict with ours, of this process too.
    rustix::fs::fcntl_lock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    assert!(matches!(SharedContentLock::take(&store, &key), Err(ContentLockError::Locked { .. })));
    drop(lock);
    SharedContentLock::take(&store, &key).unwrap();
}
