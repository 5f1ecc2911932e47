//! The milestone: real files with odd names, dropped into A, are bit-identical in B; edits, renames, deletions and
//! both-sides changes too; and afterwards git and git-annex find nothing to object to.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;

use tributary_testkit::{
    AnnexVersion, Entry, OddFiles, Snapshot, annex_versions, newest_annex, older_annex, snapshot,
};

use crate::scene::{Point, Scene, Side, full};

/// Files of the first set-up, and with `TRIBUTARY_FULL` of each.
const FILES: usize = 2_000;
/// Files of the others. The judge needs a quarter of a second for each file, all its looks taken together.
const FEW_FILES: usize = 300;
/// One in so many files is edited, moved, deleted, in each round. Fewer deletions than a person is asked about.
const EVERY: usize = 25;
/// What a moved file keeps of its name, so that the new one is not too long, bytes.
const LONGEST_END: usize = 200;

#[test]
fn a_bare_repository_and_a_directory() {
    let Some(newest) = newest_annex() else { return };
    milestone(Point::BareAndDirectory, 11, FILES, &[newest]);
}

/// What a newer release judges above, with all the files.
#[test]
fn a_bare_repository_and_a_directory_judged_by_an_older_release() {
    let Some(older) = older_annex() else { return };
    milestone(Point::BareAndDirectory, 14, few(), &[older]);
}

#[test]
fn a_bare_repository_that_holds_the_contents() {
    milestone(Point::BareWithContents, 12, few(), &annex_versions());
}

#[test]
fn a_bare_repository_with_contents_behind_sshd() {
    milestone(Point::BehindSshd, 13, few(), &annex_versions());
}

fn few() -> usize {
    if full() { FILES } else { FEW_FILES }
}

fn milestone(point: Point, seed: u64, files: usize, judges: &[AnnexVersion]) {
    let Some(scene) = Scene::set(point) else { return };
    let Scene { a, b, .. } = &scene;

    let written = OddFiles::new(seed, files).write(&a.folder);
    assert_eq!(written.len(), files, "every file has a name of its own");
    scene.arrives(&written);

    for side in [a, b] {
        change(side);
        scene.arrives(&snapshot(&side.folder));
    }

    a.write("both.txt", b"before\n");
    scene.arrives(&snapshot(&a.folder));
    change_both(&scene);

    scene.settles();
    let all = snapshot(&a.folder);
    scene.arrives(&all);
    scene.judge(all.len(), judges);
}

/// Edits, renames, deletes and marks as executable some files; moves a folder, and adds a file.
fn change(side: &Side) {
    let paths: Vec<Vec<u8>> = snapshot(&side.folder).into_keys().collect();
    let place = |path: &[u8]| side.folder.join(OsStr::from_bytes(path));
    let who = side.folder.file_name().expect("a folder has a name").to_owned();
    for some in paths.chunks(EVERY) {
        let [edited, grown, renamed, deleted, marked, ..] = some else { break };
        fs::write(place(edited), [b"edited in ", who.as_bytes()].concat()).expect("edit");
        let mut content = fs::read(place(grown)).expect("read");
        content.extend(b"and some more");
        fs::write(place(grown), content).expect("edit");
        fs::rename(place(renamed), place(&moved_by(&who, renamed))).expect("rename");
        fs::remove_file(place(deleted)).expect("delete");
        let mode = fs::metadata(place(marked)).expect("stat").permissions().mode();
        fs::set_permissions(place(marked), fs::Permissions::from_mode(mode ^ 0o111)).expect("chmod");
    }
    let whole = fs::read_dir(&side.folder)
        .expect("list")
        .map(|entry| entry.expect("list"))
        .find(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()) && entry.file_name() != ".git")
        .expect("some of the files are in a folder");
    fs::rename(whole.path(), side.folder.join(format!("folder of {}", who.display()))).expect("rename");
    side.write(&format!("new/in/{}", who.display()), b"new");
}

/// Another name in the same folder. Its end stays, and with it the extension that is a part of the key: without that,
/// git-annex would have another key for the same content when it looks at the file anew.
fn moved_by(who: &OsStr, path: &[u8]) -> Vec<u8> {
    let (folder, name) = path.split_at(path.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1));
    let end = &name[name.len().saturating_sub(LONGEST_END)..];
    [folder, b"moved by ", who.as_bytes(), b" ", end].concat()
}

/// Changes the same file, and different ones, on both sides before either hears of the other.
fn change_both(scene: &Scene) {
    let sides = [(&scene.a, "of A"), (&scene.b, "of B")];
    for (side, _) in sides {
        side.tell("pause");
    }
    for (side, who) in sides {
        side.write("both.txt", who.as_bytes());
        side.write(&format!("only {who}"), who.as_bytes());
    }
    for (side, _) in sides {
        side.tell("resume");
    }
    let versions = sides.map(|(_, who)| Entry::file(who.as_bytes(), false));
    let variants = |all: &Snapshot, version: &Entry| {
        all.iter().filter(|(path, entry)| path.starts_with(b"both.variant-") && *entry == version).count()
    };
    scene.agree("each version of the file has a name of its own, on both sides", |all| {
        all.contains_key(&b"only of A"[..])
            && all.contains_key(&b"only of B"[..])
            && !all.contains_key(&b"both.txt"[..])
            && versions.iter().all(|version| variants(all, version) == 1)
    });
}
