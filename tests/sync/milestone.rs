//! The milestone: real files with odd names, dropped into A, are bit-identical in B; edits, renames, deletions and
//! both-sides changes too; and afterwards git and git-annex find nothing to object to.

use tributary_testkit::{
    AnnexVersion, Entry, OddFiles, Snapshot, annex_versions, newest_annex, older_annex, snapshot,
};

use crate::changes::{change, mark};
use crate::scene::{Point, Scene, full};

/// Files of the first set-up, and with `TRIBUTARY_FULL` of each.
const FILES: usize = 2_000;
/// Files of the others. The judge needs a quarter of a second for each file, all its looks taken together.
const FEW_FILES: usize = 300;

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

    for (side, who) in [(a, "A"), (b, "B")] {
        change(&side.folder, who);
        mark(&side.folder);
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
