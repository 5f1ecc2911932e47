//! The git-annex branch, written beside and merged like real git-annex.

// Clippy lets tests unwrap, but not the functions that tests are made of.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use git2::Oid;
use tributary_formats::key::Key;
use tributary_formats::logs::presence::LogStatus;
use tributary_formats::uuid::RepoUuid;
use tributary_repo::Repository;
use tributary_repo::annex_branch::{LogChange, MergeError, MergeOutcome};
use tributary_repo::repository::Setup;
use tributary_testkit::{Annex, Sandbox, annex_versions, run};

fn setup() -> Setup {
    Setup { description: "here".to_owned(), filter_process: None, look_for_git_annex: false }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A key that nobody has content for.
fn key(number: usize) -> Key {
    Key::parse(format!("SHA256E-s{number}--{number:064x}.txt").as_bytes()).unwrap()
}

fn uuid(number: usize) -> RepoUuid {
    RepoUuid::parse(&format!("00000000-1111-2222-3333-{number:012}")).unwrap()
}

fn present(number: usize, at: &RepoUuid) -> LogChange {
    LogChange::Location { key: key(number), uuid: at.clone(), status: LogStatus::Present }
}

#[test]
fn git_annex_reads_what_we_write_and_we_read_what_it_writes() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let dir = annex.sandbox().join("repo");
        let repo = Repository::create(&dir, &setup()).unwrap();
        let branch = repo.annex_branch();
        let many: Vec<LogChange> = (0..300).map(|number| present(number, repo.uuid())).collect();
        assert!(branch.update(&many, now(), "update").unwrap().is_some());
        assert_eq!(branch.update(&many, now(), "update").unwrap(), None, "nothing was news");
        annex.git(&dir, ["fsck", "--strict", "--no-progress"]);

        for number in [0, 7, 299] {
            let whereis = annex.try_annex(&dir, ["whereis", "--key", &key(number).to_string()]).ok().text();
            assert!(whereis.contains("1 copy") && whereis.contains("[here]"), "{whereis}");
        }
        let theirs = uuid(1);
        annex.annex(&dir, ["setpresentkey", &key(7).to_string(), theirs.as_str(), "1"]);
        annex.annex(&dir, ["setpresentkey", &key(7).to_string(), repo.uuid().as_str(), "0"]);
        assert_eq!(branch.location_log(&key(7)).unwrap().present(), [theirs]);

        let mut keys = BTreeSet::new();
        let head = branch.head().unwrap().unwrap();
        branch.for_each_location(head, &mut |key, _| assert!(keys.insert(key), "each once")).unwrap();
        assert_eq!(keys, (0..300).map(key).collect(), "every log is folded once");
    }
}

#[test]
fn a_diff_names_what_changed() {
    let sandbox = Sandbox::new();
    let repo = Repository::create(&sandbox.join("repo"), &setup()).unwrap();
    let branch = repo.annex_branch();
    let many: Vec<LogChange> = (0..50).map(|number| present(number, repo.uuid())).collect();
    let old = branch.update(&many, 5, "update").unwrap().unwrap();
    let other = uuid(2);
    let set = LogChange::Config { name: "annex.numcopies".into(), value: "2".into() };
    let new = branch.update(&[present(3, &other), set, present(90, &other)], 6, "update").unwrap().unwrap();

    let changed = branch.diff(Some(old), new).unwrap();
    let keys: BTreeSet<Key> = changed.iter().filter_map(|log| log.location_of.clone()).collect();
    assert_eq!(keys, BTreeSet::from([key(3), key(90)]));
    let others: Vec<&[u8]> =
        changed.iter().filter(|log| log.location_of.is_none()).map(|log| log.path.as_bytes()).collect();
    assert_eq!(others, [b"config.log"]);
    let log = changed.iter().find(|log| log.location_of == Some(key(3))).unwrap();
    let log = branch.location_log_of_blob(log.blob.unwrap()).unwrap();
    assert!(log.is_present(repo.uuid()) && log.is_present(&other), "the new state of the log");
}

#[test]
fn the_journal_is_absorbed_and_overrides() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let dir = annex.sandbox().join("repo");
        annex.init(&dir, "here");
        annex.git(&dir, ["config", "annex.alwayscommit", "false"]);
        let (pending, ours) = (uuid(1), uuid(2));
        annex.annex(&dir, ["setpresentkey", &key(1).to_string(), pending.as_str(), "1"]);

        let repo = Repository::open(&dir).unwrap();
        let branch = repo.annex_branch();
        let journal = repo.annex_dir().join("journal");
        assert_eq!(fs::read_dir(&journal).unwrap().count(), 1, "git-annex left its change there");
        assert_eq!(branch.location_log(&key(1)).unwrap().present(), std::slice::from_ref(&pending));
        branch.update(&[present(1, &ours)], now(), "update").unwrap().unwrap();
        assert_eq!(fs::read_dir(&journal).unwrap().count(), 0, "what is committed leaves the journal");
        assert_eq!(branch.location_log(&key(1)).unwrap().present(), [pending, ours], "neither is lost");

        // A line that was cut off by a crash is not taken in.
        let name = tributary_formats::journal::file_name(&key(2).log_path());
        fs::write(journal.join(String::from_utf8(name).unwrap()), "1700000000s 1 whole\n1700000000s 1 cu")
            .unwrap();
        branch.update(&[], now(), "update").unwrap().unwrap();
        assert_eq!(branch.read(&key(2).log_path()).unwrap(), b"1700000000s 1 whole\n");
        fs::create_dir(journal.join("a directory")).unwrap();
        assert_eq!(branch.update(&[], now(), "update").unwrap(), None);
    }
}

/// Two programs change one log at the same time, for a while, half of git-annex's changes left in the journal: every
/// line survives.
#[test]
fn nothing_is_lost_beside_a_running_git_annex() {
    const ROUNDS: usize = 12;
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let dir = annex.sandbox().join("repo");
        annex.init(&dir, "here");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let repo = Repository::open(&dir).unwrap();
                for number in 0..4 * ROUNDS {
                    repo.annex_branch()
                        .update(&[present(1, &uuid(number))], now(), "update")
                        .unwrap()
                        .unwrap();
                }
            });
            for number in 0..ROUNDS {
                let at = uuid(1000 + number);
                let commit = format!("annex.alwayscommit={}", number % 2 == 0);
                let key = key(1).to_string();
                annex.annex(&dir, ["setpresentkey", "-c", &commit, &key, at.as_str(), "1"]);
            }
        });
        annex.annex(&dir, ["merge"]);
        let repo = Repository::open(&dir).unwrap();
        let found = repo.annex_branch().location_log(&key(1)).unwrap().present();
        let expected: Vec<RepoUuid> = (0..4 * ROUNDS).chain(1000..1000 + ROUNDS).map(uuid).collect();
        assert_eq!(found, expected, "git-annex {}", version.name);
        annex.git(&dir, ["fsck", "--strict", "--no-progress"]);
    }
}

/// Two clones with changes of their own, some to the same files; each has fetched the other.
fn diverged(annex: &Annex) -> [std::path::PathBuf; 2] {
    let [a, b] = ["a", "b"].map(|name| annex.sandbox().join(name));
    annex.init(&a, "a");
    annex.annex(&a, ["setpresentkey", &key(0).to_string(), uuid(0).as_str(), "1"]);
    annex.clone(&a, &b, "b");
    for (dir, number) in [(&a, 1), (&b, 2)] {
        annex.annex(dir, ["setpresentkey", &key(0).to_string(), uuid(number).as_str(), "1"]);
        annex.annex(dir, ["setpresentkey", &key(number).to_string(), uuid(number).as_str(), "1"]);
        annex.annex(dir, ["numcopies", &number.to_string()]);
        annex.annex(dir, ["describe", "here", &format!("described by {number}")]);
    }
    annex.git(&a, ["remote", "add", "b", "../b"]);
    annex.git(&a, ["fetch", "-q", "b"]);
    annex.git(&b, ["fetch", "-q", "origin"]);
    [a, b]
}

fn tree(annex: &Annex, dir: &Path) -> String {
    annex.git(dir, ["rev-parse", "git-annex^{tree}"])
}

fn merge_all(repo: &Repository) -> Result<MergeOutcome, MergeError> {
    let tips: Vec<Oid> = repo.annex_branch().tips().unwrap().iter().map(|tip| tip.commit).collect();
    repo.annex_branch().merge(&tips, now())
}

#[test]
fn a_merge_is_git_annexs_own() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let [a, b] = diverged(&annex);
        let copy = annex.sandbox().join("copy");
        let mut cp = annex.sandbox().command("cp");
        cp.arg("-a").args([&a, &copy]);
        run(cp).ok();
        annex.annex(&copy, ["merge"]);

        let ours = Repository::open(&a).unwrap();
        let merged = merge_all(&ours).unwrap();
        assert!(matches!(merged, MergeOutcome::Merged(_)), "{merged:?}");
        assert_eq!(tree(&annex, &a), tree(&annex, &copy), "the same files as git-annex's merge");
        assert_eq!(merge_all(&ours).unwrap(), MergeOutcome::Nothing, "merging twice is merging once");

        let theirs = Repository::open(&b).unwrap();
        assert_eq!(merge_all(&theirs).unwrap(), merged, "whoever merges the same tips makes the same commit");

        let mut clone = annex.sandbox().command("git");
        clone.args(["clone", "-q", "--bare", "a", "c"]);
        run(clone).ok();
        let c = tributary_repo::bare::init_contents(&annex.sandbox().join("c"), "c").unwrap();
        annex.git(&a, ["remote", "add", "c", "../c"]);
        annex.git(&a, ["fetch", "-q", "c"]);
        let tip = c.annex_branch().head().unwrap().unwrap();
        assert_eq!(merge_all(&ours).unwrap(), MergeOutcome::FastForward(tip));
        annex.git(&a, ["fsck", "--strict", "--no-progress"]);
        annex.annex(&a, ["fsck", "--quiet"]);
    }
}

#[test]
fn a_forgotten_history_is_not_merged() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let [a, b] = diverged(&annex);
        annex.annex(&b, ["forget", "--force"]);
        annex.git(&a, ["fetch", "-q", "b"]);
        let repo = Repository::open(&a).unwrap();
        let before = repo.annex_branch().head().unwrap();
        match merge_all(&repo) {
            Err(MergeError::Transition { transitions, .. }) => assert_eq!(transitions, "ForgetGitHistory"),
            other => panic!("{other:?}"),
        }
        assert_eq!(repo.annex_branch().head().unwrap(), before, "nothing was changed");

        // Git-annex lists what must not be merged any more, and we keep to it.
        let tip = annex.git(&a, ["rev-parse", "b/git-annex"]);
        fs::write(repo.annex_dir().join("ignoredrefs"), format!("{tip}\n")).unwrap();
        assert_eq!(merge_all(&repo).unwrap(), MergeOutcome::Nothing);
    }
}
