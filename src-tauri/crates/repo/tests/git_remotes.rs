//! Fetch and push: on local paths directly, through git's programs, and over streams. Real git judges.

// Clippy lets tests unwrap, but not the functions that tests are made of.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use git2::{ObjectType, Oid};
use tributary_formats::TreePath;
use tributary_repo::cancel::{Cancel, no_meter};
use tributary_repo::commit::{TreeChange, blob_entry, commit_changes};
use tributary_repo::fetch::{Fetched, fetch};
use tributary_repo::housekeeping::{self, ObjectFiles};
use tributary_repo::merge::{advance, merge_commits};
use tributary_repo::object_batch::{ObjectBatch, TreeItem};
use tributary_repo::push::{PushSpec, Pushed, RefOutcome, push, push_synced};
use tributary_repo::refs;
use tributary_repo::remote::{GitRemote, RemoteError, RemoteKind, Retry};
use tributary_repo::sync_branches::merge_candidates;
use tributary_repo::transport::{self, Asked, Service, Stream};
use tributary_repo::tree::EntryMode;
use tributary_testkit::Repo;

/// A repository with the remote `hub` at `url`.
struct Side {
    repo: Repo,
    git: git2::Repository,
}

impl Side {
    fn new() -> Side {
        let repo = Repo::new();
        let git = git2::Repository::open(repo.path()).unwrap();
        Side { repo, git }
    }

    fn with_hub(hub: &Repo) -> Side {
        let side = Side::new();
        GitRemote::add(&side.git, "hub", hub.path().to_str().unwrap()).unwrap();
        side
    }

    fn hub(&self) -> GitRemote {
        GitRemote::find(&self.git, "hub").unwrap().unwrap()
    }

    /// Commits files on top of the branch, without the work tree.
    fn commit(&self, files: &[(&str, &str)]) -> Oid {
        let mut batch = ObjectBatch::new();
        let changes: Vec<_> = files
            .iter()
            .map(|(path, content)| TreeChange {
                path: TreePath::new(path).unwrap(),
                entry: Some(blob_entry(&mut batch, EntryMode::File, content.as_bytes().to_vec()).unwrap()),
            })
            .collect();
        let parent = refs::head(&self.git).unwrap().tip;
        let who =
            git2::Signature::new("Anna", "anna@example.org", &git2::Time::new(1_700_000_000, 0)).unwrap();
        commit_changes(&self.git, &mut batch, parent, &changes, "x", &who).unwrap().unwrap().commit
    }

    fn tip(&self) -> Oid {
        refs::head(&self.git).unwrap().tip.unwrap()
    }

    fn fetch(&self) -> Result<Fetched, RemoteError> {
        fetch(&self.git, &self.hub(), &no_meter, &Cancel::new())
    }

    fn push(&self) -> Result<Pushed, RemoteError> {
        push_synced(&self.git, &self.hub(), "master", &no_meter, &Cancel::new())
    }

    /// Fetch, merge, push, until the push is not refused any more.
    fn sync(&self) {
        for _ in 0..50 {
            self.fetch().unwrap();
            let ours = refs::head(&self.git).unwrap().tip;
            let theirs = merge_candidates(&self.git, Some("hub"), "master").unwrap();
            if let Some(to) = merge_commits(&self.git, ours, &theirs).unwrap().target() {
                advance(&self.git, ours, to, "merge").unwrap();
            }
            if !self.push().unwrap().needs_fetch() {
                return;
            }
        }
        panic!("the push was refused again and again");
    }
}

fn target(git: &Path, name: &str) -> Option<Oid> {
    refs::target(&git2::Repository::open(git).unwrap(), name).unwrap()
}

fn outcome(pushed: &Pushed, name: &str) -> RefOutcome {
    let found = pushed.refs.iter().find(|(spec, _)| spec.remote == name);
    found.unwrap_or_else(|| panic!("{name} is not among {pushed:?}")).1.clone()
}

#[test]
fn what_one_pushes_the_other_fetches() {
    let hub = Repo::bare();
    let (a, b) = (Side::with_hub(&hub), Side::with_hub(&hub));
    let first = a.commit(&[("f", "1"), ("dir/g", "2")]);
    a.git.reference("refs/heads/git-annex", first, false, "").unwrap();
    let pushed = a.push().unwrap();
    for name in ["refs/heads/master", "refs/heads/git-annex", "refs/heads/synced/git-annex"] {
        assert_eq!(outcome(&pushed, name), RefOutcome::Updated { old: None, new: first });
        assert_eq!(target(hub.path(), name), Some(first));
    }
    assert_eq!(refs::target(&a.git, "refs/remotes/hub/master").unwrap(), Some(first), "we know what it has");
    hub.git(["fsck", "--strict"]).ok();

    let fetched = b.fetch().unwrap();
    let names: Vec<_> = fetched.refs.iter().map(|change| change.name.as_str()).collect();
    assert_eq!(
        names,
        ["refs/remotes/hub/git-annex", "refs/remotes/hub/master", "refs/remotes/hub/synced/git-annex"]
    );
    assert_eq!(merge_candidates(&b.git, Some("hub"), "master").unwrap(), [first]);
    b.repo.git(["fsck", "--strict", "--no-dangling"]).ok();
    assert_eq!(b.fetch().unwrap(), Fetched::default(), "nothing is news twice");
    assert_eq!(outcome(&a.push().unwrap(), "refs/heads/master"), RefOutcome::UpToDate(first));

    // What is gone there goes here.
    hub.git(["branch", "-D", "synced/git-annex"]).ok();
    let fetched = b.fetch().unwrap();
    assert_eq!(fetched.refs.len(), 1);
    assert_eq!((fetched.refs[0].old, fetched.refs[0].new), (Some(first), None));
    let listed = b.hub().ls(&b.git, &Cancel::new()).unwrap();
    assert_eq!(listed, [("refs/heads/git-annex".to_owned(), first), ("refs/heads/master".to_owned(), first)]);
}

#[test]
fn nothing_is_lost_when_two_push_at_once() {
    let hub = Repo::bare();
    let sides: Vec<Side> = (0..2).map(|_| Side::with_hub(&hub)).collect();
    sides[0].commit(&[("start", "")]);
    sides[0].sync();
    sides[1].sync();
    std::thread::scope(|scope| {
        for (n, side) in sides.into_iter().enumerate() {
            scope.spawn(move || {
                for round in 0..15 {
                    side.commit(&[(&format!("side{n}/{round}"), "x")]);
                    side.sync();
                }
            });
        }
    });
    let listed = hub.git(["ls-tree", "-r", "--name-only", "master"]).text();
    assert_eq!(listed.lines().count(), 31, "every file of both is there:\n{listed}");
    hub.git(["fsck", "--strict"]).ok();
}

#[test]
fn a_push_that_would_lose_commits_is_refused() {
    let hub = Repo::bare();
    let (a, b) = (Side::with_hub(&hub), Side::with_hub(&hub));
    let first = a.commit(&[("f", "1")]);
    a.push().unwrap();
    b.commit(&[("g", "2")]);
    let pushed = b.push().unwrap();
    assert!(pushed.needs_fetch() && !pushed.has("refs/heads/master"));
    assert_eq!(target(hub.path(), "refs/heads/master"), Some(first));

    let force =
        PushSpec { local: "refs/heads/master".into(), remote: "refs/heads/master".into(), force: true };
    hub.git(["config", "receive.denyNonFastForwards", "true"]).ok();
    let refused = push(&b.git, &b.hub(), std::slice::from_ref(&force), &no_meter, &Cancel::new()).unwrap();
    assert!(matches!(refused.refs[0].1, RefOutcome::Refused(_)));
    hub.git(["config", "receive.denyNonFastForwards", "false"]).ok();
    let forced = push(&b.git, &b.hub(), &[force], &no_meter, &Cancel::new()).unwrap();
    assert_eq!(forced.refs[0].1, RefOutcome::Updated { old: Some(first), new: b.tip() });
}

#[test]
fn a_branch_that_is_checked_out_there_is_left_alone() {
    let other = Repo::new().with_file("f", b"1").commit();
    let a = Side::with_hub(&other);
    a.fetch().unwrap();
    let theirs = merge_candidates(&a.git, Some("hub"), "master").unwrap();
    advance(&a.git, None, merge_commits(&a.git, None, &theirs).unwrap().target().unwrap(), "x").unwrap();
    let ours = a.commit(&[("g", "2")]);
    let pushed = a.push().unwrap();
    assert!(pushed.has("refs/heads/synced/master"));
    assert_eq!(target(other.path(), "refs/heads/synced/master"), Some(ours));
    assert_eq!(other.git(["status", "--short"]).text(), "", "its work tree saw nothing");
    let there = git2::Repository::open(other.path()).unwrap();
    assert_eq!(merge_candidates(&there, None, "master").unwrap(), [ours], "it finds what was left for it");

    // The same through git's own push.
    hook(&other, "post-receive", "exit 0");
    let ours = a.commit(&[("g", "3")]);
    assert!(a.push().unwrap().has("refs/heads/synced/master"));
    assert_eq!(target(other.path(), "refs/heads/synced/master"), Some(ours));
}

fn hook(repo: &Repo, name: &str, script: &str) {
    let dir = repo.git_dir().join("hooks");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn hooks_of_the_remote_are_run() {
    let hub = Repo::bare();
    let a = Side::with_hub(&hub);
    let ran = hub.path().join("ran");
    hook(&hub, "post-receive", &format!("cat > {}", ran.display()));
    let first = a.commit(&[("f", "1")]);
    assert_eq!(
        outcome(&a.push().unwrap(), "refs/heads/master"),
        RefOutcome::Updated { old: None, new: first }
    );
    assert!(fs::read_to_string(&ran).unwrap().contains("refs/heads/master"));

    hook(&hub, "pre-receive", "echo no more; exit 1");
    a.commit(&[("f", "2")]);
    assert!(matches!(outcome(&a.push().unwrap(), "refs/heads/master"), RefOutcome::Refused(_)));
    assert_eq!(target(hub.path(), "refs/heads/master"), Some(first));
}

#[test]
fn many_objects_travel_too() {
    // The first are copied by us, the second by git's own programs.
    for count in [2_000, 4_000] {
        let hub = Repo::bare();
        let (a, b) = (Side::with_hub(&hub), Side::with_hub(&hub));
        let names: Vec<(String, String)> =
            (0..count).map(|n| (format!("d{}/{n}", n % 7), n.to_string())).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|(name, content)| (&**name, &**content)).collect();
        let commit = a.commit(&files);
        let pushed = a.push().unwrap();
        assert_eq!(outcome(&pushed, "refs/heads/master"), RefOutcome::Updated { old: None, new: commit });
        assert_eq!(ObjectFiles::count(hub.path()).unwrap(), ObjectFiles { packs: 1, loose: 0 });
        let fetched = b.fetch().unwrap();
        assert_eq!(fetched.refs.len(), 1);
        assert_eq!(fetched.refs[0].new, Some(commit));
        b.repo.git(["fsck", "--strict", "--no-dangling"]).ok();
    }
}

#[test]
fn faults_are_told_apart() {
    let a = Side::new();
    a.commit(&[("f", "1")]);
    let at = |path: PathBuf| {
        GitRemote::add(&a.git, "hub", path.to_str().unwrap()).unwrap();
        (a.fetch().unwrap_err(), a.push().unwrap_err())
    };
    let gone = at(a.repo.sandbox().join("no/such/place"));
    assert!(matches!(gone, (RemoteError::Unreachable { .. }, RemoteError::Unreachable { .. })), "{gone:?}");
    let empty = at(a.repo.sandbox().dir("empty"));
    assert!(
        matches!(empty, (RemoteError::NotRepository { .. }, RemoteError::NotRepository { .. })),
        "{empty:?}"
    );

    // An object is missing there.
    let hub = Repo::bare();
    let b = Side::with_hub(&hub);
    b.commit(&[("f", "content")]);
    b.push().unwrap();
    let blob = hub.git(["rev-parse", "master:f"]).text();
    fs::remove_file(hub.path().join("objects").join(&blob[..2]).join(&blob[2..])).unwrap();
    let c = Side::with_hub(&hub);
    assert!(matches!(c.fetch(), Err(RemoteError::Corrupt { .. })));
    assert_eq!(
        refs::target(&c.git, "refs/remotes/hub/master").unwrap(),
        None,
        "no ref names what is incomplete"
    );

    let cancelled = Cancel::new();
    cancelled.cancel();
    assert!(matches!(fetch(&c.git, &c.hub(), &no_meter, &cancelled), Err(RemoteError::Cancelled)));
}

/// A commit in `hub` whose tree nobody's git would make.
fn hostile_commit(hub: &Repo, items: Vec<TreeItem>) {
    let git = git2::Repository::open(hub.path()).unwrap();
    let mut batch = ObjectBatch::new();
    let blob = batch.blob(b"evil".to_vec()).unwrap();
    let mut raw = Vec::new();
    for item in items {
        raw.extend(format!("{:o} ", item.mode).into_bytes());
        raw.extend(item.name);
        raw.push(0);
        raw.extend(if item.oid.is_zero() { blob } else { item.oid }.as_bytes());
    }
    // Not `batch.tree`, which would put it in order.
    let tree = batch.add(git2::ObjectType::Tree, raw).unwrap();
    let who = git2::Signature::now("E", "e@e").unwrap();
    let commit = batch.commit(tree, &[], &who, &who, b"x").unwrap();
    batch.write(&git).unwrap();
    git.reference("refs/heads/master", commit, true, "").unwrap();
}

#[test]
fn a_hostile_remote_cannot_reach_out_of_the_folder() {
    let file = |name: &str| TreeItem { name: name.into(), mode: 0o100_644, oid: Oid::ZERO_SHA1 };
    let link = |name: &str| TreeItem { name: name.into(), mode: 0o120_000, oid: Oid::ZERO_SHA1 };
    let cases: Vec<Vec<TreeItem>> = vec![
        vec![file("..")],
        vec![file(".git")],
        vec![file(".GIT")],
        vec![file("git~1")],
        vec![file("a/b")],
        vec![file("../../x")],
        vec![file("a"), file("a")],
        vec![file("b"), file("a")],
        vec![link("a"), file("a")],
        vec![link(".gitmodules")],
        vec![file("")],
    ];
    for items in cases {
        let named = format!(
            "{:?}",
            items.iter().map(|item| item.name.escape_ascii().to_string()).collect::<Vec<_>>()
        );
        for through_git in [false, true] {
            let hub = Repo::bare();
            hostile_commit(&hub, items.clone());
            let a = Side::with_hub(&hub);
            let url = hub.path().to_str().unwrap();
            let kind = if through_git { RemoteKind::Other } else { a.hub().kind };
            let remote = GitRemote { name: "hub".into(), url: url.into(), kind };
            if through_git {
                // Git's own fetch over its own protocol, as from a server.
                a.repo.git(["config", "protocol.file.allow", "always"]).ok();
            }
            let refused = fetch(&a.git, &remote, &no_meter, &Cancel::new());
            assert!(
                matches!(refused, Err(RemoteError::Hostile { .. } | RemoteError::Corrupt { .. })),
                "{named} through git: {through_git}: {refused:?}"
            );
            assert_eq!(refs::target(&a.git, "refs/remotes/hub/master").unwrap(), None);
        }
    }
}

#[test]
fn a_few_trees_cannot_stand_for_endless_paths() {
    let hub = Repo::bare();
    let git = git2::Repository::open(hub.path()).unwrap();
    let mut batch = ObjectBatch::new();
    let blob = batch.blob(b"x".to_vec()).unwrap();
    let mut below = TreeItem { name: b"f".to_vec(), mode: 0o100_644, oid: blob };
    for _ in 0..10 {
        let items = (0..10u8).map(|n| TreeItem { name: vec![b'a' + n], ..below.clone() }).collect();
        below = TreeItem { name: Vec::new(), mode: 0o040_000, oid: batch.tree(items).unwrap() };
    }
    let who = git2::Signature::now("E", "e@e").unwrap();
    let commit = batch.commit(below.oid, &[], &who, &who, b"x").unwrap();
    batch.write(&git).unwrap();
    git.reference("refs/heads/master", commit, true, "").unwrap();
    let a = Side::with_hub(&hub);
    assert!(matches!(a.fetch(), Err(RemoteError::Hostile { .. })));
}

#[test]
fn what_an_interrupted_fetch_left_is_completed() {
    let hub = Repo::bare();
    let (a, b) = (Side::with_hub(&hub), Side::with_hub(&hub));
    let commit = a.commit(&[("f", "1"), ("d/g", "2")]);
    a.push().unwrap();
    // The commit and a tree arrived, the rest did not.
    for name in [commit.to_string(), hub.git(["rev-parse", "master^{tree}"]).text()] {
        let path = Path::new("objects").join(&name[..2]).join(&name[2..]);
        fs::create_dir_all(b.repo.git_dir().join(path.parent().unwrap())).unwrap();
        fs::copy(hub.path().join(&path), b.repo.git_dir().join(&path)).unwrap();
    }
    b.fetch().unwrap();
    b.repo.git(["fsck", "--strict", "--no-dangling"]).ok();
    assert_eq!(b.repo.git(["show", "hub/master:d/g"]).text(), "2");
}

#[test]
fn a_tracking_ref_that_somebody_else_is_writing_is_written_by_the_next_try() {
    let hub = Repo::bare();
    let (a, b) = (Side::with_hub(&hub), Side::with_hub(&hub));
    let commit = a.commit(&[("f", "1")]);
    let lock = |side: &Side| {
        let lock = side.repo.git_dir().join("refs/remotes/hub/master.lock");
        fs::create_dir_all(lock.parent().unwrap()).unwrap();
        fs::write(&lock, "").unwrap();
        lock
    };
    let theirs = lock(&a);
    assert_eq!(a.push().unwrap_err().retry(), Retry::Later);
    fs::remove_file(theirs).unwrap();
    assert_eq!(
        outcome(&a.push().unwrap(), "refs/heads/master"),
        RefOutcome::UpToDate(commit),
        "it got there"
    );
    let theirs = lock(&b);
    assert_eq!(b.fetch().unwrap_err().retry(), Retry::Later);
    fs::remove_file(theirs).unwrap();
    b.fetch().unwrap();
    assert_eq!(refs::target(&b.git, "refs/remotes/hub/master").unwrap(), Some(commit));
}

#[test]
fn a_repository_behind_ssh() {
    let hub = Repo::bare();
    let (a, b) = (Side::new(), Side::new());
    // No server is needed: git starts this instead of ssh, and it runs what would run there.
    let script = a.repo.sandbox().join("fake-ssh");
    fs::write(&script, "#!/bin/sh\nwhile [ $# -gt 1 ]; do shift; done\nexec sh -c \"$1\"\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    for side in [&a, &b] {
        side.repo.git(["config", "core.sshCommand", script.to_str().unwrap()]).ok();
        let url = format!("ssh://localhost{}", hub.path().display());
        assert!(matches!(GitRemote::add(&side.git, "hub", &url).unwrap().kind, RemoteKind::Ssh(_)));
    }
    let first = a.commit(&[("f", "1")]);
    a.git.reference("refs/heads/git-annex", first, false, "").unwrap();
    assert_eq!(
        outcome(&a.push().unwrap(), "refs/heads/master"),
        RefOutcome::Updated { old: None, new: first }
    );
    assert_eq!(b.fetch().unwrap().refs.len(), 3);
    assert_eq!(b.fetch().unwrap(), Fetched::default());
    b.commit(&[("g", "2")]);
    assert!(b.push().unwrap().needs_fetch());
    b.sync();
    assert_eq!(b.hub().ls(&b.git, &Cancel::new()).unwrap().len(), 3);
    let nowhere = GitRemote::new(&b.git, "x", "ssh://localhost/no/such/repository");
    assert!(matches!(
        fetch(&b.git, &nowhere, &no_meter, &Cancel::new()),
        Err(RemoteError::NotRepository { .. })
    ));
}

#[test]
fn streams_that_are_handed_in_carry_git() {
    let hub = Repo::bare();
    let path = hub.path().to_owned();
    transport::register(
        "pipe",
        Arc::new(move |url: &str, asked: &Asked| {
            assert!(url.starts_with("pipe::"), "the opener gets the URL as it was written: {url}");
            let program = match asked.service {
                Service::UploadPack => "upload-pack",
                Service::ReceivePack => "receive-pack",
            };
            let mut command = Command::new("git");
            command.arg(program).arg(&path).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn()?;
            let (reader, writer) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
            std::thread::spawn(move || child.wait());
            Ok(Stream { reader: Box::new(reader), writer: Box::new(writer), cut: Arc::new(|| ()) })
        }),
    );
    let (a, b) = (Side::new(), Side::new());
    for side in [&a, &b] {
        let remote = GitRemote::add(&side.git, "hub", "pipe::peer/folder").unwrap();
        assert_eq!(remote.kind, RemoteKind::Stream { scheme: "pipe".into() });
    }
    assert_eq!(b.fetch().unwrap(), Fetched::default(), "an empty repository");
    let first = a.commit(&[("f", "1"), ("d/g", "2")]);
    assert_eq!(
        outcome(&a.push().unwrap(), "refs/heads/synced/master"),
        RefOutcome::Updated { old: None, new: first },
        "at the other end of a stream is somebody's folder"
    );
    assert_eq!(b.fetch().unwrap().refs.len(), 1);
    b.repo.git(["fsck", "--strict", "--no-dangling"]).ok();
    // A push that was cut, or is not through yet, left the next tip here without what it names.
    let next = a.commit(&[("f", "3")]);
    a.push().unwrap();
    let tip = a.git.odb().unwrap().read(next).unwrap().data().to_vec();
    assert_eq!(b.git.odb().unwrap().write(ObjectType::Commit, &tip).unwrap(), next);
    let fetched = b.fetch().unwrap();
    assert_eq!(fetched.refs[0].new, Some(next));
    b.repo.git(["fsck", "--strict", "--no-dangling"]).ok();
    assert!(!b.repo.git_dir().join("shallow").exists());
    b.commit(&[("g", "2")]);
    assert!(b.push().unwrap().needs_fetch());
    b.sync();
    hub.git(["fsck", "--strict"]).ok();

    hostile_commit(&hub, vec![TreeItem { name: b".git".to_vec(), mode: 0o100_644, oid: Oid::ZERO_SHA1 }]);
    let refused = a.fetch();
    assert!(matches!(refused, Err(RemoteError::Hostile { .. } | RemoteError::Other { .. })), "{refused:?}");
}

#[test]
fn a_crowded_repository_is_repacked() {
    let repo = Repo::new();
    let side = Side { git: git2::Repository::open(repo.path()).unwrap(), repo };
    assert!(!housekeeping::tidy(&side.repo.git_dir(), &Cancel::new()).unwrap(), "nothing to do");
    for n in 0..=housekeeping::PACK_LIMIT {
        let names: Vec<String> = (0..110).map(|m| format!("{n}/{m}")).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|name| (&**name, &**name)).collect();
        side.commit(&files);
    }
    assert!(ObjectFiles::count(&side.repo.git_dir()).unwrap().too_many());
    assert!(housekeeping::tidy(&side.repo.git_dir(), &Cancel::new()).unwrap());
    assert!(!ObjectFiles::count(&side.repo.git_dir()).unwrap().too_many());
    side.repo.git(["fsck", "--strict"]).ok();
    side.commit(&[("after", "it")]);
}
