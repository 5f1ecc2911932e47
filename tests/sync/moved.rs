//! Files that are edited while the folder they lie in is moved: each arrives under its new name with its new content.

use std::fs;

use tributary_testkit::{eventually, run, snapshot};

use crate::scene::{LIMIT, Point, Scene};

/// How often: in which state the edits are noticed when the folder moves is chance.
const ROUNDS: usize = 10;
/// Files in each folder.
const FILES: usize = 60;
/// One in so many of them is written anew, and the next one gets longer.
const EVERY: usize = 5;

#[test]
fn files_edited_in_a_folder_that_is_moved() {
    let Some(scene) = Scene::set(Point::BareAndDirectory) else { return };
    for round in 0..ROUNDS {
        let folder = scene.a.folder.join(format!("folder {round}"));
        for file in 0..FILES {
            let content = format!("file {file} of round {round}");
            scene.a.write(&format!("folder {round}/in/{file}"), content.as_bytes());
        }
        scene.arrives(&snapshot(&scene.a.folder));

        for file in (0..FILES).step_by(EVERY) {
            fs::write(folder.join(format!("in/{file}")), "edited").expect("edit");
            let grown = folder.join(format!("in/{}", file + 1));
            let content = [fs::read(&grown).expect("read"), b" and some more".to_vec()].concat();
            fs::write(grown, content).expect("edit");
        }
        fs::rename(&folder, scene.a.folder.join(format!("moved {round}"))).expect("rename");
        scene.arrives(&snapshot(&scene.a.folder));
    }
    scene.settles();
}

#[test]
fn a_file_that_was_gone_for_a_moment_is_known_under_its_new_name() {
    let Some(scene) = Scene::set(Point::BareAndDirectory) else { return };
    let git = |args: &[&str]| {
        let mut git = scene.a.node.machine().command("git");
        git.current_dir(&scene.a.folder).args(args);
        run(git).ok().text()
    };
    scene.a.write("other", b"stays");
    scene.a.write("report.txt", b"the report");
    scene.arrives(&snapshot(&scene.a.folder));
    // As when the two halves of a rename are seen far apart.
    let away = scene.sandbox.join("away");
    fs::rename(scene.a.folder.join("report.txt"), &away).expect("rename");
    eventually(LIMIT, "its deletion is committed", || {
        (git(&["ls-tree", "--name-only", "HEAD"]).trim() == "other").then_some(())
    });
    fs::rename(&away, scene.a.folder.join("report.md")).expect("rename");
    scene.arrives(&snapshot(&scene.a.folder));
    let pointer = git(&["show", "HEAD:report.md"]);
    assert!(pointer.trim().ends_with(".txt"), "it was moved, and its key stays: {pointer}");
}
