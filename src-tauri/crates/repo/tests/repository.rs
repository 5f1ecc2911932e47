//! Repositories made, adopted and refused, with git and git-annex as judges.

// Clippy lets tests unwrap, but not the functions that tests are made of.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tributary_repo::repository::{CreateError, OpenError, Setup};
use tributary_repo::{Repository, bare};
use tributary_testkit::{Annex, Repo, Sandbox, annex_versions, eventually, run};

/// How long git-annex's assistant may take to start or to end.
const ASSISTANT: Duration = Duration::from_secs(30);

fn setup(look_for_git_annex: bool) -> Setup {
    Setup {
        description: "anna's laptop\nupstairs".to_owned(),
        filter_process: Some("trib filter-process".to_owned()),
        look_for_git_annex,
    }
}

fn open_error(path: &Path) -> OpenError {
    match Repository::open(path) {
        Ok(_) => panic!("{} must not open", path.display()),
        Err(error) => error,
    }
}

#[test]
fn a_new_folder_is_a_repository_that_git_annex_accepts() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let dir = annex.sandbox().join("folder");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("there before"), "untouched").unwrap();
        let repo = Repository::create(&dir, &setup(true)).unwrap();
        assert_eq!(repo.branch().unwrap(), "master");
        assert_eq!(
            annex.git(&dir, ["log", "--format=%s", "--name-only"]),
            "new folder",
            "an empty first commit"
        );
        assert_eq!(annex.git(&dir, ["status", "--short"]), "?? \"there before\"");
        fs::remove_file(dir.join("there before")).unwrap();
        annex.judge(&dir).check();
        assert_eq!(annex.git(&dir, ["config", "annex.uuid"]), repo.uuid().as_str());
        let whereabouts = annex.annex(&dir, ["info", "--fast", "here"]);
        assert!(whereabouts.contains("anna's laptop\\nupstairs"), "{whereabouts}");
        for (name, value) in [("annex.addunlocked", "true"), ("annex.dotfiles", "true")] {
            assert_eq!(annex.annex(&dir, ["config", "--get", name]), value, "{name} is for all clones");
        }

        // What config.log says is what git-annex then does.
        for (name, annexed) in [("plain", true), (".hidden", true), (".gitignore", false)] {
            fs::write(dir.join(name), name).unwrap();
            annex.annex(&dir, ["add", name]);
            assert_eq!(annex.try_annex(&dir, ["lookupkey", name]).success(), annexed, "{name}");
            assert!(dir.join(name).symlink_metadata().unwrap().is_file(), "{name} is added unlocked");
        }
        annex.git(&dir, ["commit", "-q", "-m", "by hand"]);
        assert_eq!(annex.judge(&dir).check(), 2);
    }
}

#[test]
fn every_new_folder_has_a_history_of_its_own() {
    let sandbox = Sandbox::new();
    let first = |name: &str| {
        let repo = Repository::create(&sandbox.join(name), &setup(false)).unwrap();
        repo.git().refname_to_id("refs/heads/master").unwrap()
    };
    assert_ne!(first("a"), first("b"), "two folders made in one second have no common history");
}

#[test]
fn the_filter_is_always_a_program_that_exists() {
    let sandbox = Sandbox::new();
    let dir = sandbox.join("folder");
    let config = |name: &str| run_git(&sandbox, &dir, &["config", "--default", "", name]);
    let repo = Repository::create(&dir, &setup(false)).unwrap();
    assert_eq!(config("filter.annex.process"), "trib filter-process");
    assert_eq!(config("filter.annex.clean"), "", "no git-annex here");
    assert_eq!(config("filter.annex.required"), "true", "else git would take contents in when ours fails");
    let attributes = fs::read_to_string(repo.git_dir().join("info/attributes")).unwrap();
    assert_eq!(attributes, "\n* filter=annex\n");

    Repository::adopt(&dir, &Setup { filter_process: None, ..setup(false) }).unwrap();
    assert_eq!(config("filter.annex.process"), "", "none is better than one that is missing");
    assert_eq!(config("filter.annex.required"), "");
    let again = fs::read_to_string(repo.git_dir().join("info/attributes")).unwrap();
    assert_eq!(again, attributes, "adopting twice adds nothing");
    assert!(!repo.git_dir().join("hooks/pre-commit").exists(), "a hook would need git-annex");
}

#[test]
fn a_clone_becomes_a_repository_and_keeps_its_history() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let (origin, clone) = (annex.sandbox().join("origin"), annex.sandbox().join("clone"));
        annex.init(&origin, "origin");
        fs::write(origin.join("f"), "content").unwrap();
        annex.annex(&origin, ["add", "f"]);
        annex.git(&origin, ["commit", "-q", "-m", "f"]);
        annex.git(annex.sandbox().path(), ["clone", "-q", "origin", "clone"]);

        assert!(matches!(open_error(&clone), OpenError::NotAnnexed { .. }));
        let repo = Repository::init_annex(&clone, &setup(true)).unwrap();
        let again = Repository::init_annex(&clone, &setup(true)).unwrap();
        assert_eq!(repo.uuid(), again.uuid(), "one that is annexed keeps its UUID");
        let ancestor = ["merge-base", "--is-ancestor", "origin/git-annex", "git-annex"];
        assert!(annex.try_git(&clone, ancestor).success(), "the branch starts from the origin's");
        annex.annex(&clone, ["get", "f"]);
        assert_eq!(annex.judge(&clone).check(), 1);
        assert_eq!(fs::read_to_string(clone.join("f")).unwrap(), "content");
    }
}

#[test]
fn what_cannot_be_used_is_told_apart() {
    let sandbox = Sandbox::new();
    let path = sandbox.dir("folder");
    assert!(matches!(open_error(&sandbox.join("none")), OpenError::Unreadable { .. }));
    assert!(matches!(open_error(&path), OpenError::NotRepository { .. }));

    let repo = Repository::create(&path, &setup(false)).unwrap();
    assert!(matches!(Repository::create(&path, &setup(false)), Err(CreateError::AlreadyRepository { .. })));
    let inside = Repository::create(&path.join("sub"), &setup(false));
    assert!(matches!(inside, Err(CreateError::InsideRepository { .. })));
    fs::remove_dir(path.join("sub")).unwrap();

    for (name, value, expected) in [
        ("annex.version", "8", "git-annex version 8; run"),
        ("annex.version", "9", "git-annex version 9; run"),
        ("annex.version", "11", "newer than 10"),
        ("annex.direct", "true", "direct mode"),
        ("annex.pidlock", "true", "pidlock"),
        ("annex.uuid", "a b", "cannot be used"),
    ] {
        let before = repo.git_config_get(name);
        repo.git_config_set(name, value).unwrap();
        let error = open_error(&path).to_string();
        assert!(error.contains(expected), "{name}={value}: {error}");
        match before {
            Some(before) => repo.git_config_set(name, &before).unwrap(),
            None => repo.git_config_unset(name).unwrap(),
        }
        Repository::open(&path).unwrap();
    }

    run_git(&sandbox, &path, &["checkout", "-q", "--detach"]);
    assert!(matches!(open_error(&path), OpenError::DetachedHead));
    run_git(&sandbox, &path, &["checkout", "-q", "master"]);
    fs::write(repo.git_dir().join("MERGE_HEAD"), "").unwrap();
    assert!(matches!(open_error(&path), OpenError::Unfinished { operation: "merge" }));
    fs::remove_file(repo.git_dir().join("MERGE_HEAD")).unwrap();

    let linked = sandbox.join("linked");
    run_git(&sandbox, &path, &["worktree", "add", "-q", "-b", "other", linked.to_str().unwrap()]);
    assert!(matches!(open_error(&linked), OpenError::Linked { .. }));
    let hub = Repo::bare();
    assert!(matches!(open_error(hub.path()), OpenError::Bare { .. }));
}

#[test]
fn an_unreadable_folder_is_told_apart() {
    if rustix::process::getuid().is_root() {
        eprintln!("skipped: root can read everything");
        return;
    }
    let sandbox = Sandbox::new();
    let path = sandbox.join("folder");
    let repo = Repository::create(&path, &setup(false)).unwrap();
    fs::set_permissions(repo.git_dir(), fs::Permissions::from_mode(0o000)).unwrap();
    let error = open_error(&path);
    fs::set_permissions(repo.git_dir(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(error, OpenError::Unreadable { .. }), "{error}");
}

#[test]
fn git_annexs_own_states_are_told_apart() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let adjusted = annex.sandbox().join("adjusted");
        annex.init(&adjusted, "adjusted");
        annex.git(&adjusted, ["commit", "-q", "--allow-empty", "-m", "first"]);
        annex.annex(&adjusted, ["adjust", "--unlock"]);
        match open_error(&adjusted) {
            OpenError::AdjustedBranch { branch } => assert_eq!(branch, "adjusted/master(unlocked)"),
            other => panic!("{other}"),
        }

        let tuned = annex.sandbox().dir("tuned");
        annex.git(&tuned, ["init", "-q"]);
        annex.annex(&tuned, ["init", "-c", "annex.tune.objecthashlower=true"]);
        assert!(matches!(open_error(&tuned), OpenError::Tuned));

        let watched = annex.sandbox().join("watched");
        annex.init(&watched, "watched");
        Repository::open(&watched).unwrap();
        annex.annex(&watched, ["assistant"]);
        let pid = eventually(ASSISTANT, "the assistant is seen", || match Repository::open(&watched) {
            Err(OpenError::AssistantRunning { pid }) => Some(pid),
            _ => None,
        });
        assert!(pid > 1, "its process is named");
        annex.annex(&watched, ["assistant", "--stop"]);
        eventually(ASSISTANT, "the assistant has gone", || Repository::open(&watched).ok());
    }
}

#[test]
fn a_bare_repository_gets_a_uuid_only_when_asked() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let path = annex.sandbox().join("hub.git");
        bare::create(&path).unwrap();
        assert!(matches!(bare::create(&path), Err(CreateError::AlreadyRepository { .. })));
        assert_eq!(bare::read_remote_uuid(&path).unwrap(), None);
        let hub = bare::init_contents(&path, "the hub").unwrap();
        let uuid = bare::read_remote_uuid(&path).unwrap();
        assert_eq!(uuid.as_ref(), Some(hub.uuid()));
        assert_eq!(bare::init_contents(&path, "other").unwrap().uuid(), hub.uuid(), "asked twice, made once");
        judge_bare(&annex, &path);

        let clone = annex.sandbox().join("clone");
        annex.clone(&path, &clone, "clone");
        fs::write(clone.join("f"), "content").unwrap();
        annex.annex(&clone, ["add", "f"]);
        annex.annex(&clone, ["sync", "--content"]);
        assert_eq!(annex.annex(&clone, ["find", "--in", "origin"]), "f", "git-annex uses it for contents");
        judge_bare(&annex, &path);
        let kept = annex.annex(&path, ["find", "--branch", "master"]);
        assert_eq!(kept, "f", "the hub holds the content");
    }
    assert!(matches!(
        bare::read_remote_uuid(Path::new("/nonexistent")),
        Err(OpenError::NotRepository { .. })
    ));
}

fn judge_bare(annex: &Annex, path: &Path) {
    annex.git(path, ["fsck", "--strict", "--no-progress"]);
    annex.annex(path, ["fsck", "--quiet"]);
}

fn run_git(sandbox: &Sandbox, dir: &Path, args: &[&str]) -> String {
    let mut command = sandbox.command("git");
    command.current_dir(dir).args(args);
    run(command).text()
}

#[test]
fn a_handle_that_rests_maps_nothing_and_goes_on() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path().join("folder");
    let mut repo = Repository::create(&dir, &setup(false)).unwrap();
    let git = |words: &[&str]| {
        let mut command = sandbox.command("git");
        command.arg("-C").arg(&dir).args(words);
        run(command);
    };
    git(&["gc", "--quiet"]);
    let packs = || -> BTreeSet<PathBuf> {
        let entries = fs::read_dir(dir.join(".git/objects/pack")).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "pack")).collect()
    };
    // The first is read by opening alone.
    let first = packs();
    git(&["commit", "--quiet", "--allow-empty", "--message", "in a pack of its own"]);
    git(&["repack", "-d", "--quiet"]);
    let later = packs().difference(&first).next().unwrap().to_str().unwrap().to_owned();
    let mapped = || fs::read_to_string("/proc/self/maps").unwrap().contains(&later);
    let read = |repo: &Repository| repo.git().head().unwrap().peel_to_commit().unwrap().id();
    repo.rest().unwrap();
    let tip = read(&repo);
    assert!(mapped(), "the commit is read from its pack");
    repo.rest().unwrap();
    assert!(!mapped());
    assert_eq!(read(&repo), tip);

    git(&["checkout", "--quiet", "--detach"]);
    repo.rest().unwrap_err();
    assert_eq!(read(&repo), tip, "what cannot be opened anew is not closed");
}
