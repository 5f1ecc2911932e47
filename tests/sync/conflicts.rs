//! A conflict can be seen after its notification is gone: on every computer, until a person has looked after it.

use std::fs;

use serde_json::Value;
use tributary_testkit::eventually;

use crate::scene::{LIMIT, Point, Scene, Side};

/// What a computer says of conflicts; nothing when there is none.
fn told(side: &Side) -> Option<Value> {
    let status = side.node.folder(&side.folder);
    let problems = status["problems"].as_array().expect("problems are listed");
    problems.iter().find(|problem| problem["code"] == "conflictKept").cloned()
}

#[test]
fn a_conflict_is_shown_until_a_version_of_it_has_a_name_of_its_own() {
    let Some(mut scene) = Scene::set(Point::BareWithContents) else { return };
    scene.a.write("report.odt", b"before");
    eventually(LIMIT, "it is on both", || fs::read(scene.b.folder.join("report.odt")).ok());
    scene.b.wait();
    scene.b.node.stop();
    scene.a.write("report.odt", b"of A");
    scene.b.write("report.odt", b"of B");
    scene.a.wait();
    assert_eq!(told(&scene.a), None, "nobody knows of it yet");
    scene.b.node.start_daemon();

    let sentences = [&scene.a, &scene.b].map(|side| {
        let told = eventually(LIMIT, "both tell of it", || told(side));
        assert_eq!(told["needsYou"], false, "ignoring it is safe");
        told["sentence"].as_str().expect("it says what happened").to_owned()
    });
    assert_eq!(sentences[0], sentences[1], "both say the same");
    let names = sentences[0].split([' ', ',']).map(|word| word.trim_end_matches('.'));
    let versions: Vec<_> = names.filter(|word| word.contains(".variant-")).collect();
    assert_eq!(versions.len(), 2, "both versions are named: {}", sentences[0]);
    for version in &versions {
        eventually(LIMIT, "it is there under that name", || fs::read(scene.b.folder.join(version)).ok());
    }

    // It is not forgotten with the program.
    scene.a.wait();
    scene.a.node.restart();
    let told_again = eventually(LIMIT, "it is told after a start", || told(&scene.a));
    assert_eq!(told_again["sentence"], sentences[0].as_str());

    scene.b.wait();
    fs::rename(scene.b.folder.join(versions[0]), scene.b.folder.join("report of B.odt")).expect("rename");
    for side in [&scene.a, &scene.b] {
        eventually(LIMIT, "it is over", || told(side).is_none().then_some(()));
    }
}
