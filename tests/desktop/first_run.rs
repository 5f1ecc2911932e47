//! The first folder, the account and the transfer point, set up by hand in the window; then a file goes both ways.

use std::fs;
use std::time::Duration;

use tributary_testkit::xmpp_servers::Prosody;
use tributary_testkit::{Desktop, eventually, need_all};

use crate::account;
use crate::shell::{Computer, LIMIT, Other};
use crate::web_driver::{DOWN, ENTER, UP, Window};

const USER: &str = "ann";
const PASSWORD: &str = "battery-staple-3";
/// Time for what a hint brings: it takes a fraction of a second, and without one it came after half a minute.
const HINTED: Duration = Duration::from_secs(12);

#[test]
fn set_up_by_hand_and_a_file_goes_both_ways() {
    if !need_all(&[&["git", "WebKitWebDriver"], Desktop::NEEDS, Prosody::NEEDS].concat()) {
        return;
    }
    let computer = Computer::new();
    let prosody = Prosody::start("first.example", &[(USER, PASSWORD)]);
    let drive = computer.desktop.sandbox().dir("media/stick");
    let drive = drive.to_str().expect("a temporary folder's name is UTF-8");
    computer.write("letter.txt", b"Dear Ben");

    // Page 1: which folder, and how the computers hear of changes.
    let window = Window::open(&computer);
    window.shows("h1", "Keep a folder the same on your computers");
    window.replace("Folder", computer.folder().to_str().expect("UTF-8"));
    window.tab_to("Start new");
    window.tab_to("With an XMPP account");
    account::fill_in_fields(&window, &prosody, USER, PASSWORD);

    // Page 2: where files wait. The person names the drive, and is told what will be made on it.
    window.shows("h1", "Where should files wait");
    window.tab_to("A drive or network folder");
    window.press(&DOWN.to_string());
    window.shows("form", "Address, such as");
    window.press(&UP.to_string());
    window.tab_to("Transfer point on the drive");
    window.press(&format!("{drive}/nowhere/at all"));
    window.shows("form", "Is the drive plugged in?");
    window.replace("Transfer point on the drive", drive);
    let point = format!("{drive}/Papers.git");
    window.shows("form", &format!("It is made there: {point}"));
    window.shows("h3", "1 file, 8 bytes, will go there.");
    window.photograph("first-run-place");
    window.press(&ENTER.to_string());

    // What is missing now is the other computer, and the window says how it joins.
    window.shows("nav [aria-current]", "Overview");
    window.shows("main .next", &point);
    computer.settles();
    window.shows("h1", "The only file is here and at stick.");
    window.photograph("first-run-done");

    let other = Other::start();
    other.node.trib(["clone", &point, other.folder.to_str().expect("UTF-8")]).ok();
    other.log_in(&prosody, USER, PASSWORD);
    let arrived = eventually(LIMIT, "the file is at the other computer", || {
        fs::read(other.folder.join("letter.txt")).ok()
    });
    assert_eq!(arrived, b"Dear Ben");
    // A computer that has just come to the folder is heard at once, although nobody here has read of it yet.
    other.write("answer.txt", b"Dear Ann");
    let arrived =
        eventually(HINTED, "the answer is here", || fs::read(computer.folder().join("answer.txt")).ok());
    assert_eq!(arrived, b"Dear Ann");
    window.shows("main", "All 2 files are here");
    let joined = "return String(document.querySelector('main .next') === null)";
    eventually(LIMIT, "the other computer is known", || (window.script(joined) == "true").then_some(()));
}

#[test]
fn joining_by_hand_from_a_drive_and_choosing_folders() {
    if !need_all(&[&["git", "WebKitWebDriver"], Desktop::NEEDS].concat()) {
        return;
    }
    let computer = Computer::new();
    let drive = computer.desktop.sandbox().dir("media/stick");
    let drive = drive.to_str().expect("a temporary folder's name is UTF-8");
    let point = format!("{drive}/Shared.git");
    let other = Other::start();
    other.tell(&["add"], &["--description", "laptop"]);
    other.tell(&["remote", "add"], &["stick", &point, "--contents"]);
    other.write("letter.txt", b"Dear Ann");

    let window = Window::open(&computer);
    window.shows("h1", "Keep a folder the same on your computers");

    // The desktop's own dialog opens over the window, and what is chosen in it is filled in.
    let chosen = computer.desktop.sandbox().dir("home/Chosen");
    window.tab_to("Choose…");
    window.press(&ENTER.to_string());
    computer.desktop.await_window("Select Folder", LIMIT);
    computer.photograph("choose-folder");
    computer.desktop.type_text(chosen.to_str().expect("UTF-8"));
    computer.desktop.press_key("Return");
    let filled = "return document.querySelector('input').value";
    eventually(LIMIT, "the chosen folder is filled in", || {
        (window.script(filled) == chosen.to_str()?).then_some(())
    });
    window.replace("Folder", computer.folder().to_str().expect("UTF-8"));

    window.tab_to("Start new");
    window.press(&format!("{DOWN}{DOWN}"));
    window.tab_to("Transfer point that both reach");
    window.press(drive);
    // The drive has one for a folder of another name: it is offered.
    window.shows("form", "Which of these is it?");
    window.photograph("first-run-join");
    window.tab_to("Shared.git");
    window.press(&ENTER.to_string());
    window.shows("form", &format!("A transfer point is there, and is used: {point}"));
    window.tab_to("With an XMPP account");
    window.press(&DOWN.to_string());
    window.tab_to("Continue");
    window.press(&ENTER.to_string());

    window.shows("nav [aria-current]", "Overview");
    let arrived =
        eventually(LIMIT, "the file is here", || fs::read(computer.folder().join("letter.txt")).ok());
    assert_eq!(arrived, b"Dear Ann");
    // The place has the drive's name, and not git's word for it.
    window.shows("main", "The only file is here and at stick and laptop.");
}
