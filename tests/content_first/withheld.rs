//! Contents that B cannot get for a while.

use std::fs;
use std::path::{Path, PathBuf};

use tributary_testkit::{eventually, within};

use crate::member::{LIMIT, SHORT};
use crate::pair;

#[test]
fn while_the_place_is_away_the_old_version_stands_and_nothing_is_deleted() {
    let files = [("old", "one"), ("gone", "x"), ("kept", "k"), ("folder/moved", "m")];
    let Some(pair) = pair(&files) else { return };
    let (a, b) = (&pair.a, &pair.b);
    pair.unplug();
    a.write("old", "two").write("new", "n").delete("gone");
    fs::rename(a.dir.join("folder/moved"), a.dir.join("moved here")).expect("a file can be moved");
    a.wait();
    let all = a.files();

    b.sync();
    eventually(LIMIT, "B says that two files arrive", || (b.status()["arriving"] == 2).then_some(()));
    eventually(LIMIT, "what needs no content is done", || (b.read("gone").is_none()).then_some(()));
    eventually(LIMIT, "what is here moves", || (b.read("moved here").as_deref() == Some("m")).then_some(()));
    assert_eq!(b.read("folder/moved"), None, "it was moved");
    assert_eq!(b.read("old").as_deref(), Some("one"), "the old version stands until the new one is here");
    assert_eq!(b.read("new"), None, "a new file does not show before its content is here");
    // The index follows within a second: it is one file, written off the way of the changes.
    eventually(LIMIT, "for git nothing is changed or missing", || {
        b.git(&["status", "--short"]).is_empty().then_some(())
    });
    let place = b.status()["places"]
        .as_array()
        .and_then(|places| places.iter().find(|place| place["name"] == "store").cloned());
    assert_eq!(place.expect("the place is listed")["reachable"], false, "the status says what is away");
    let gave_up = b.node.try_wait(&b.dir, SHORT);
    assert_eq!(gave_up.code(), Some(1), "not all is here: {gave_up}");
    assert!(gave_up.stderr().contains("2 files"), "it says how many are missing: {gave_up}");

    // A start finds the folder as it was left, and takes no absence for a deletion.
    let mut pair = pair;
    pair.b.node.restart();
    let (a, b) = (&pair.a, &pair.b);
    b.write("kept", "changed in B");
    eventually(LIMIT, "B's own change is committed", || {
        b.git(&["log", "-1", "--format=%s", "--", "kept"]).contains("tributary in").then_some(())
    });
    b.sync();
    assert_eq!((b.status()["arriving"].clone(), b.status()["held"].clone()), (2.into(), 0.into()));
    let listed = b.git(&["ls-tree", "-r", "--name-only", "HEAD"]);
    assert_eq!(listed, "kept\nmoved here\nnew\nold", "B deleted nothing");
    a.sync();
    within(SHORT, || (a.files() != all).then_some(()));
    for file in ["old", "new", "moved here"] {
        assert!(a.read(file).is_some(), "A keeps {file}");
    }

    pair.plug_in();
    b.wait();
    a.fetches(&b.files());
    assert_eq!(b.read("old").as_deref(), Some("two"));
    assert_eq!(b.read("new").as_deref(), Some("n"));
    assert_eq!(a.read("kept").as_deref(), Some("changed in B"), "what B changed meanwhile reaches A");
}

#[test]
fn an_edit_of_a_file_whose_new_version_is_on_its_way_is_kept_beside_it() {
    let Some(pair) = pair(&[("file", "one")]) else { return };
    let (a, b) = (&pair.a, &pair.b);
    pair.unplug();
    a.write("file", "two, by A").wait();
    b.sync();
    eventually(LIMIT, "B knows of the new version", || (b.status()["arriving"] == 1).then_some(()));
    b.write("file", "two, by B");
    pair.plug_in();
    b.wait();
    let contents = || {
        let mut contents: Vec<_> =
            b.files().keys().map(|path| b.read(&String::from_utf8_lossy(path))).collect();
        contents.sort();
        contents
    };
    let both = [Some("two, by A".to_owned()), Some("two, by B".to_owned())];
    eventually(LIMIT, "B has both versions", || (contents() == both).then_some(()));
    b.wait();
    a.fetches(&b.files());
}

#[test]
fn a_content_that_is_gone_from_the_place_arrives_when_it_is_back() {
    let Some(pair) = pair(&[("kept", "k")]) else { return };
    let (a, b) = (&pair.a, &pair.b);
    let before = objects(&pair.store);
    pair.unplug();
    a.write("new", "the content that is gone for a while").wait();
    let new: Vec<_> = objects(&pair.store).into_iter().filter(|object| !before.contains(object)).collect();
    let [object] = &new[..] else { panic!("one content was stored: {new:?}") };
    let aside = pair.store.with_extension("aside");
    let folder = object.parent().expect("an object has a folder of its own");
    fs::rename(folder, &aside).expect("the object can be taken away");
    pair.plug_in();
    b.sync();
    eventually(LIMIT, "B misses it", || (b.status()["arriving"] == 1).then_some(()));
    let gave_up = b.node.try_wait(&b.dir, SHORT);
    assert_eq!((gave_up.code(), b.read("new")), (Some(1), None), "it is nowhere: {gave_up}");
    assert!(b.read("kept").is_some() && a.read("new").is_some(), "nothing was taken for a deletion");

    // B found out that the place lacks it, and that reaches A, which has it still and sends it again.
    b.sync();
    within(LIMIT, || {
        a.sync();
        b.sync();
        within(SHORT, || b.read("new"))
    });
    assert_eq!(b.read("new").as_deref(), Some("the content that is gone for a while"), "{:#}", b.status());
    b.wait();
}

/// The contents in a `directory` special remote.
fn objects(store: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![store.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).expect("the store can be read") {
            let path = entry.expect("the store can be read").path();
            match path.is_dir() {
                true => left.push(path),
                // Contents have names like their folders; what else lies there does not.
                false if path.parent().and_then(Path::file_name) == path.file_name() => found.push(path),
                false => {}
            }
        }
    }
    found
}
