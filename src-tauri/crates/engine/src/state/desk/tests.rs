use super::scene::{Scene, branch, git, key, path};

#[test]
fn a_file_that_others_moved_is_offered_under_its_new_name() {
    let mut scene = Scene::new();
    scene.merge(&[("old/x", Some(key(1)))]);
    scene.place("old/x", "1");
    scene.merge(&[("old/x", None), ("new/x", Some(key(1)))]);
    let offered = scene.desk.ledger.leaving(&key(1)).expect("the ledger answers");
    assert_eq!(offered.map(|(from, _)| from), Some(path("old/x")));
}

#[test]
fn an_old_version_is_not_offered_as_the_new_one_that_others_edited_and_moved() {
    let mut scene = Scene::new();
    scene.merge(&[("old/x", Some(key(1)))]);
    scene.place("old/x", "1");
    // Edited in one commit, moved in the next, and nothing placed in between: version 1 still stands.
    scene.merge(&[("old/x", Some(key(2)))]);
    scene.merge(&[("old/x", None), ("new/x", Some(key(2)))]);
    let row = scene.desk.ledger.standing(&path("old/x")).expect("the ledger answers");
    assert!(row.is_some_and(|row| row.known.is_some()), "what stands there is known, to be removed");
    let offered = scene.desk.ledger.leaving(&key(2)).expect("the ledger answers");
    assert_eq!(offered, None, "what stands there is not version 2");
}

#[test]
fn a_commit_from_an_index_that_lags_behind_takes_nothing_back() {
    let mut scene = Scene::new();
    scene.commit("old", 1);
    scene.desk.write_index().expect("the index is written");
    scene.commit("old", 2);
    scene.commit("new", 3);
    scene.merge(&[("theirs", Some(key(4)))]);
    scene.git(&["commit", "-q", "--allow-empty", "-m", "by hand"]);
    assert_eq!(scene.branch(), ["old"], "git knew of nothing else: otherwise this test shows nothing");

    scene.desk.catch_up().expect("the desk follows").expect("somebody committed");
    assert_eq!(scene.branch(), ["new", "old", "theirs"], "it is there again");
    assert_eq!(scene.git(&["log", "-1", "--format=%s", "HEAD^"]), "by hand", "nobody's commit is lost");
    assert!(scene.git(&["show", "HEAD:old"]).contains(&key(2).to_string()), "the newest version is kept");
    for name in ["old", "new"] {
        assert_eq!(scene.desk.ledger.standing(&path(name)).expect("the ledger answers"), None);
        let entry = scene.desk.index.get(name.as_bytes()).expect("it is in the index");
        assert!(!entry.skip_worktree, "{name} stands as it did");
    }
    let arriving = scene.desk.ledger.standing(&path("theirs")).expect("the ledger answers");
    assert!(arriving.is_some(), "what arrives goes on to arrive");
}

#[test]
fn a_commit_from_the_index_of_a_folder_that_has_just_begun_takes_nothing_back() {
    let mut scene = Scene::new();
    scene.commit("first", 1);
    scene.git(&["commit", "-q", "--allow-empty", "-m", "by hand"]);
    assert!(scene.branch().is_empty(), "git knew of nothing: otherwise this test shows nothing");
    scene.desk.catch_up().expect("the desk follows").expect("somebody committed");
    assert_eq!(scene.branch(), ["first"], "it is there again");
}

#[test]
fn a_commit_that_is_meant_is_taken_as_it_is() {
    let mut scene = Scene::new();
    for (name, version) in [("kept", 1), ("gone", 2), ("older", 3)] {
        scene.commit(name, version);
    }
    scene.desk.write_index().expect("the index is written");
    let before = scene.git(&["rev-parse", "HEAD:older"]);
    scene.commit("older", 4);
    scene.desk.write_index().expect("the index is written");
    scene.git(&["rm", "-q", "--cached", "gone"]);
    scene.git(&["update-index", "--cacheinfo", &format!("100644,{before},older")]);
    scene.git(&["commit", "-q", "-m", "by hand"]);
    let tip = scene.git(&["rev-parse", "HEAD"]);

    scene.desk.catch_up().expect("the desk follows").expect("somebody committed");
    assert_eq!(scene.git(&["rev-parse", "HEAD"]), tip, "nothing was put back");
    assert_eq!(scene.branch(), ["kept", "older"]);
}

/// What a commit by hand does after the engine was killed before it wrote the index.
#[test]
fn a_commit_that_is_made_before_the_next_start_takes_back_nothing_that_was_not_placed() {
    let mut scene = Scene::new();
    scene.merge(&[("edited", Some(key(1))), ("deleted", Some(key(2))), ("kept", Some(key(3)))]);
    for name in ["edited", "deleted", "kept"] {
        scene.place(name, "before");
    }
    scene.desk.write_index().expect("the index is written");
    scene.merge(&[("edited", Some(key(4))), ("deleted", None), ("new", Some(key(5)))]);
    let scene = scene.killed(|machine| {
        git(machine, &["commit", "-q", "--allow-empty", "-m", "by hand"]);
        assert_eq!(
            branch(machine),
            ["deleted", "edited", "kept"],
            "it took that back: else this shows nothing"
        );
    });
    assert_eq!(scene.branch(), ["edited", "kept", "new"]);
    assert!(scene.git(&["show", "HEAD:edited"]).contains(&key(4).to_string()), "others edited it");
    assert_eq!(scene.git(&["log", "-1", "--format=%s", "HEAD^"]), "by hand", "nobody's commit is lost");
    for name in ["edited", "deleted", "new"] {
        let row = scene.desk.ledger.standing(&path(name)).expect("the ledger answers");
        assert!(row.is_some(), "{name} goes on to arrive, or to go");
    }
    let tip = scene.git(&["rev-parse", "HEAD"]);
    let scene = scene.killed(|_| {});
    assert_eq!(scene.git(&["rev-parse", "HEAD"]), tip, "nothing was taken back any more");
}

#[test]
fn a_commit_that_is_meant_is_taken_as_it_is_at_the_next_start() {
    let mut scene = Scene::new();
    scene.merge(&[("older", Some(key(1))), ("gone", Some(key(2)))]);
    scene.desk.write_index().expect("the index is written");
    let before = scene.git(&["rev-parse", "HEAD:older"]);
    scene.merge(&[("older", Some(key(3)))]);
    scene.desk.write_index().expect("the index is written");
    let mut tip = String::new();
    let scene = scene.killed(|machine| {
        git(machine, &["update-index", "--force-remove", "gone"]);
        git(machine, &["update-index", "--cacheinfo", &format!("100644,{before},older")]);
        git(machine, &["commit", "-q", "-m", "by hand"]);
        assert_eq!(branch(machine), ["older"], "else this test shows nothing");
        tip = git(machine, &["rev-parse", "HEAD"]);
    });
    assert_eq!(scene.git(&["rev-parse", "HEAD"]), tip, "nothing was put back");
}
