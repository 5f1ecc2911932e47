//! What was away comes back: the other computer, the XMPP server, the transfer point.

use std::fs;

use tributary_testkit::xmpp_servers::XmppServer as _;
use tributary_testkit::{OddFiles, annex_versions, eventually, snapshot, try_snapshot};

use crate::scene::{LIMIT, Point, Scene};

/// Files of each journey.
const FILES: usize = 30;

#[test]
fn a_computer_that_was_off() {
    let Some(mut scene) = Scene::set(Point::BareAndDirectory) else { return };
    OddFiles::new(21, FILES).write(&scene.a.folder);
    scene.a.write("deleted", b"before");
    scene.arrives(&snapshot(&scene.a.folder));

    scene.b.node.stop();
    let before = snapshot(&scene.b.folder);
    scene.a.write("while B is off", b"1");
    scene.a.write("dir/and another", b"2");
    fs::remove_file(scene.a.folder.join("deleted")).expect("delete");
    scene.a.wait();
    assert!(snapshot(&scene.b.folder) == before, "nobody changes the folder of a computer that is off");
    // A person goes on working there without the program.
    scene.b.write("written in B while it is off", b"3");
    scene.b.node.start_daemon();
    scene.agree("what both did while apart is in both", |all| {
        ["while B is off", "dir/and another", "written in B while it is off"]
            .iter()
            .all(|path| all.contains_key(path.as_bytes()))
            && !all.contains_key(&b"deleted"[..])
    });

    // It is online again without being asked anything.
    scene.meet();
    scene.b.write("told by a hint", b"4");
    scene.arrives(&snapshot(&scene.b.folder));
    scene.settles();
}

#[test]
fn the_xmpp_server_was_killed() {
    let Some(mut scene) = Scene::set(Point::BareAndDirectory) else { return };
    scene.prosody.kill();
    for side in [&scene.a, &scene.b] {
        eventually(LIMIT, "the loss of the server is seen", || {
            (side.node.json(["status"])["account"]["state"] != "online").then_some(())
        });
    }
    OddFiles::new(22, FILES).write(&scene.a.folder);
    // Nobody tells B: it looks by itself, with growing pauses.
    scene.arrives(&snapshot(&scene.a.folder));

    scene.prosody.restart();
    scene.meet();
    scene.b.write("told by a hint", b"again");
    scene.arrives(&snapshot(&scene.b.folder));
    scene.settles();
}

#[test]
fn the_connection_to_the_server_died_without_a_word() {
    let Some(scene) = Scene::set(Point::BehindSshd) else { return };
    scene.a.write("before", b"1");
    scene.arrives(&snapshot(&scene.a.folder));
    scene.settles();
    // As when a laptop is closed in the middle of an exchange, and opened at another place: nothing ends the connection.
    scene.a.write("while the network goes", b"2");
    eventually(LIMIT, "a session with the server is caught", || {
        (scene.sshd().freeze_sessions() > 0).then_some(())
    });
    let expected = snapshot(&scene.a.folder);
    // After a minute without a sign it is given up, and made anew.
    eventually(3 * LIMIT, "the change is in B", || {
        (try_snapshot(&scene.b.folder).ok()? == expected).then_some(())
    });
    scene.settles();
}

#[test]
fn the_transfer_point_was_unmounted() {
    let Some(scene) = Scene::set(Point::BareAndDirectory) else { return };
    OddFiles::new(23, FILES).write(&scene.a.folder);
    scene.arrives(&snapshot(&scene.a.folder));
    scene.settles();

    let (place, away) = (scene.place(), scene.sandbox.join("away"));
    fs::rename(&place, &away).expect("rename");
    scene.a.write("in A, the point is away", b"1");
    scene.b.write("in B, the point is away", b"2");
    for side in [&scene.a, &scene.b] {
        eventually(LIMIT, "the absence of the point is seen", || {
            let folder = side.node.folder(&side.folder);
            let places = folder["places"].as_array().expect("a list");
            let unreachable =
                |name: &str| places.iter().any(|place| place["name"] == name && place["reachable"] == false);
            unreachable("store").then_some(())
        });
    }
    assert!(!place.exists(), "nobody makes the folder of a drive that is away");
    fs::rename(&away, &place).expect("rename");
    scene.agree("what both did while it was away is in both", |all| {
        ["in A, the point is away", "in B, the point is away"]
            .iter()
            .all(|path| all.contains_key(path.as_bytes()))
    });
    scene.settles();
    scene.judge(FILES + 2, &annex_versions());
}
