//! A clicked invitation: the desktop finds the program by its entry, the window shows the link, and nobody is joined by a
//! click.

use std::fs;

use tributary_testkit::xmpp_servers::Prosody;
use tributary_testkit::{Desktop, Process, eventually, need_all, run_within};

use crate::shell::{Computer, LIMIT};
use crate::web_driver::Window;

/// Well formed, and of nobody who is there.
const LINK: &str =
    "tributary:join/1/ben%40links.example%2Ftributary.7c/00000001000000006af0000000112233445566778899aabb";
/// A part of it that is not to be written down.
const SECRET: &str = "2233445566778899";
const KIND: &str = "x-scheme-handler/tributary";

#[test]
fn a_clicked_invitation_opens_the_window_and_joins_nothing() {
    if !need_all(&[&["git", "gio", "xdg-mime", "WebKitWebDriver"], Desktop::NEEDS, Prosody::NEEDS].concat()) {
        return;
    }
    let computer = Computer::new();
    offers_itself_to_the_desktop(&computer);

    // Nothing runs, and nothing is set up: the first steps have the link, and ask for the account that it needs.
    let window = Window::open_with(&computer, &[LINK]);
    window.shows("h1", "Keep a folder the same on your computers");
    shows_the_link(&window, ".page", LINK);
    window.shows(".page form", "Your account");
    window.photograph("link-first-run");

    // It runs, with a folder and an account: what is clicked comes up in its window.
    let prosody = Prosody::start("links.example", &[("ann", "correct-horse-11")]);
    computer.tell(&["add"], &["--description", "desktop"]);
    computer.log_in(&prosody, "ann", "correct-horse-11");
    window.press_with_control('2');
    window.shows("h1", "Folders");
    let other = LINK.replace("aabb", "ccdd");
    click(&computer, &other);
    window.shows("dialog h2", "Join a folder");
    shows_the_link(&window, "dialog", &other);
    window.shows("dialog", "Nothing is joined until");
    window.look_at("link-clicked");
    assert_eq!(computer.status()["pairings"].as_array().map(Vec::len), Some(0), "a click begins nothing");
    assert_eq!(computer.status()["folders"].as_array().map(Vec::len), Some(1), "and sets nothing up");
    let log = fs::read_to_string(computer.desktop.sandbox().join("tributary.log")).expect("there is a log");
    assert!(!log.contains(SECRET), "the link is in no log");
}

#[test]
fn a_click_brings_the_window_of_a_program_in_the_tray() {
    if !need_all(&[&["git", "gio", "xdg-mime"], Desktop::NEEDS].concat()) {
        return;
    }
    let mut computer = Computer::new();
    offers_itself_to_the_desktop(&computer);
    computer.start_hidden();
    click(&computer, LINK);
    computer.desktop.await_window("Tributary", LIMIT);
}

/// A program that no package installed makes itself known, once, and for links alone.
#[track_caller]
fn offers_itself_to_the_desktop(computer: &Computer) {
    let sandbox = computer.desktop.sandbox();
    // As the person starts it: a node with a home of its own is not what a click is meant for.
    let mut command = computer.desktop.command(Computer::program());
    command.arg("--hidden");
    let first = Process::spawn("tributary", command, &sandbox.join("first.log"));
    let handler = eventually(LIMIT, "there is a program for invitations", || {
        let said = computer.desktop.run("xdg-mime", &["query", "default", KIND]).text();
        (!said.trim().is_empty()).then(|| said.trim().to_owned())
    });
    drop(first);
    let entry = sandbox.join("home/.local/share/applications").join(&handler);
    let entry = fs::read_to_string(entry).expect("the entry is there");
    let wanted = format!("Exec=\"{}\" %u", Computer::program().display());
    assert!(entry.lines().any(|line| line == wanted), "it starts this program: {entry}");
}

/// Clicks a link, as in a mail program.
#[track_caller]
fn click(computer: &Computer, link: &str) {
    let mut command = computer.command("gio");
    command.args(["open", link]);
    run_within(command, LIMIT).ok();
}

/// The field has the link in it.
#[track_caller]
fn shows_the_link(window: &Window, within: &str, link: &str) {
    let script = format!(
        "return [...document.querySelectorAll('{within} input')].map((field) => field.value).join('\\n')"
    );
    eventually(LIMIT, "the link is in a field", || {
        window.script(&script).lines().any(|value| value == link).then_some(())
    });
}
