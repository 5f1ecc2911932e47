//! The window, used with the keyboard alone: login to the account, and a look at each view.

use std::fs;
use std::path::Path;

use tributary_testkit::xmpp_servers::Prosody;
use tributary_testkit::{Desktop, eventually, need_all};

use crate::account;
use crate::shell::{Computer, LIMIT, Other, Point};
use crate::web_driver::{ENTER, Window};

const USER: &str = "ann";
const PASSWORD: &str = "correct-horse-7";
const DOMAIN: &str = "desktop.example";

#[test]
fn login_by_keyboard_and_a_look_at_each_view() {
    if !need_all(&[&["git", "git-annex", "WebKitWebDriver"], Desktop::NEEDS, Prosody::NEEDS].concat()) {
        return;
    }
    let computer = Computer::new();
    let prosody = Prosody::start(DOMAIN, &[(USER, PASSWORD)]);
    let point = Point::make(computer.desktop.sandbox());
    let window = Window::open(&computer);
    window.shows("h1", "Keep a folder the same on your computers");
    window.photograph("first-run");

    // The folder is set up beside it, and the window follows.
    computer.tell(&["add"], &["--description", "desktop"]);
    computer.tell(&["remote", "add"], &["names", &point.names]);
    computer.tell(&["remote", "add"], &["store", "type=directory", &point.directory(), "encryption=none"]);
    for (name, content) in [("letter.txt", "Dear Ben"), ("budget.csv", "a;b;c"), ("notes.md", "# Notes")] {
        computer.write(name, content.as_bytes());
    }
    computer.settles();

    log_in(&computer, &window, &prosody);
    let kept = [("service", "tributary"), ("username", "ann@desktop.example")];
    assert_eq!(computer.desktop.secret_lookup(&kept).as_deref(), Some(PASSWORD), "the keyring has it");
    let session = computer.desktop.sandbox().path();
    assert!(holds(&computer.home(), DOMAIN.as_bytes()), "the search finds what is there");
    assert!(!holds(session, PASSWORD.as_bytes()), "the password is in no file, the log included");

    // Another computer of the account changes something: told by a hint, shown without a look.
    let other = Other::start();
    other.node.trib(["clone", &point.names, other.folder.to_str().expect("UTF-8")]).ok();
    other.tell(&["remote", "add"], &["store", "type=directory", &point.directory()]);
    other.log_in(&prosody, USER, PASSWORD);
    eventually(LIMIT, "the other computer is online", || {
        (computer.status()["account"]["devicesOnline"] == 1).then_some(())
    });
    other.write("from afar.txt", b"hello");
    let note = computer.is_notified(0, |note| note.summary == "Papers");
    assert!(note.body.ends_with("changed 1 file"), "{note:#?}");
    eventually(LIMIT, "the file is here", || fs::read(computer.folder().join("from afar.txt")).ok());
    computer.settles();

    window.look_at_each_view("light");
}

/// Sets up the account in the window: once with a wrong password, then with the right one.
#[track_caller]
fn log_in(computer: &Computer, window: &Window, prosody: &Prosody) {
    window.press_with_control(',');
    window.shows("h1", "Settings");
    window.tab_to("Set up an account");
    window.press(&ENTER.to_string());
    account::fill_in(window, prosody, USER, "wrong");
    // The step that failed is named, and those before it have held.
    window.shows("form .result", "Certificate\nPassword refused");
    window.photograph("login-refused");

    // The password is selected, so that typing replaces it.
    eventually(LIMIT, "the password has the focus", || (window.focused() == "Password").then_some(()));
    window.press(&format!("{PASSWORD}{ENTER}"));
    window.shows("main", "Log out");
    eventually(LIMIT, "the account is online", || {
        (computer.status()["account"]["state"] == "online").then_some(())
    });
    window.shows("nav .account", "Connected");
    window.photograph("login-held");
}

/// Whether any file below `dir` has these bytes in it.
fn holds(dir: &Path, wanted: &[u8]) -> bool {
    let entries = fs::read_dir(dir).expect("our own folder can be read");
    entries.map(|entry| entry.expect("our own folder can be read")).any(|entry| {
        let kind = entry.file_type().expect("an entry has a type");
        if kind.is_dir() {
            return holds(&entry.path(), wanted);
        }
        // Sockets hold nothing, and a file may be replaced while we look.
        kind.is_file()
            && fs::read(entry.path())
                .is_ok_and(|content| content.windows(wanted.len()).any(|part| part == wanted))
    })
}
