//! Serving git to a guest. Real git is the guest, over TCP, which it speaks as plainly as a pipe; where git would not do
//! what is tried, the bytes are made by hand.

// Clippy lets tests unwrap, but not the functions that tests are made of.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};

use git2::{ObjectType, Oid};
use tributary_repo::cancel::{Cancel, no_meter};
use tributary_repo::fetch::fetch;
use tributary_repo::push::{RefOutcome, push_synced};
use tributary_repo::remote::{GitRemote, RemoteError};
use tributary_repo::serve::{Limits, Refusal, ServeError, Served, serve};
use tributary_repo::transport::{self, Asked, Service, Stream};
use tributary_testkit::{Finished, Repo};

/// A folder, served to whoever connects.
struct Host {
    repo: Repo,
    git: git2::Repository,
    port: u16,
    ended: Receiver<Result<Served, ServeError>>,
    cancel: Cancel,
}

impl Host {
    /// A folder with one commit, and a git-annex branch.
    fn new() -> Host {
        Host::with(Repo::new().with_file("a", b"1").commit(), Limits::default())
    }

    fn with(repo: Repo, limits: Limits) -> Host {
        if !repo.git(["rev-parse", "-q", "--verify", "HEAD"]).stdout().is_empty() {
            repo.git(["branch", "git-annex", "master"]).ok();
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, ended) = mpsc::channel();
        let cancel = Cancel::new();
        let (path, token) = (repo.path().to_owned(), cancel.clone());
        std::thread::spawn(move || {
            for guest in listener.incoming() {
                let (path, tell, token) = (path.clone(), tell.clone(), token.clone());
                std::thread::spawn(move || {
                    let mut guest = guest.unwrap();
                    let asked = asked_for(&mut guest);
                    let git = git2::Repository::open(path).unwrap();
                    let served = serve(&git, asked, limits, guest.try_clone().unwrap(), &guest, &token);
                    let _ = guest.shutdown(Shutdown::Both);
                    let _ = tell.send(served);
                });
            }
        });
        let git = git2::Repository::open(repo.path()).unwrap();
        Host { repo, git, port, ended, cancel }
    }

    fn url(&self) -> String {
        format!("git://127.0.0.1:{}/folder", self.port)
    }

    /// What came of the last guest.
    fn ended(&self) -> Result<Served, ServeError> {
        self.ended.recv().unwrap()
    }

    fn tip(&self, name: &str) -> Option<Oid> {
        self.git.refname_to_id(name).ok()
    }

    /// Everything that a push could have changed.
    fn state(&self) -> String {
        let refs = self.repo.git(["for-each-ref"]).ok().stdout().to_owned();
        self.repo.git(["fsck", "--strict", "--no-dangling"]).ok();
        let count = self.repo.git(["count-objects", "-v"]).ok().stdout().to_owned();
        let quarantine = fs::read_dir(self.repo.git_dir().join("objects")).unwrap();
        let left = quarantine.filter(|entry| entry.as_ref().unwrap().file_name().len() > 4);
        format!("{refs}{count}{}", left.count())
    }

    /// Says this to a service; what it answered until it hung up.
    fn say(&self, service: &str, said: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(&line(&format!("{service} /folder\0host=x\0"))).unwrap();
        // A host that hung up does not take the rest.
        let _ = stream.write_all(said);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    /// A push by hand: wishes, then a pack of these objects.
    fn push_by_hand(&self, new: Oid, name: &str, objects: &[(ObjectType, Vec<u8>)]) -> Vec<u8> {
        let maker = Repo::bare();
        let git = git2::Repository::open(maker.path()).unwrap();
        let odb = git.odb().unwrap();
        let ids: Vec<Oid> = objects.iter().map(|(kind, data)| odb.write(*kind, data).unwrap()).collect();
        let mut builder = git.packbuilder().unwrap();
        ids.iter().for_each(|id| builder.insert_object(*id, None).unwrap());
        let mut pack = git2::Buf::new();
        builder.write_buf(&mut pack).unwrap();
        let wish = line(&format!("{} {new} {name}\0 report-status\n", Oid::ZERO_SHA1));
        self.say("git-receive-pack", &[wish, b"0000".to_vec(), pack.to_vec()].concat())
    }
}

fn line(text: &str) -> Vec<u8> {
    [format!("{:04x}", text.len() + 4).as_bytes(), text.as_bytes()].concat()
}

/// What git says first over TCP: `git-SERVICE PATH NUL host=… NUL`, and our own program `has=OID,OID… NUL` behind it.
fn asked_for(guest: &mut TcpStream) -> Asked {
    let mut length = [0; 4];
    guest.read_exact(&mut length).unwrap();
    let length = usize::from_str_radix(std::str::from_utf8(&length).unwrap(), 16).unwrap();
    let mut line = vec![0; length - 4];
    guest.read_exact(&mut line).unwrap();
    let fetches = line.starts_with(b"git-upload-pack");
    let service = if fetches { Service::UploadPack } else { Service::ReceivePack };
    let fields = String::from_utf8(line).unwrap();
    let has = fields.split('\0').find_map(|field| field.strip_prefix("has="));
    let oids = |has: &str| has.split_terminator(',').map(|oid| Oid::from_str(oid).unwrap()).collect();
    Asked { service, has: has.map(oids) }
}

/// A guest with a clone, in which it committed something.
fn guest(host: &Host) -> Repo {
    let guest = Repo::new();
    guest.git(["remote", "add", "origin", &host.url()]).ok();
    guest.git(["fetch", "-q", "origin"]).ok();
    host.ended().unwrap();
    guest.git(["reset", "-q", "--hard", "origin/master"]).ok();
    guest.with_file("b", b"2").commit()
}

fn head(repo: &Repo) -> Oid {
    Oid::from_str(repo.git(["rev-parse", "HEAD"]).ok().stdout().trim()).unwrap()
}

fn push(guest: &Repo, refspecs: &[&str]) -> Finished {
    let args = [&["push", "origin"][..], refspecs].concat();
    guest.git(args)
}

#[test]
fn a_guest_fetches_what_it_may_see_and_nothing_else() {
    let repo = Repo::new().with_file("a", b"1").commit();
    repo.git(["tag", "secret"]).ok();
    repo.git(["update-ref", "refs/stash", "HEAD"]).ok();
    repo.git(["update-ref", "refs/remotes/elsewhere/master", "HEAD"]).ok();
    repo.git(["update-ref", "refs/heads/synced/master", "HEAD"]).ok();
    repo.git(["update-ref", "refs/synced/some-uuid/master", "HEAD"]).ok();
    repo.git(["checkout", "-q", "-b", "draft"]).ok();
    let repo = repo.with_file("secret", b"2").commit();
    let hidden = head(&repo);
    repo.git(["checkout", "-q", "master"]).ok();
    let host = Host::with(repo, Limits::default());
    let guest = Repo::new();
    let listed = guest.git(["ls-remote", &host.url()]).ok().stdout().to_owned();
    assert_eq!(host.ended().unwrap().status, 0);
    let names: Vec<&str> = listed.lines().filter_map(|line| Some(line.split_once('\t')?.1)).collect();
    assert_eq!(
        names,
        [
            "HEAD",
            "refs/heads/git-annex",
            "refs/heads/master",
            "refs/heads/synced/master",
            "refs/synced/some-uuid/master"
        ]
    );
    // By name it is not shown, by number it is not given.
    let fetched = guest.git(["fetch", "-q", &host.url(), &hidden.to_string()]);
    assert!(!fetched.success(), "{fetched}");
    assert!(!guest.git(["cat-file", "-e", &hidden.to_string()]).success());
}

#[test]
fn a_guest_moves_forward_what_is_left_for_us() {
    let host = Host::new();
    let guest = guest(&host);
    let new = head(&guest);
    push(&guest, &["master:synced/master", "master:git-annex"]).ok();
    let names = ["refs/heads/git-annex", "refs/heads/synced/master"];
    let mut served = host.ended().unwrap();
    served.moved.sort();
    assert_eq!(served, Served { status: 0, moved: names.map(|name| (name.to_owned(), new)).to_vec() });
    assert_eq!(names.map(|name| host.tip(name)), [Some(new); 2]);
    assert_ne!(host.tip("refs/heads/master"), Some(new), "what is checked out is ours to move");
    // Back, and away, are not forward.
    let before = host.state();
    push(&guest, &["+master~1:synced/master"]);
    assert_eq!(host.ended().unwrap().moved, []);
    push(&guest, &[":synced/master"]);
    assert!(matches!(host.ended(), Err(ServeError::Refused(Refusal::Deletion(_)))));
    assert_eq!(host.state(), before);
}

#[test]
fn a_guest_moves_nothing_else() {
    let host = Host::new();
    let guest = guest(&host);
    let before = host.state();
    for name in
        ["master", "other", "refs/tags/v1", "refs/remotes/hub/master", "refs/annex/x", "refs/heads/synced"]
    {
        let pushed = push(&guest, &[&format!("+master:{name}")]);
        assert!(!pushed.success(), "{name}: {pushed}");
        assert!(matches!(host.ended(), Err(ServeError::Refused(Refusal::NotTheirs(_)))), "{name}");
        assert_eq!(host.state(), before, "{name}");
    }
    // One that it may and one that it may not: neither.
    assert!(!push(&guest, &["master:synced/master", "master:refs/tags/v1"]).success());
    host.ended().unwrap_err();
    assert_eq!(host.state(), before);
}

#[test]
fn no_hook_runs_and_no_setting_of_the_folder_opens_it() {
    let host = Host::new();
    let hooks = host.repo.git_dir().join("hooks");
    fs::create_dir_all(&hooks).unwrap();
    for hook in ["pre-receive", "update", "post-receive", "post-update", "reference-transaction"] {
        let hook = hooks.join(hook);
        fs::write(&hook, "#!/bin/sh\ntouch \"$(dirname \"$0\")/ran\"\n").unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for (name, value) in [
        ("receive.denyCurrentBranch", "updateInstead"),
        ("receive.denyDeletes", "false"),
        ("receive.denyNonFastForwards", "false"),
        ("receive.fsckObjects", "false"),
        ("receive.hideRefs", "!refs"),
        ("uploadpack.allowAnySHA1InWant", "true"),
        ("receive.advertisePushOptions", "true"),
    ] {
        host.repo.git(["config", name, value]).ok();
    }
    let guest = guest(&host);
    push(&guest, &["master:synced/master"]).ok();
    assert_eq!(host.ended().unwrap().moved.len(), 1);
    // The hook of the guest's choice would be one that it writes: it cannot.
    assert!(!push(&guest, &["-o", "option", "master:synced/other"]).success());
    host.ended().unwrap();
    push(&guest, &["+master~1:synced/master"]);
    assert_eq!(host.ended().unwrap().moved, []);
    assert!(!hooks.join("ran").exists());
}

#[test]
fn objects_that_could_do_harm_are_not_taken() {
    let host = Host::new();
    let before = host.state();
    let blob = (ObjectType::Blob, b"evil".to_vec());
    let blob_id = Oid::hash_object(ObjectType::Blob, b"evil").unwrap();
    for (mode, name) in [
        ("100644", "."),
        ("100644", ".."),
        ("100644", ".git"),
        ("100644", ".GIT"),
        ("100644", "a/b"),
        ("100644", ""),
        ("120000", ".gitmodules"),
    ] {
        let mut tree = format!("{mode} {name}\0").into_bytes();
        tree.extend(blob_id.as_bytes());
        let tree_id = Oid::hash_object(ObjectType::Tree, &tree).unwrap();
        let commit =
            format!("tree {tree_id}\nauthor A <a@a> 1 +0000\ncommitter A <a@a> 1 +0000\n\nx\n").into_bytes();
        let new = Oid::hash_object(ObjectType::Commit, &commit).unwrap();
        let objects = [blob.clone(), (ObjectType::Tree, tree), (ObjectType::Commit, commit)];
        let answer = host.push_by_hand(new, "refs/heads/synced/master", &objects);
        assert_eq!(host.ended().unwrap().moved, [], "{name:?}: {}", String::from_utf8_lossy(&answer));
        assert_eq!(host.state(), before, "{name:?}");
    }
}

#[test]
fn what_is_incomplete_broken_or_no_pack_at_all_is_not_taken() {
    let host = Host::new();
    let before = host.state();
    let missing = "7".repeat(40);
    let commit = format!("tree {missing}\nauthor A <a@a> 1 +0000\ncommitter A <a@a> 1 +0000\n\nx\n");
    let new = Oid::hash_object(ObjectType::Commit, commit.as_bytes()).unwrap();
    let name = "refs/heads/synced/master";
    host.push_by_hand(new, name, &[(ObjectType::Commit, commit.into_bytes())]);
    assert_eq!(host.ended().unwrap().moved, [], "a commit without its tree");
    let wish = line(&format!("{} {new} {name}\0 report-status\n", Oid::ZERO_SHA1));
    for rest in
        [&b"0000"[..], b"0000PACK", b"0000PACK\0\0\0\x02\xff\xff\xff\xff", b"0000garbage garbage garbage"]
    {
        host.say("git-receive-pack", &[&wish[..], rest].concat());
        assert_eq!(host.ended().unwrap().moved, []);
        assert_eq!(host.state(), before);
    }
    // Cut in the list, before git heard a word.
    host.say("git-receive-pack", &wish[..20]);
    assert_eq!(host.ended().unwrap().moved, []);
    host.say("git-receive-pack", b"");
    assert_eq!(host.ended().unwrap().moved, []);
    assert_eq!(host.state(), before);
}

#[test]
fn a_push_that_is_too_large_is_not_taken() {
    let limits = Limits { pack: 20_000, ..Limits::default() };
    let host = Host::with(Repo::new().with_file("a", b"1").commit(), limits);
    let guest = guest(&host);
    push(&guest, &["master:synced/master"]).ok();
    host.ended().unwrap();
    let before = host.state();
    // It does not compress.
    let noise: Vec<u8> = (0..4_000u32)
        .flat_map(|n| Oid::hash_object(ObjectType::Blob, &n.to_le_bytes()).unwrap().as_bytes().to_vec())
        .collect();
    let guest = guest.with_file("noise", &noise).commit();
    let pushed = push(&guest, &["master:synced/master"]);
    assert!(!pushed.success(), "{pushed}");
    assert_eq!(host.ended().unwrap().moved, []);
    assert_eq!(host.state(), before);
}

#[test]
fn a_few_bytes_that_claim_to_be_many_cost_no_memory() {
    let limits = Limits { memory: 200 << 20, ..Limits::default() };
    let host = Host::with(Repo::new().with_file("a", b"1").commit(), limits);
    let before = host.state();
    // A tree has to be held as a whole: half a gigabyte of zeroes, half a megabyte on the way.
    let bomb = vec![0; 512 << 20];
    let answer = host.push_by_hand(
        Oid::hash_object(ObjectType::Blob, b"x").unwrap(),
        "refs/heads/synced/master",
        &[(ObjectType::Tree, bomb)],
    );
    assert!(answer.len() < 10_000);
    assert_eq!(host.ended().unwrap().moved, []);
    assert_eq!(host.state(), before);
}

#[test]
fn a_guest_that_says_nothing_is_ended_by_the_token() {
    for service in ["git-upload-pack", "git-receive-pack"] {
        let host = Host::new();
        let mut stream = TcpStream::connect(("127.0.0.1", host.port)).unwrap();
        stream.write_all(&line(&format!("{service} /folder\0host=x\0"))).unwrap();
        let mut length = [0; 4];
        stream.read_exact(&mut length).unwrap();
        // It is served now, and says nothing.
        host.cancel.cancel();
        assert_eq!(host.ended().unwrap(), Served { status: -1, moved: vec![] }, "{service}");
    }
}

/// Opens streams to a host.
fn transport_to(port: u16) -> impl Fn(&str, &Asked) -> io::Result<Stream> + Send + Sync {
    move |_, asked| {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        let name = match asked.service {
            Service::UploadPack => "git-upload-pack",
            Service::ReceivePack => "git-receive-pack",
        };
        let has = asked.has.iter().map(|has| {
            let oids: Vec<String> = has.iter().map(Oid::to_string).collect();
            format!("has={}\0", oids.join(","))
        });
        stream.write_all(&line(&format!("{name} /folder\0host=x\0{}", has.collect::<String>())))?;
        let (reader, cut) = (stream.try_clone()?, stream.try_clone()?);
        let cut = Arc::new(move || drop(cut.shutdown(Shutdown::Both)));
        Ok(Stream { reader: Box::new(reader), writer: Box::new(stream), cut })
    }
}

/// Opens streams to a host for the fetches and pushes of this program.
fn register(scheme: &str, port: u16) {
    transport::register(scheme, Arc::new(transport_to(port)));
}

/// Adds some 6 MB in eleven commits.
fn much(mut repo: Repo) -> Repo {
    let noise = |n: u32| -> Vec<u8> {
        (0..150_000u32).flat_map(|m| (m ^ n).wrapping_mul(2_654_435_761).to_le_bytes()).collect()
    };
    for n in 1..12 {
        repo = repo.with_file(format!("n{n}"), &noise(n)).commit();
    }
    repo
}

#[test]
fn what_is_much_is_fetched_in_stages_and_goes_on_where_it_was_cut() {
    let host = Host::with(much(Repo::new().with_file("a", b"1").commit()), Limits::default());
    let (served, cut_after) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(1)));
    // Streams are lost once so many were served.
    let opener = {
        let (served, cut_after, port) = (served.clone(), cut_after.clone(), host.port);
        move |url: &str, asked: &Asked| {
            if served.fetch_add(1, Ordering::SeqCst) >= cut_after.load(Ordering::SeqCst) {
                return Err(std::io::ErrorKind::ConnectionReset.into());
            }
            transport_to(port)(url, asked)
        }
    };
    transport::register("cutting", Arc::new(opener));
    let repo = Repo::new();
    let git = git2::Repository::open(repo.path()).unwrap();
    let remote = GitRemote::add(&git, "peer", "cutting::x").unwrap();
    let fetch = || fetch(&git, &remote, &no_meter, &Cancel::new());
    let bytes = || {
        let packs = fs::read_dir(repo.git_dir().join("objects/pack")).unwrap();
        packs.map(|pack| pack.unwrap().metadata().unwrap().len()).sum::<u64>()
    };
    assert!(fetch().is_err(), "the second stream was lost");
    assert!(
        repo.git(["for-each-ref", "refs/remotes/peer/master"]).stdout().is_empty(),
        "no branch has changed"
    );
    let stage = bytes();
    assert!((500_000..7_000_000).contains(&stage), "the first stage was kept: {stage} bytes");
    cut_after.store(usize::MAX, Ordering::SeqCst);
    let fetched = fetch().unwrap();
    let names: Vec<&str> = fetched.refs.iter().map(|change| change.name.as_str()).collect();
    assert_eq!(names, ["refs/remotes/peer/git-annex", "refs/remotes/peer/master"]);
    let whole = bytes();
    repo.git(["fsck", "--strict", "--no-dangling"]).ok();
    let left = repo.git(["for-each-ref", "refs/remotes/peer/refs-arriving"]).ok().stdout().to_owned();
    assert_eq!(left, "", "what was on its way has arrived");
    assert!(whole < 7_500_000, "nothing came twice: {whole} bytes");
    assert_eq!(fetch().unwrap().refs, vec![], "and there is no more");
}

#[test]
fn a_folder_is_pushed_to_through_a_stream_in_stages_when_it_is_much() {
    let host = Host::new();
    register("served", host.port);
    let repo = much(guest(&host));
    repo.git(["branch", "-f", "git-annex", "master"]).ok();
    let git = git2::Repository::open(repo.path()).unwrap();
    let remote = GitRemote::add(&git, "peer", "served::x").unwrap();
    let pushed = push_synced(&git, &remote, "master", &no_meter, &Cancel::new()).unwrap();
    let outcomes: Vec<_> =
        pushed.refs.iter().map(|(spec, outcome)| (spec.remote.as_str(), outcome)).collect();
    let new = head(&repo);
    assert!(
        matches!(
            outcomes[..],
            [
                ("refs/heads/synced/master", RefOutcome::UpToDate(one) | RefOutcome::Updated { new: one, .. }),
                ("refs/heads/git-annex", RefOutcome::UpToDate(two) | RefOutcome::Updated { new: two, .. })
            ] if *one == new && *two == new
        ),
        "{outcomes:?}"
    );
    assert_eq!(host.tip("refs/heads/synced/master"), Some(new));
    let steps = host.repo.git(["reflog", "show", "--format=%H", "synced/master"]).ok().stdout().to_owned();
    assert!(steps.lines().count() > 1, "6 MB go in more than one step: {steps}");
    host.repo.git(["fsck", "--strict", "--no-dangling"]).ok();
}

#[test]
fn whoever_waits_for_a_silent_host_is_freed_by_the_token() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    register("silent", listener.local_addr().unwrap().port());
    let repo = Repo::new();
    let git = git2::Repository::open(repo.path()).unwrap();
    let remote = GitRemote::add(&git, "peer", "silent::x").unwrap();
    let cancel = Cancel::new();
    let token = cancel.clone();
    let silent = std::thread::spawn(move || {
        let (held, _) = listener.accept().unwrap();
        token.cancel();
        held
    });
    let listed = remote.ls(&git, &cancel);
    assert!(matches!(listed, Err(RemoteError::Cancelled)), "{listed:?}");
    drop(silent.join().unwrap());
}

#[test]
fn a_refusal_is_passed_on_in_its_words() {
    let refuse = |_: &str, _: &Asked| -> std::io::Result<Stream> {
        Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, "this folder is not shared\0 with you"))
    };
    transport::register("refusing", Arc::new(refuse));
    let repo = Repo::new();
    let git = git2::Repository::open(repo.path()).unwrap();
    let remote = GitRemote::add(&git, "peer", "refusing::x").unwrap();
    match remote.ls(&git, &Cancel::new()) {
        Err(RemoteError::Auth { said, .. }) => assert_eq!(said, "this folder is not shared with you"),
        other => panic!("{other:?}"),
    }
}
