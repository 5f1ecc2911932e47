//! Places that hold something else than they should.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tributary_testkit::{Sandbox, eventually};

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

    // The right drive under the mount point again: the next start finds it.
    fs::write(&mark, own).expect("write");
    let mut a = a;
    a.node.restart();
    eventually(LIMIT, "the right place gets it", || (objects(&store).len() == 2).then_some(()));
    a.wait().no_problem("placeChanged");
}
