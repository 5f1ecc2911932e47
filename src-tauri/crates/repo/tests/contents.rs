//! Contents of git remotes, on a local path and over the P2P protocol, with real git-annex on the other side.

// Clippy lets tests unwrap, but not the functions that tests are made of.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use tributary_formats::backend::Backend;
use tributary_formats::{Key, KeyHasher, RepoUuid};
use tributary_repo::bare;
use tributary_repo::cancel::{Cancel, no_meter};
use tributary_repo::contents::local::LocalContents;
use tributary_repo::contents::p2p::P2p;
use tributary_repo::contents::ssh::{Discovered, SshContents, discover};
use tributary_repo::contents::{ContentsError, Stored};
use tributary_repo::remote::{GitRemote, RemoteKind, SshUrl};
use tributary_testkit::{Annex, Sandbox, annex_versions, newest_annex};

fn key_of(content: &[u8]) -> Key {
    let mut hasher = KeyHasher::new(&Backend::SHA256E).unwrap();
    hasher.update(content);
    hasher.finish(b"file.bin")
}

/// A file with that content, and its key.
fn source(sandbox: &Sandbox, name: &str, content: &[u8]) -> (PathBuf, Key) {
    let file = sandbox.join(name);
    fs::write(&file, content).unwrap();
    (file, key_of(content))
}

/// Bytes that do not repeat soon.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn uuid(annex: &Annex, dir: &Path) -> RepoUuid {
    RepoUuid::parse(&annex.git(dir, ["config", "annex.uuid"])).unwrap()
}

// ---- local paths

#[test]
fn a_bare_repository_holds_contents() {
    let sandbox = Sandbox::new();
    let hub = sandbox.join("hub.git");
    bare::create(&hub).unwrap();
    let hub_uuid = bare::init_contents(&hub, "hub").unwrap().uuid().clone();
    let content = bytes(700_000);
    let (file, key) = source(&sandbox, "f", &content);
    let moved = AtomicU64::new(0);
    let meter = |bytes: u64| {
        moved.fetch_add(bytes, Ordering::SeqCst);
    };

    let mut contents = LocalContents::open(&hub, &hub_uuid).unwrap();
    assert!(!contents.check_present(&key).unwrap());
    assert_eq!(contents.store(&key, &file, &meter, &Cancel::new()).unwrap(), Stored::Sent);
    assert_eq!(moved.load(Ordering::SeqCst), 700_000);
    assert_eq!(contents.store(&key, &file, &meter, &Cancel::new()).unwrap(), Stored::AlreadyThere);
    assert!(contents.check_present(&key).unwrap());
    contents.record(1_700_000_000).unwrap();

    let tmp = sandbox.join("arrived");
    contents.retrieve(&key, &tmp, &no_meter, &Cancel::new()).unwrap();
    assert_eq!(fs::read(&tmp).unwrap(), content);

    let log = Command::new("git")
        .current_dir(&hub)
        .args(["grep", "-h", hub_uuid.as_str(), "git-annex", "--", "*.bin.log"])
        .output();
    assert_eq!(
        String::from_utf8_lossy(&log.unwrap().stdout),
        format!("1700000000s 1 {hub_uuid}\n"),
        "it knows what it has"
    );

    if let Some(version) = newest_annex() {
        let annex = Annex::new(&version);
        let fsck = annex.annex(&hub, ["fsck", "--all"]);
        assert!(!fsck.contains("failed"), "{fsck}");
    }

    contents.remove(&key).unwrap();
    contents.remove(&key).unwrap();
    assert!(!contents.check_present(&key).unwrap());
    let absent = contents.retrieve(&key, &sandbox.join("none"), &no_meter, &Cancel::new());
    assert!(matches!(absent, Err(ContentsError::NotPresent { .. })));
    contents.record(1_700_000_001).unwrap();
}

#[test]
fn a_local_transfer_is_resumed_and_verified() {
    let sandbox = Sandbox::new();
    let hub = sandbox.join("hub.git");
    bare::create(&hub).unwrap();
    let hub_uuid = bare::init_contents(&hub, "hub").unwrap().uuid().clone();
    let mut contents = LocalContents::open(&hub, &hub_uuid).unwrap();
    let content = bytes(3_000_000);
    let (file, key) = source(&sandbox, "f", &content);

    // Cancelled in the middle: what was copied stays, and is gone on with.
    let cancel = Cancel::new();
    let meter = |bytes: u64| {
        if bytes > 0 {
            cancel.cancel();
        }
    };
    assert!(matches!(contents.store(&key, &file, &meter, &cancel), Err(ContentsError::Cancelled)));
    let partial = hub.join("annex/tmp").join(std::str::from_utf8(&key.key_file()).unwrap());
    let there = fs::metadata(&partial).unwrap().len();
    assert!(there > 0 && there < 3_000_000, "{there}");
    let first = AtomicU64::new(0);
    let meter = |bytes: u64| {
        let _ = first.compare_exchange(0, bytes, Ordering::SeqCst, Ordering::SeqCst);
    };
    contents.store(&key, &file, &meter, &Cancel::new()).unwrap();
    assert_eq!(first.load(Ordering::SeqCst), there, "what was there counts at once");

    // A half that belongs to something else is found out, whole or resumed.
    let tmp = sandbox.join("arrived");
    fs::write(&tmp, b"something else").unwrap();
    let damaged = contents.retrieve(&key, &tmp, &no_meter, &Cancel::new());
    assert!(matches!(damaged, Err(ContentsError::Corrupt { .. })));
    assert!(!tmp.exists());
    contents.retrieve(&key, &tmp, &no_meter, &Cancel::new()).unwrap();

    // A source that is not what its key says.
    let (other, _) = source(&sandbox, "other", b"short");
    let (_, wrong) = source(&sandbox, "wrong", b"wrong");
    assert!(matches!(
        contents.store(&wrong, &other, &no_meter, &Cancel::new()),
        Err(ContentsError::Corrupt { .. })
    ));
    assert!(!contents.check_present(&wrong).unwrap());
}

#[test]
fn a_repository_that_is_another_one_is_not_used() {
    let sandbox = Sandbox::new();
    let (hub, names) = (sandbox.join("hub.git"), sandbox.join("names.git"));
    bare::create(&hub).unwrap();
    bare::create(&names).unwrap();
    bare::init_contents(&hub, "hub").unwrap();
    let expected = RepoUuid::parse("51851c86-80d0-4da4-8153-b03795e18344").unwrap();
    assert!(matches!(LocalContents::open(&hub, &expected), Err(ContentsError::OtherRepository { .. })));
    assert!(matches!(LocalContents::open(&names, &expected), Err(ContentsError::NoContents)));
    let nowhere = LocalContents::open(&sandbox.join("nowhere"), &expected);
    assert!(matches!(nowhere, Err(ContentsError::Unreachable { .. })));
}

#[test]
fn git_annex_finds_what_was_stored_in_its_repository() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let dir = annex.sandbox().join("theirs");
        annex.init(&dir, "theirs");
        let content = bytes(50_000);
        let (file, key) = source(annex.sandbox(), "f", &content);
        let mut contents = LocalContents::open(&dir, &uuid(&annex, &dir)).unwrap();
        contents.store(&key, &file, &no_meter, &Cancel::new()).unwrap();
        contents.record(1_700_000_000).unwrap();
        let here = annex.annex(&dir, ["whereis", "--key", &key.to_string()]);
        assert!(here.contains("[here]"), "{here}");
        let fsck = annex.annex(&dir, ["fsck", "--all"]);
        assert!(fsck.contains(&key.to_string()) && !fsck.contains("failed"), "{fsck}");
    }
}

// ---- the P2P protocol

/// A server as git-annex starts it, without ssh.
fn serve(annex: &Annex, dir: &Path, environment: &[(&str, &str)]) -> (P2p, Child) {
    let server = uuid(annex, dir);
    let mut command = annex.sandbox().command("git-annex-shell");
    command.args([
        "p2pstdio",
        dir.to_str().unwrap(),
        "11111111-2222-3333-4444-555555555555",
        "--uuid",
        server.as_str(),
    ]);
    command.envs(environment.iter().copied());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (reader, writer) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
    (P2p::connect(Box::new(reader), Box::new(writer), &server).unwrap(), child)
}

#[test]
fn contents_travel_over_the_protocol() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let dir = annex.sandbox().join("server");
        annex.init(&dir, "server");
        let (mut p2p, mut child) = serve(&annex, &dir, &[]);
        assert_eq!(p2p.version(), if version.date() < 20_240_000 { 1 } else { 4 }, "{version:?}");
        let content = bytes(1_500_000);
        let (file, key) = source(annex.sandbox(), "f", &content);
        let (empty, empty_key) = source(annex.sandbox(), "empty", b"");

        assert!(!p2p.check_present(&key).unwrap());
        assert!(matches!(p2p.lock_content(&key), Err(ContentsError::NotPresent { .. })));
        let name = b"a name\nwith odd % signs";
        assert_eq!(p2p.store(&key, &file, name, &no_meter, &Cancel::new()).unwrap(), Stored::Sent);
        assert_eq!(p2p.store(&key, &file, name, &no_meter, &Cancel::new()).unwrap(), Stored::AlreadyThere);
        assert_eq!(p2p.store(&empty_key, &empty, b"", &no_meter, &Cancel::new()).unwrap(), Stored::Sent);
        assert!(p2p.check_present(&key).unwrap());

        let tmp = annex.sandbox().join("arrived");
        fs::write(&tmp, &content[..400_000]).unwrap();
        let moved = AtomicU64::new(0);
        let meter = |bytes: u64| {
            moved.fetch_add(bytes, Ordering::SeqCst);
        };
        p2p.retrieve(&key, &tmp, b"f", &meter, &Cancel::new()).unwrap();
        assert_eq!(fs::read(&tmp).unwrap(), content);
        assert_eq!(moved.load(Ordering::SeqCst), 1_500_000);
        fs::remove_file(&tmp).unwrap();
        p2p.retrieve(&empty_key, &tmp, b"", &no_meter, &Cancel::new()).unwrap();
        assert_eq!(fs::read(&tmp).unwrap(), b"");

        {
            let lock = p2p.lock_content(&key).unwrap();
            assert!(lock.holds());
            let drop_it = annex.try_annex(&dir, ["drop", "--force", "--key", &key.to_string()]);
            assert!(!drop_it.success(), "the content is locked ({version:?})");
        }
        // The lock is off when the server has answered the next request.
        assert!(p2p.check_present(&key).unwrap());
        p2p.remove(&key).unwrap();
        p2p.remove(&key).unwrap();
        assert!(!p2p.check_present(&key).unwrap());
        let absent = p2p.retrieve(&key, &annex.sandbox().join("none"), b"", &no_meter, &Cancel::new());
        assert!(matches!(absent, Err(ContentsError::NotPresent { .. })), "{absent:?}");
        assert!(!p2p.is_broken());
        drop(p2p);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn an_upload_goes_on_where_it_was_cut() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let dir = annex.sandbox().join("server");
        annex.init(&dir, "server");
        let content = bytes(4_000_000);
        let (file, key) = source(annex.sandbox(), "f", &content);
        let (mut p2p, mut child) = serve(&annex, &dir, &[]);
        let cancel = Cancel::new();
        let sent = AtomicU64::new(0);
        let meter = |bytes: u64| {
            if sent.fetch_add(bytes, Ordering::SeqCst) + bytes >= 2_000_000 {
                cancel.cancel();
            }
        };
        assert!(matches!(p2p.store(&key, &file, b"f", &meter, &cancel), Err(ContentsError::Cancelled)));
        assert!(p2p.is_broken());
        drop(p2p);
        child.wait().unwrap();

        let (mut p2p, mut child) = serve(&annex, &dir, &[]);
        let first = AtomicU64::new(0);
        let meter = |bytes: u64| {
            let _ = first.compare_exchange(0, bytes, Ordering::SeqCst, Ordering::SeqCst);
        };
        assert_eq!(p2p.store(&key, &file, b"f", &meter, &Cancel::new()).unwrap(), Stored::Sent);
        assert!(first.load(Ordering::SeqCst) >= 1_000_000, "the server had kept what came: {first:?}");
        drop(p2p);
        child.wait().unwrap();
        let fsck = annex.annex(&dir, ["fsck", "--key", &key.to_string()]);
        assert!(!fsck.contains("failed"), "{fsck}");
    }
}

#[test]
fn a_server_that_refuses_says_so() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let dir = annex.sandbox().join("server");
        annex.init(&dir, "server");
        let (file, key) = source(annex.sandbox(), "f", b"content");
        let (mut p2p, mut child) = serve(&annex, &dir, &[("GIT_ANNEX_SHELL_READONLY", "1")]);
        let refused = p2p.store(&key, &file, b"f", &no_meter, &Cancel::new());
        assert!(matches!(refused, Err(ContentsError::Refused { .. })), "{refused:?}");
        drop(p2p);
        let _ = child.wait();

        // The server verifies what it gets.
        let (_, wrong) = source(annex.sandbox(), "wrong", b"CONTENT");
        let (mut p2p, mut child) = serve(&annex, &dir, &[]);
        let refused = p2p.store(&wrong, &file, b"f", &no_meter, &Cancel::new());
        assert!(matches!(refused, Err(ContentsError::Refused { .. })), "{refused:?}");
        drop(p2p);
        let _ = child.wait();
    }
}

// ---- ssh

/// Stands for ssh: runs its last argument here, with git-annex of that version on PATH.
fn fake_ssh(annex: &Annex, git: &git2::Repository) {
    let script = annex.sandbox().join("fake-ssh");
    let path = annex.sandbox().env().get(std::ffi::OsStr::new("PATH")).unwrap().to_str().unwrap().to_owned();
    let home = annex.sandbox().home();
    let text = format!(
        "#!/bin/sh\nexport PATH='{path}' HOME='{}' GIT_CONFIG_GLOBAL='{}'\nwhile [ $# -gt 1 ]; do shift; done\nexec sh -c \"$1\"\n",
        home.display(),
        annex.sandbox().join("gitconfig").display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    git.config().unwrap().set_str("core.sshCommand", script.to_str().unwrap()).unwrap();
}

fn ssh_url(git: &git2::Repository, dir: &Path) -> SshUrl {
    match GitRemote::new(git, "x", &format!("ssh://host{}", dir.display())).kind {
        RemoteKind::Ssh(url) => url,
        other => panic!("{other:?}"),
    }
}

#[test]
fn contents_travel_over_ssh() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let (dir, plain, here) = (
            annex.sandbox().join("it's a server"),
            annex.sandbox().dir("plain"),
            annex.sandbox().dir("here"),
        );
        annex.init(&dir, "server");
        annex.git(&plain, ["init", "-q", "--bare"]);
        annex.git(&here, ["init", "-q"]);
        let git = git2::Repository::open(&here).unwrap();
        fake_ssh(&annex, &git);
        let server = uuid(&annex, &dir);
        let cancel = Cancel::new();
        let url = ssh_url(&git, &dir);
        assert_eq!(discover(&git, &url, &cancel).unwrap(), Discovered::Annexed(server.clone()));
        let plain_url = ssh_url(&git, &plain);
        assert_eq!(discover(&git, &plain_url, &cancel).unwrap(), Discovered::NoUuid);
        annex.git(&dir, ["push", "-q", plain.to_str().unwrap(), "git-annex"]);
        assert_eq!(discover(&git, &plain_url, &cancel).unwrap(), Discovered::NoUuid);
        let config = annex.git(&plain, ["config", "--list"]);
        assert!(!config.contains("annex.uuid"), "asking initialises nothing: {config}");

        let ours = RepoUuid::parse("11111111-2222-3333-4444-555555555555").unwrap();
        let (file, key) = source(annex.sandbox(), "f", &bytes(10_000));
        let mut contents = SshContents::connect(&git, &url, &ours, &server, &cancel).unwrap();
        assert_eq!(contents.store(&key, &file, b"f", &no_meter, &cancel).unwrap(), Stored::Sent);
        assert!(contents.check_present(&key).unwrap());
        cancel.cancel();
        let cut = contents.check_present(&key);
        assert!(matches!(cut, Err(ContentsError::Unreachable { .. })), "{cut:?}");
    }
}

#[test]
fn a_server_without_git_annex_carries_names_only() {
    let sandbox = Sandbox::new();
    let git = git2::Repository::init(sandbox.dir("here")).unwrap();
    let script = sandbox.join("fake-ssh");
    // A shell that finds nothing at all.
    fs::write(&script, "#!/bin/sh\nwhile [ $# -gt 1 ]; do shift; done\nPATH=/nonexistent\neval \"$1\"\n")
        .unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    git.config().unwrap().set_str("core.sshCommand", script.to_str().unwrap()).unwrap();
    let url = ssh_url(&git, Path::new("/srv/hub"));
    assert_eq!(discover(&git, &url, &Cancel::new()).unwrap(), Discovered::NoShell);

    fs::write(&script, "#!/bin/sh\necho 'anna@host: Permission denied (publickey).' >&2\nexit 255\n")
        .unwrap();
    assert!(matches!(discover(&git, &url, &Cancel::new()), Err(ContentsError::Auth { .. })));
}
