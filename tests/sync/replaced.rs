//! What is deleted, moved and made anew at once, right after it arrived: no deletion is overlooked because the folder was
//! not watched yet, or because another of the same name stands there when the watcher looks.

use std::fs;

use tributary_testkit::snapshot;

use crate::scene::{Point, Scene};

/// How often: which of two threads is first is chance.
const ROUNDS: usize = 10;

#[test]
fn a_folder_that_is_replaced_right_after_it_arrived() {
    let Some(scene) = Scene::set(Point::BareAndDirectory) else { return };
    for round in 0..ROUNDS {
        let folder = format!("folder {round}");
        for file in ["deleted", "moved", "stays"] {
            scene.a.write(&format!("{folder}/in/{file}"), format!("{file} {round}").as_bytes());
        }
        scene.arrives(&snapshot(&scene.a.folder));

        let there = scene.b.folder.join(&folder);
        fs::remove_file(there.join("in/deleted")).expect("delete");
        fs::rename(&there, scene.b.folder.join(format!("moved {round}"))).expect("rename");
        scene.b.write(&format!("{folder}/in/stays"), b"another");
        scene.arrives(&snapshot(&scene.b.folder));
    }
    scene.settles();
}
