//! Many deletions wait for a person's answer.

use std::time::Duration;
use std::{fs, thread};

use tributary_testkit::eventually;

use crate::member::{LIMIT, Member, SHORT};
use crate::{Pair, pair};

/// One more than is deleted without a question.
const MANY: usize = 101;
/// So many that the share of the deleted ones alone would be no reason to ask.
const FILES: usize = 510;

/// Two nodes with many small files.
#[track_caller]
fn large_pair() -> Option<Pair> {
    let folder = |number| if number < MANY { "of many" } else { "others" };
    let names: Vec<_> =
        (0..FILES).map(|number| (format!("{}/{number:03}", folder(number)), number.to_string())).collect();
    pair(&names.iter().map(|(name, content)| (name.as_str(), content.as_str())).collect::<Vec<_>>())
}

/// Deletes many files of A, which must ask about it and must not sync that on. All at once, so that none of them is
/// committed before it is seen that they are many.
#[track_caller]
fn delete_many(pair: &Pair) {
    let away = pair.a.dir.with_file_name("away");
    fs::rename(pair.a.dir.join("of many"), away).expect("a folder can be moved out");
    assert_held(&pair.a, MANY);
    let before = pair.b.files();
    pair.b.sync().wait();
    assert_eq!(pair.b.files(), before, "what is held reaches nobody");
}

#[track_caller]
fn assert_held(member: &Member, count: usize) {
    let said = member.one_problem("deletionsHeld");
    assert_eq!(said["needsYou"], true, "a person has to answer: {said:#}");
    let wait = member.node.try_wait(&member.dir, SHORT);
    assert_eq!(wait.code(), Some(1), "{wait}");
    assert!(
        wait.stderr().contains(&count.to_string()) && wait.stderr().contains("trib held"),
        "it says why: {wait}"
    );
    let held = member.node.json(["held", member.path()]);
    assert_eq!(held["count"], count, "{held:#}");
    assert_eq!(member.status()["state"], "needsYou");
}

#[test]
fn many_deletions_are_restored() {
    let Some(pair) = large_pair() else { return };
    let all = pair.b.files();
    delete_many(&pair);
    pair.a.run(["held", pair.a.path(), "--restore"]);
    pair.a.awaits(&all).wait();
    pair.a.no_problem("deletionsHeld");
    assert_eq!(pair.a.git(&["status", "--short"]), "");
    pair.b.sync().wait().awaits(&all);
}

#[test]
fn many_deletions_are_meant() {
    let Some(pair) = large_pair() else { return };
    delete_many(&pair);
    // The question outlives an end of the program.
    let mut pair = pair;
    pair.a.node.restart();
    assert_held(&pair.a, MANY);
    pair.a.run(["held", pair.a.path(), "--delete"]);
    eventually(LIMIT, "the deletions are committed", || {
        (pair.a.status()["files"] == FILES - MANY).then_some(())
    });
    pair.a.wait().no_problem("deletionsHeld");
    pair.b.fetches(&pair.a.files());
    assert_eq!(pair.b.files().len(), FILES - MANY);
}

#[test]
fn a_slow_removal_is_seen_before_it_is_through() {
    /// How long such a disk takes for a file: longer than the committer waits for quiet after a single deletion.
    const SLOW: Duration = Duration::from_millis(25);
    /// What may be gone before it is seen that more keeps coming.
    const FEW: usize = 10;
    let Some(pair) = large_pair() else { return };
    let all = pair.b.files();
    for number in 0..MANY {
        fs::remove_file(pair.a.dir.join(format!("of many/{number:03}")))
            .expect("our own files can be removed");
        thread::sleep(SLOW);
    }
    pair.a.one_problem("deletionsHeld");
    pair.b.sync().wait();
    let left = pair.b.files().len();
    assert!(left >= FILES - FEW, "{} files were deleted at B before anybody was asked", FILES - left);
    pair.a.run(["held", pair.a.path(), "--restore"]);
    pair.b.sync().wait();
    let back = pair.b.files();
    pair.a.awaits(&back).wait();
    assert!(back.iter().all(|(path, entry)| all.get(path) == Some(entry)) && back.len() == left);
}

#[test]
fn an_emptied_folder_is_restored() {
    let Some(pair) = pair(&[("one", "1"), ("two", "2"), ("sub/three", "3")]) else { return };
    let all = pair.b.files();
    for entry in fs::read_dir(&pair.a.dir).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        match (path.ends_with(".git"), path.is_dir()) {
            (true, _) => continue,
            (false, true) => fs::remove_dir_all(&path),
            (false, false) => fs::remove_file(&path),
        }
        .expect("our own files can be removed");
    }
    assert_held(&pair.a, 3);
    pair.a.run(["held", pair.a.path(), "--restore"]);
    pair.a.awaits(&all).wait();
    pair.b.sync().wait().awaits(&all);
}
