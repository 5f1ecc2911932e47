//! What two people, or one with two computers, do in their windows to pair them, with the keyboard alone. How many steps
//! that takes is counted: a step is a screen or a dialog in which a person has to act, on either computer.

use std::fs;
use std::path::Path;

use tributary_testkit::eventually;
use tributary_testkit::xmpp_servers::{Prosody, XmppServer as _};

use crate::account;
use crate::shell::LIMIT;
use crate::web_driver::{DOWN, ENTER, RIGHT, SPACE, Window};

/// A computer: its window, and the folder that is kept on it.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    pub window: &'a Window,
    pub folder: &'a Path,
}

/// From two computers on which nothing of ours was ever used, and a letter in the folder of the first, to the letter on
/// the second and an answer on the first.
#[track_caller]
pub fn own_second_computer(
    first: Side<'_>,
    second: Side<'_>,
    prosody: &Prosody,
    (user, password): (&str, &str),
    drive: &Path,
) {
    let (here, there) = (first.window, second.window);
    // The first computer: folder and account, then where files wait.
    here.shows("h1", "Keep a folder the same on your computers");
    here.replace("Folder", first.folder.to_str().expect("UTF-8"));
    account::fill_in_fields(here, prosody, user, password);
    here.shows("h1", "Where should files wait");
    here.tab_to("Transfer point on the drive");
    here.press(drive.to_str().expect("UTF-8"));
    here.shows("form", "It is made there");
    here.press(&ENTER.to_string());
    here.is_at("Overview");

    // A code for the second.
    here.tab_to("Add a computer…");
    here.press(&ENTER.to_string());
    here.shows("dialog", "Waiting for the other computer");
    let code = show_code(here);
    here.look_at("pairing-code");

    // The second: account and code, then what comes.
    there.shows("h1", "Keep a folder the same on your computers");
    there.tab_to("Start new");
    there.press(&DOWN.to_string());
    there.tab_to("Link or code");
    there.press(&code);
    there.look_at("pairing-first-run");
    account::fill_in_fields(there, prosody, user, password);
    there.shows(".page form", "shares Papers");
    there.shows(".page form", "A computer of your own account; you can edit it.");
    there.look_at("pairing-offer-first-run");
    let folder = there.script("return document.querySelector('.page input').value");
    assert_eq!(folder, second.folder.to_str().expect("UTF-8"), "where it goes is filled in");
    there.tab_to("That place can be opened");
    there.press(&SPACE.to_string());
    there.tab_to("Start");
    there.press(&ENTER.to_string());

    // Nobody has to do more.
    eventually(LIMIT, "a file comes", || fs::read(second.folder.join("letter.txt")).ok());
    there.is_at("Overview");
    fs::write(second.folder.join("answer.txt"), "Dear Ann").expect("a file can be written");
    eventually(LIMIT, "and one goes", || fs::read(first.folder.join("answer.txt")).ok());
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
}

/// From two people with an account and a folder each to a letter of the first, which is online as `inviter`, in the folder of the
/// second. Gives the link that it took.
#[track_caller]
pub fn friend(first: Side<'_>, second: Side<'_>, prosody: &Prosody, inviter: &str) -> String {
    let (here, there) = (first.window, second.window);
    here.forget_steps();
    there.forget_steps();
    open_share_dialog(here);
    here.look_at("pairing-link");
    here.tab_to("Copy link");
    here.press(&ENTER.to_string());
    here.shows("dialog", "Copied");
    let link = here.script("return document.querySelector('dialog input[readonly]').value");

    // The other gives it to the own computer, sees who invites and what comes, and says yes.
    open_join_dialog(there);
    there.press(&format!("{link}{ENTER}"));
    there.shows("dialog", "shares Papers");
    there.shows("dialog", &format!("A computer of {inviter}@{}; you can edit it.", prosody.domain()));
    there.look_at("pairing-offer-dark");
    there.tab_to("That place can be opened");
    there.press(&SPACE.to_string());
    there.tab_to("Accept");
    there.press(&ENTER.to_string());
    eventually(LIMIT, "the file is with the friend", || fs::read(second.folder.join("letter.txt")).ok());
    let steps = [here.steps(), there.steps()].concat();
    assert_eq!(steps, ["Add a computer or a friend to Papers", "Join a folder"], "two steps, and no more");
    here.shows("dialog", "joined Papers");
    let none = "return String(document.querySelector('dialog') === null)";
    eventually(LIMIT, "nothing more is asked", || (there.script(none) == "true").then_some(()));
    link
}

/// Opens the dialog that shares the folder, and waits for its link.
#[track_caller]
pub fn open_share_dialog(window: &Window) {
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
pub fn show_code(window: &Window) -> String {
    window.tab_to("Link");
    window.press(&format!("{RIGHT}{RIGHT}"));
    window.shows("dialog", "works once and ends in");
    window.script("return document.querySelector('dialog .code').innerText")
}
