//! Pairing in the window, with the keyboard alone: a second computer of one's own, a friend, and who asks to be let in. How
//! many steps that takes is counted: a step is a screen or a dialog in which a person has to act, on either computer.

use std::fs;

use tributary_testkit::xmpp_servers::{Prosody, XmppServer as _};
use tributary_testkit::{Desktop, eventually, need_all, within};

use crate::account;
use crate::shell::{Computer, LIMIT, Other, Point};
use crate::web_driver::{DOWN, ENTER, RIGHT, SPACE, Window};

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

    // The first computer: folder and account, then where files wait.
    let here = Window::open(&laptop);
    here.shows("h1", "Keep a folder the same on your computers");
    here.replace("Folder", laptop.folder().to_str().expect("UTF-8"));
    account::fill_in_fields(&here, &prosody, ANN.0, ANN.1);
    here.shows("h1", "Where should files wait");
    here.tab_to("Transfer point on the drive");
    here.press(drive.to_str().expect("UTF-8"));
    here.shows("form", "It is made there");
    here.press(&ENTER.to_string());
    here.shows("nav [aria-current]", "Overview");

    // A code for the second.
    here.tab_to("Add a computer…");
    here.press(&ENTER.to_string());
    here.shows("dialog", "Waiting for the other computer");
    let code = show_code(&here);
    here.look_at("pairing-code");

    // The second: account and code, then what comes.
    let there = Window::open(&desktop);
    there.shows("h1", "Keep a folder the same on your computers");
    there.tab_to("Start new");
    there.press(&DOWN.to_string());
    there.tab_to("Link or code");
    there.press(&code);
    there.photograph("pairing-first-run");
    account::fill_in_fields(&there, &prosody, ANN.0, ANN.1);
    there.shows(".page form", "shares Papers");
    there.shows(".page form", "A computer of your own account; you can edit it.");
    there.look_at("pairing-offer-first-run");
    let folder = there.script("return document.querySelector('.page input').value");
    assert_eq!(folder, desktop.folder().to_str().expect("UTF-8"), "where it goes is filled in");
    there.tab_to("That place can be opened");
    there.press(&SPACE.to_string());
    there.tab_to("Start");
    there.press(&ENTER.to_string());

    // Nobody has to do more.
    for (from, to, name) in [(&laptop, &desktop, "letter.txt"), (&desktop, &laptop, "answer.txt")] {
        if name == "answer.txt" {
            there.shows("nav [aria-current]", "Overview");
            from.write(name, b"Dear Ann");
        }
        eventually(LIMIT, "a file goes each way", || fs::read(to.folder().join(name)).ok());
    }
    here.shows("dialog", "joined Papers");
    here.shows("dialog", "Connected, there and back.");
    here.look_at("pairing-joined");
    let steps = [here.steps(), there.steps()].concat();
    let wanted = [
        "Keep a folder the same on your computers",
        "Where should files wait when the other computer is off?",
        "Add a computer or a friend to Papers",
        "Keep a folder the same on your computers",
        "Join a folder",
    ];
    assert_eq!(steps, wanted, "five steps, and no more");
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

    // Ann copies a link.
    here.forget_steps();
    there.forget_steps();
    open_share_dialog(&here);
    here.look_at("pairing-link");
    here.tab_to("Copy link");
    here.press(&ENTER.to_string());
    here.shows("dialog", "Copied");
    let link = here.script("return document.querySelector('dialog input[readonly]').value");

    // Ben gives it to his own computer, sees who invites and what comes, and says yes.
    open_join_dialog(&there);
    there.press(&format!("{link}{ENTER}"));
    there.shows("dialog", "shares Papers");
    there.shows("dialog", "A computer of ann@friends.example; you can edit it.");
    there.look_at("pairing-offer-dark");
    there.tab_to("That place can be opened");
    there.press(&SPACE.to_string());
    there.tab_to("Accept");
    there.press(&ENTER.to_string());
    eventually(LIMIT, "the file is with the friend", || fs::read(ben.folder().join("letter.txt")).ok());
    let steps = [here.steps(), there.steps()].concat();
    assert_eq!(steps, ["Add a computer or a friend to Papers", "Join a folder"], "two steps, and no more");
    here.shows("dialog", "joined Papers");
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
    open_share_dialog(here);
    let code = show_code(here);
    let number = code.split('-').next().expect("a code has parts");
    let wrong = if code.ends_with("acid-acid") { "actor-acid" } else { "acid-acid" };
    open_join_dialog(there);
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

/// Opens the dialog that shares the folder, and waits for its link.
#[track_caller]
fn open_share_dialog(window: &Window) {
    window.press_with_control('2');
    window.shows("h1", "Folders");
    window.tab_to("Share…");
    window.press(&ENTER.to_string());
    window.shows("dialog", "Waiting for the other computer");
}

/// Opens the dialog that joins a folder, with the focus where the invitation goes.
#[track_caller]
pub fn open_join_dialog(window: &Window) {
    window.press_with_control('2');
    window.shows("h1", "Folders");
    window.tab_to("I have a link or a code…");
    window.press(&ENTER.to_string());
    eventually(LIMIT, "the field has the focus", || (window.focused() == "Link or code").then_some(()));
}

/// Goes to the code of an invitation and reads it.
#[track_caller]
fn show_code(window: &Window) -> String {
    window.tab_to("Link");
    window.press(&format!("{RIGHT}{RIGHT}"));
    window.shows("dialog", "works once and ends in");
    window.script("return document.querySelector('dialog .code').innerText")
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
    let ben = Other::start(&ann);
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
