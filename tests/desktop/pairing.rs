//! Pairing in the window, with the keyboard alone: a second computer of one's own, a friend, and who asks to be let in. How
//! many steps that takes is counted: a step is a screen or a dialog in which a person has to act, on either computer.

use std::fs;

use tributary_testkit::xmpp_servers::{Prosody, XmppServer as _};
use tributary_testkit::{Desktop, eventually, need_all, within};

use crate::pairing_steps::{self as steps, Side};
use crate::shell::{Computer, LIMIT, Other, Point};
use crate::web_driver::{ENTER, RIGHT, Window};

const ANN: (&str, &str) = ("ann", "correct-horse-9");
const BEN: (&str, &str) = ("ben", "battery-staple-9");

fn can_run() -> bool {
    need_all(&[&["git", "WebKitWebDriver"], Desktop::NEEDS, Prosody::NEEDS].concat())
}

#[test]
fn a_second_computer_of_ones_own_takes_five_steps() {
    if !can_run() {
        return;
    }
    let (laptop, desktop) = (Computer::new(), Computer::dark());
    let prosody = Prosody::start("own.example", &[ANN]);
    let drive = laptop.desktop.sandbox().dir("media/stick");
    laptop.write("letter.txt", b"Dear Ben");
    let (here, there) = (Window::open(&laptop), Window::open(&desktop));
    let (ours, theirs) = (laptop.folder(), desktop.folder());
    steps::own_second_computer(
        Side { window: &here, folder: &ours },
        Side { window: &there, folder: &theirs },
        &prosody,
        ANN,
        &drive,
    );
    there.press_with_control('1');
    there.look_at("pairing-overview-dark");
}

#[test]
fn a_friend_takes_two_steps_and_goes_when_told_to() {
    if !can_run() {
        return;
    }
    let (ann, ben) = (Computer::new(), Computer::dark());
    let prosody = Prosody::start("friends.example", &[ANN, BEN]);
    let point = Point::make(ann.desktop.sandbox());
    let (here, there) = (Window::open(&ann), Window::open(&ben));
    ann.tell(&["add"], &["--description", "desktop"]);
    ann.tell(&["remote", "add"], &["names", &point.names]);
    ann.tell(&["remote", "add"], &["store", "type=directory", &point.directory(), "encryption=none"]);
    ann.write("letter.txt", b"Dear Ben");
    let notes = ben.desktop.sandbox().join("home/Notes");
    ben.trib(["add", notes.to_str().expect("UTF-8")]);
    ann.log_in(&prosody, ANN.0, ANN.1);
    ben.log_in(&prosody, BEN.0, BEN.1);
    ann.settles();

    a_wrong_code_is_spent(&here, &there, &format!("ann@{}", prosody.domain()));
    assert!(ann.status()["pairings"].as_array().is_some_and(Vec::is_empty), "nothing is left of it");
    assert!(ben.status()["pairings"].as_array().is_some_and(Vec::is_empty), "on either side");

    let (ours, theirs) = (ann.folder(), ben.folder());
    let link = steps::friend(
        Side { window: &here, folder: &ours },
        Side { window: &there, folder: &theirs },
        &prosody,
        ANN.0,
    );
    let joined = ann.is_notified(0, |note| note.summary.ends_with(" joined Papers"));
    assert!(joined.body.contains("ben@friends.example"), "who it is can be seen later too: {joined:#?}");
    here.tab_to("Done");
    here.press(&ENTER.to_string());

    // What was copied is on the desktop's clipboard.
    here.press_with_control(',');
    here.shows("h1", "Settings");
    here.tab_to("This computer's name");
    here.press_with_control('a');
    here.press_with_control('v');
    let pasted = "return document.activeElement.value ?? ''";
    eventually(LIMIT, "the link is pasted", || (here.script(pasted) == link).then_some(()));

    // Each knows the other, once, and sees that they are there.
    for (window, computer, account, look) in
        [(&here, &ann, "ben@friends.example", "people"), (&there, &ben, "ann@friends.example", "people-dark")]
    {
        window.press_with_control('3');
        window.shows("main article", &format!("Friend: {account}"));
        window.shows("main article", "here now");
        eventually(LIMIT, "it was reached, there and back", || {
            (computer.status()["peers"][0]["connected"] == true).then_some(())
        });
        let cards = "return String(document.querySelectorAll('main article').length)";
        eventually(LIMIT, "one card for the friend and one for each place", || {
            (window.script(cards) == "3").then_some(())
        });
        window.look_at(look);
    }

    // No secret is in what is written down.
    let secret = link.rsplit('/').next().expect("a link has parts");
    for computer in [&ann, &ben] {
        let log =
            fs::read_to_string(computer.desktop.sandbox().join("tributary.log")).expect("there is a log");
        assert!(!log.contains(secret), "the link is in no log");
    }

    // He goes off, and then he goes for good.
    let item = ben.desktop.tray_item("Tributary", LIMIT);
    ben.desktop.tray_click(&item, &["Quit"]);
    here.shows("main article", "off since");
    here.look_at("people-off");
    here.tab_to("Remove…");
    here.press(&ENTER.to_string());
    here.shows("dialog", "no longer gets changes of Papers");
    here.look_at("people-remove");
    here.tab_to("Remove");
    here.press(&ENTER.to_string());
    eventually(LIMIT, "nobody is paired", || {
        ann.status()["peers"].as_array().is_some_and(Vec::is_empty).then_some(())
    });
    let gone = "return String(!document.querySelector('main').innerText.includes('Friend:'))";
    eventually(LIMIT, "his card is gone", || (here.script(gone) == "true").then_some(()));
}

/// Ben tries a code that is not the one that Ann shows: he is told, and she is offered another.
#[track_caller]
fn a_wrong_code_is_spent(here: &Window, there: &Window, ann: &str) {
    steps::open_share_dialog(here);
    let code = steps::show_code(here);
    let number = code.split('-').next().expect("a code has parts");
    let wrong = if code.ends_with("acid-acid") { "actor-acid" } else { "acid-acid" };
    steps::open_join_dialog(there);
    there.press(&format!("{number}-{wrong}"));
    there.tab_to("Who shows the code");
    there.press(&format!("{ann}{ENTER}"));
    there.shows("dialog [role=alert]", "wrong");
    there.shows("dialog [role=alert]", "Ask there for a new invitation.");
    there.look_at("pairing-wrong-code-dark");
    here.shows("dialog", "Somebody tried a wrong code.");
    here.look_at("pairing-code-spent");
    here.tab_to("New code");
    here.press(&ENTER.to_string());
    let another = "return document.querySelector('dialog .code:not(.old)')?.innerText ?? ''";
    eventually(LIMIT, "there is another code", || {
        let shown = here.script(another);
        (!shown.is_empty() && shown != code).then_some(())
    });
    // The QR code, and then nothing of it is wanted any more.
    here.tab_to("Code");
    here.press(&format!("{RIGHT}{RIGHT}"));
    here.shows("dialog", "camera");
    here.look_at("pairing-qr");
    here.tab_to("Cancel");
    here.press(&ENTER.to_string());
    there.tab_to("Cancel");
    there.press(&ENTER.to_string());
    for window in [here, there] {
        let none = "return String(document.querySelector('dialog') === null)";
        eventually(LIMIT, "the dialog is closed", || (window.script(none) == "true").then_some(()));
    }
}

#[test]
fn who_asks_is_answered_from_the_notification() {
    if !can_run() {
        return;
    }
    let mut ann = Computer::new();
    let prosody = Prosody::start("asked.example", &[ANN, BEN]);
    let item = ann.start_hidden();
    ann.tell(&["add"], &["--description", "desktop"]);
    let point = Point::make(ann.desktop.sandbox());
    ann.tell(&["remote", "add"], &["point", &point.names, "--contents"]);
    ann.write("letter.txt", b"Dear Ben");
    ann.log_in(&prosody, ANN.0, ANN.1);
    ann.settles();
    let ben = Other::start();
    ben.log_in(&prosody, BEN.0, BEN.1);
    eventually(LIMIT, "the friend is online", || {
        (ben.node.json(["status"])["account"]["state"] == "online").then_some(())
    });

    for (answer, is_in) in [("Decline", false), ("Accept", true)] {
        let so_far = ann.desktop.notifications().len();
        let folder = ann.folder();
        let said = ann.trib(["invite", folder.to_str().expect("UTF-8"), "--json"]);
        let invitation: serde_json::Value =
            serde_json::from_slice(said.stdout_bytes()).expect("one JSON value");
        let link = invitation["link"].as_str().expect("it has a link");
        std::thread::scope(|scope| {
            let joining =
                scope.spawn(|| ben.node.trib(["join", link, ben.folder.to_str().expect("UTF-8"), "--yes"]));
            // The tray says that a person is needed, and why.
            let asks = within(LIMIT, || {
                let title = ann.desktop.tray_properties(&item)["Title"]["data"] == "Tributary: Needs you";
                let said = ann
                    .desktop
                    .tray_menu(&item)
                    .iter()
                    .any(|entry| entry.label.contains("asks to join Papers"));
                (title && said).then_some(())
            });
            assert!(asks.is_some(), "the tray says who asks: {:#?}", ann.desktop.tray_menu(&item));
            let note = ann.is_notified(so_far, |note| note.summary.ends_with("asks to join Papers."));
            assert!(note.summary.contains("ben@asked.example"), "who it is: {note:#?}");
            let labels: Vec<_> = note.actions.iter().skip(1).step_by(2).map(String::as_str).collect();
            assert_eq!(labels, ["Show", "Show", "Accept", "Decline"]);
            if is_in {
                eventually(LIMIT, "it is on the screen", || {
                    (ann.desktop.notifications_shown() > 0).then_some(())
                });
                ann.photograph("notification-asks");
            }
            ann.desktop.press_notification_button(answer);
            let joined = joining.join().expect("the command does not panic");
            assert_eq!(joined.success(), is_in, "{answer}: {joined}");
        });
        // Answered, it is said no more.
        eventually(LIMIT, "nobody asks any more", || {
            let status = ann.status();
            let quiet = status["problems"].as_array()?.iter().all(|problem| problem["code"] != "peerAsks");
            (quiet && status["pairings"].as_array()?.is_empty()).then_some(())
        });
        ann.desktop.close_notifications();
    }
    eventually(LIMIT, "the file is with the friend", || fs::read(ben.folder.join("letter.txt")).ok());
    assert_eq!(ann.status()["peers"].as_array().map(Vec::len), Some(1));
    ann.desktop.tray_click(&item, &["Quit"]);
    ann.has_ended();
}
