//! A person runs git and git-annex in our own folder while the engine works there.

use std::{fs, thread};

use tributary_testkit::{AnnexVersion, Snapshot, eventually, newest_annex, older_annex};

use crate::company::{Company, write};
use crate::scene::LIMIT;

/// Files that the person adds by hand, while as many programs save others.
const FILES: usize = 12;

#[test]
fn with_the_newest_release() {
    if let Some(version) = newest_annex() {
        by_hand(&version);
    }
}

#[test]
fn with_an_older_release() {
    if let Some(version) = older_annex() {
        by_hand(&version);
    }
}

fn by_hand(version: &AnnexVersion) {
    let Some(company) = Company::set(version) else { return };
    let Company { a, b, .. } = &company;

    // At once: the engine commits what programs save, and the person adds and syncs by hand.
    thread::scope(|scope| {
        scope.spawn(|| {
            for file in 0..FILES {
                let name = format!("by hand/{file}.txt");
                write(&a.folder, &name, &format!("by hand {file}"));
                insist(&company, "git-annex", &["add", "--quiet", &name]);
                insist(&company, "git-annex", &["sync", "--quiet", "--content"]);
            }
        });
        for file in 0..FILES {
            write(&a.folder, format!("saved/{file}.txt"), &format!("saved {file}"));
            // A program of the other computer takes part.
            company.turn();
        }
    });
    let all = company.converge("what was added by hand and what was saved is in both");
    assert_eq!(all.len(), 2 * FILES, "nothing else is there: {:?}", all.keys());

    insist(&company, "git", &["mv", "by hand/0.txt", "moved by hand.txt"]);
    insist(&company, "git", &["rm", "-q", "by hand/1.txt"]);
    insist(&company, "git", &["commit", "-q", "--allow-empty", "-m", "by hand"]);
    insist(&company, "git-annex", &["lock", "by hand/2.txt"]);
    insist(&company, "git-annex", &["sync", "--quiet"]);
    let all = company.converge("what was moved, removed and locked by hand is so in both");
    assert!(!all.contains_key(&b"by hand/0.txt"[..]) && all.contains_key(&b"moved by hand.txt"[..]));
    assert!(!all.contains_key(&b"by hand/1.txt"[..]), "it was removed");
    assert!(b.join("by hand/2.txt").is_symlink(), "a locked file is a link");

    insist(&company, "git-annex", &["unlock", "by hand/2.txt"]);
    insist(&company, "git-annex", &["sync", "--quiet"]);
    company.converge("what was unlocked is so in both");
    assert!(!b.join("by hand/2.txt").is_symlink(), "it is a file again");

    let all = renamed_to_another_extension(&company);

    // Dropped contents are no deletion: nobody said that they are to be kept elsewhere only, so they come back.
    insist(&company, "git-annex", &["drop", "--quiet", "by hand/3.txt"]);
    eventually(LIMIT, "what was dropped comes back", || {
        let content = fs::read(a.folder.join("by hand/3.txt")).ok()?;
        (content == b"by hand 3").then_some(())
    });
    assert_eq!(company.converge("nothing changed"), all);
    company.judge(all.len());
}

/// A file that got a name with another extension, here or at the other computer, keeps its key in our folder, also when
/// git-annex reads it again.
fn renamed_to_another_extension(company: &Company) -> Snapshot {
    let Company { a, b, annex, .. } = company;
    fs::rename(a.folder.join("saved/0.txt"), a.folder.join("saved/0.md")).expect("a file can be renamed");
    annex.git(b, ["mv", "saved/1.txt", "saved/1.md"]);
    let all = company.converge("both renamed a file");
    for name in ["saved/0.md", "saved/1.md"] {
        let key = annex.annex(&a.folder, ["lookupkey", name]);
        let history = annex
            .git(&a.folder, ["log", "--format=%cd %cn: %s", "--date=iso", "--name-status", "--", "saved"]);
        assert!(key.ends_with(".txt"), "{name} has the key of its content: {key}\n{history}");
        // Git forgets what it knows of the file, so that it has to read it.
        let blob = annex.git(&a.folder, ["rev-parse", &format!(":{name}")]);
        insist(company, "git", &["update-index", "--cacheinfo", &format!("100644,{blob},{name}")]);
        let filter = "filter.annex.process=git-annex filter-process";
        let status = annex.git(&a.folder, ["-c", filter, "status", "--short", name]);
        assert_eq!(status, "", "git-annex gives {name} the key that it has");
    }
    all
}

/// Runs a command in our own folder, again while it fails: the engine, or B, may be at the index or the point at the same
/// moment, and a person tries again then.
#[track_caller]
fn insist(company: &Company, program: &str, args: &[&str]) {
    let mut failures = Vec::new();
    let done = tributary_testkit::within(LIMIT, || {
        let mut command = company.annex.sandbox().command(program);
        command.current_dir(&company.a.folder).args(args);
        let ran = tributary_testkit::run(command);
        let success = ran.success();
        failures.extend((!success).then_some(ran));
        success.then_some(())
    });
    if done.is_none() {
        let last = failures.last().map(ToString::to_string).unwrap_or_default();
        panic!("failed {} times: {last}", failures.len());
    }
}
