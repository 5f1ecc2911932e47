//! Places that hold something else than they should.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tributary_testkit::{Annex, Sandbox, eventually, newest_annex};

use crate::member::{LIMIT, Member, bare, text};

/// The files with content in a `directory` special remote, whose names are those of their folders.
fn objects(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("the store can be read") {
        let path = entry.expect("the store can be read").path();
        if path.is_dir() {
            found.extend(objects(&path));
        } else if path.parent().and_then(Path::file_name) == path.file_name() {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_damaged_content_is_not_used() {
    let sandbox = Sandbox::new();
    let (hub, store) = (bare(&sandbox, "hub.git"), sandbox.dir("store"));
    let (a, b) = (Member::start(&sandbox, "a"), Member::start(&sandbox, "b"));
    a.add().remote("hub", &[text(&hub)]).store(&store);
    a.write("damaged", "the right content").wait();
    let [object] = &objects(&store)[..] else { panic!("one content is in the store") };
    fs::set_permissions(object, fs::Permissions::from_mode(0o644)).expect("chmod");
    fs::write(object, "the bad content !").expect("an object can be damaged");
    a.write("sound", "another content").wait();

    b.clone_from(&hub).store(&store);
    eventually(LIMIT, "the sound one arrives", || b.read("sound"));
    let problem = b.one_problem("corruptContent");
    assert_eq!(problem["subject"], "store", "it says where: {problem:#}");
    assert_eq!(b.read("damaged"), None, "the damaged content is not used");
    assert_eq!(b.status()["arriving"], 1);
    assert_eq!(a.read("damaged").as_deref(), Some("the right content"), "nothing is lost");
}

#[test]
fn a_place_with_another_mark_is_not_used() {
    let sandbox = Sandbox::new();
    let (hub, store) = (bare(&sandbox, "hub.git"), sandbox.dir("store"));
    let a = Member::start(&sandbox, "a");
    a.add().remote("hub", &[text(&hub)]).store(&store).write("one", "1").wait();
    let mark = store.join("annex-uuid");
    let own = fs::read(&mark).expect("the place is marked");
    fs::write(&mark, "11111111-2222-3333-4444-555555555555\n").expect("write");
    let before = objects(&store);
    a.write("two", "2");
    let problem = a.one_problem("placeChanged");
    assert_eq!((problem["subject"].as_str(), problem["needsYou"].as_bool()), (Some("store"), Some(true)));
    assert_eq!(objects(&store), before, "nothing was put into somebody else's place");
    eventually(LIMIT, "names go on to the other place", || {
        let names = crate::member::git(&sandbox, &hub, &["ls-tree", "-r", "--name-only", "master"]);
        names.contains("two").then_some(())
    });

    // The right drive under the mount point again.
    fs::write(&mark, own).expect("write");
    a.sync();
    eventually(LIMIT, "the right place gets it", || (objects(&store).len() == 2).then_some(()));
    a.wait().no_problem("placeChanged");
}

#[test]
fn another_repository_in_a_places_place_is_neither_read_nor_written() {
    let sandbox = Sandbox::new();
    let (hub, ours, foreign) =
        (sandbox.join("hub.git"), sandbox.join("ours.git"), sandbox.join("foreign.git"));
    let (a, b, other) =
        (Member::start(&sandbox, "a"), Member::start(&sandbox, "b"), Member::start(&sandbox, "other"));
    a.add().remote("hub", &[text(&hub), "--contents"]).write("one", "1").wait();
    b.clone_from(&hub).wait().awaits(&a.files());
    other.add().remote("hub", &[text(&foreign), "--contents"]).write("theirs", "another folder").wait();
    other.node.trib(["pause"]).ok();

    fs::rename(&hub, &ours).expect("the drive is pulled out");
    fs::rename(&foreign, &hub).expect("another is plugged in");
    let before = refs(&sandbox, &hub);
    a.write("two", "2");
    a.sync();
    let problem = a.one_problem("placeChanged");
    assert_eq!((problem["subject"].as_str(), problem["needsYou"].as_bool()), (Some("hub"), Some(true)));
    a.write("three", "3").sync();
    eventually(LIMIT, "changes go on to be committed", || {
        a.git(&["ls-files"]).contains("three").then_some(())
    });
    assert_eq!(refs(&sandbox, &hub), before, "nothing was written there");
    assert_eq!(a.read("theirs"), None, "nothing was read there");

    fs::rename(&hub, &foreign).expect("it is pulled out");
    fs::rename(&ours, &hub).expect("the right one is back");
    a.wait().no_problem("placeChanged");
    b.fetches(&a.files());
}

#[test]
fn the_mount_point_of_a_drive_that_is_away_is_not_written_into() {
    let sandbox = Sandbox::new();
    let (hub, store, away) = (bare(&sandbox, "hub.git"), sandbox.dir("store"), sandbox.join("away"));
    let mut a = Member::start(&sandbox, "a");
    a.add().remote("hub", &[text(&hub)]).store(&store).write("one", "1").wait();
    // As after `umount`: the folder is there, and nothing is in it.
    fs::rename(&store, &away).expect("the drive goes");
    fs::create_dir(&store).expect("its mount point is a folder");
    a.write("two", "2");
    let problem = a.one_problem("placeUnreachable");
    assert_eq!((problem["subject"].as_str(), problem["needsYou"].as_bool()), (Some("store"), Some(false)));
    // Also by an engine that never saw the drive.
    a.node.restart();
    a.write("three", "3");
    a.one_problem("placeUnreachable");
    a.wait();
    assert_eq!(objects(&store), Vec::<PathBuf>::new(), "nothing was put on the wrong disk");
    assert_eq!(fs::read_dir(&store).expect("it can be read").count(), 0, "nor anything else");
    let waiting: Vec<_> = places(&a).into_iter().filter(|place| place["name"] == "store").collect();
    assert_eq!((waiting[0]["has"].as_u64(), waiting[0]["reachable"].as_bool()), (Some(1), Some(false)));

    fs::remove_dir(&store).expect("the drive is mounted over it");
    fs::rename(&away, &store).expect("the drive comes");
    eventually(LIMIT, "the drive gets what waited for it", || (objects(&store).len() == 3).then_some(()));
    a.wait().no_problem("placeUnreachable");
}

#[test]
fn a_place_that_goes_is_said_before_anybody_uses_it() {
    let sandbox = Sandbox::new();
    let (hub, store, away) = (bare(&sandbox, "hub.git"), sandbox.dir("store"), sandbox.join("away"));
    let a = Member::start(&sandbox, "a");
    a.add().remote("hub", &[text(&hub)]).store(&store).write("one", "1").wait();
    fs::rename(&store, &away).expect("it can be moved");
    // Without the system's word the next look is half a minute away.
    let problem = eventually(Duration::from_secs(15), "that it is gone is said", || {
        a.problems("placeUnreachable").pop()
    });
    assert_eq!(problem["subject"], "store");
    fs::rename(&away, &store).expect("it comes back");
    a.no_problem("placeUnreachable");
}

/// The other places of a member's folder.
fn places(member: &Member) -> Vec<serde_json::Value> {
    member.status()["places"].as_array().expect("a status lists places").clone()
}

#[test]
fn a_drive_that_git_annex_set_up_is_recognised_by_what_it_holds() {
    let Some(version) = newest_annex() else { return };
    let annex = Annex::new(&version);
    let sandbox = Sandbox::new();
    let (store, away) = (sandbox.dir("store"), sandbox.join("away"));
    let a = Member::start(&sandbox, "a");
    annex.init(&a.dir, "a");
    let directory = format!("directory={}", text(&store));
    annex.annex(&a.dir, ["initremote", "store", "type=directory", &directory, "encryption=none"]);
    a.write("one", "1");
    annex.annex(&a.dir, ["add", "."]);
    annex.git(&a.dir, ["commit", "-q", "-m", "a file"]);
    annex.annex(&a.dir, ["copy", "--to", "store", "."]);
    fs::rename(&store, &away).expect("the drive goes");
    fs::create_dir(&store).expect("its mount point is a folder");
    a.add().write("two", "2");
    a.one_problem("placeUnreachable");
    assert_eq!(fs::read_dir(&store).expect("it can be read").count(), 0, "nothing was put on the wrong disk");

    fs::remove_dir(&store).expect("the drive is mounted over it");
    fs::rename(&away, &store).expect("the drive comes");
    a.sync();
    eventually(LIMIT, "the drive gets what waited for it", || (objects(&store).len() == 2).then_some(()));
    a.wait().no_problem("placeUnreachable");
    assert!(store.join("annex-uuid").is_file(), "from now on it bears its mark");
    annex.annex(&a.dir, ["fsck", "--from", "store"]);
}

/// The branches of a repository, with their commits.
fn refs(sandbox: &Sandbox, repository: &Path) -> String {
    crate::member::git(sandbox, repository, &["for-each-ref"])
}

#[test]
fn a_place_that_never_was_this_folders_is_refused_when_it_is_added() {
    let sandbox = Sandbox::new();
    let member = Member::start(&sandbox, "a");
    member.add();
    let missing = sandbox.join("no/such/place.git");
    let said = member.node.trib(["remote", "add", member.path(), "nowhere", text(&missing)]);
    assert_eq!(said.code(), Some(1), "{said}");
    assert!(said.stderr().lines().count() >= 2, "it says what to do: {said}");
    assert!(!missing.exists(), "the folder of a drive that is not mounted is not made");
    let listed = member.node.json(["remote", "list", member.path()]);
    assert_eq!(listed.as_array().map(Vec::len), Some(0), "what does not answer is not kept: {listed:#}");
}
