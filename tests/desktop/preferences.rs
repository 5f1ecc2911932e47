//! What a person chooses, and what the desktop gets to see of it: start at login, the dark theme, and the buttons of
//! notifications.

use std::fs;

use tributary_testkit::{Desktop, eventually, need_all};

use crate::shell::{Computer, LIMIT, Point};
use crate::web_driver::{ENTER, SPACE, Window};

#[test]
fn starting_at_login_is_an_entry_of_the_desktop() {
    if !need_all(&[&["git", "WebKitWebDriver"], Desktop::NEEDS].concat()) {
        return;
    }
    let computer = Computer::new();
    let autostart = computer.desktop.sandbox().join("home/.config/autostart");
    let entries = || {
        let entries = fs::read_dir(&autostart).into_iter().flatten();
        entries.map(|entry| entry.expect("our own folder can be read").path()).collect::<Vec<_>>()
    };
    let window = Window::open(&computer);
    window.shows("h1", "Keep a folder");
    window.press_with_control(',');
    window.shows("h1", "Settings");
    assert!(entries().is_empty(), "nothing is written unasked");

    window.tab_to("Start when I log in");
    window.press(&SPACE.to_string());
    let entry = eventually(LIMIT, "the entry is written", || entries().pop());
    let entry = eventually(LIMIT, "the entry is complete", || {
        fs::read_to_string(&entry).ok().filter(|text| text.contains("Exec="))
    });
    let wanted = format!("Exec={} --hidden", Computer::program().display());
    assert!(entry.lines().any(|line| line == wanted), "it starts in the tray: {entry}");

    window.press(&SPACE.to_string());
    eventually(LIMIT, "the entry is gone", || entries().is_empty().then_some(()));
}

#[test]
fn a_dark_desktop_has_dark_windows_that_can_be_read() {
    if !need_all(&[&["git", "WebKitWebDriver"], Desktop::NEEDS].concat()) {
        return;
    }
    let computer = Computer::dark();
    let sandbox = computer.desktop.sandbox();
    let point = Point::make(sandbox);
    let window = Window::open(&computer);
    let dark = "return String(matchMedia('(prefers-color-scheme: dark)').matches)";
    assert_eq!(window.script(dark), "true", "the window follows the desktop");
    window.shows("h1", "Keep a folder");
    assert_eq!(window.hard_to_read(), Vec::<String>::new(), "the first run");
    window.photograph("dark-first-run");

    // Something in every view: two places, one of them away, and a question.
    computer.tell(&["add"], &["--description", "desktop"]);
    computer.tell(&["remote", "add"], &["names", &point.names]);
    computer.tell(&["remote", "add"], &["store", "type=directory", &point.directory(), "encryption=none"]);
    for number in 0..60 {
        computer.write(&format!("2026/{number}.txt"), number.to_string().as_bytes());
    }
    computer.settles();
    fs::rename(&point.store, point.store.with_extension("away")).expect("a folder can be renamed");
    fs::rename(computer.folder().join("2026"), sandbox.join("dragged away")).expect("a folder can be moved");
    computer.write("new.txt", b"new");
    window.shows("nav", "Problems\n2");
    window.look_at_each_view("dark");

    // The question over it, also where there is no room.
    window.press_with_control('5');
    window.tab_to("Review deletions…");
    window.press(&ENTER.to_string());
    window.shows("dialog", "60 files were deleted");
    window.shows("dialog", "2026/0.txt");
    assert_eq!(window.hard_to_read(), Vec::<String>::new(), "the question");
    window.photograph("dark-question");
}

#[test]
fn the_buttons_of_notifications_do_what_they_say() {
    if !need_all(Desktop::NEEDS) {
        return;
    }
    let mut computer = Computer::new();
    // Stands in for the file manager: notes what it is to open.
    let opened = computer.desktop.sandbox().join("opened");
    computer.desktop.add_program("xdg-open", &format!("printf %s \"$1\" > '{}'", opened.display()));
    let item = computer.start_hidden();
    let point = Point::make(computer.desktop.sandbox());
    computer.tell(&["add"], &["--description", "desktop"]);
    computer.tell(&["remote", "add"], &["point", &point.names, "--contents"]);
    for number in 0..60 {
        computer.write(&format!("2026/{number}.txt"), number.to_string().as_bytes());
    }
    computer.settles();

    let done = computer.is_notified(0, |note| note.summary == "Papers is complete");
    assert_eq!(done.actions.last().map(String::as_str), Some("Open folder"));
    computer.desktop.choose_notification();
    let folder = eventually(LIMIT, "the folder is opened", || {
        fs::read_to_string(&opened).ok().filter(|text| !text.is_empty())
    });
    assert_eq!(folder, computer.folder().to_str().expect("UTF-8"));

    computer.desktop.close_notifications();
    let so_far = computer.desktop.notifications().len();
    fs::rename(computer.folder().join("2026"), computer.desktop.sandbox().join("dragged away"))
        .expect("a folder can be moved");
    let asked = computer.is_notified(so_far, |note| note.hints["category"]["data"] == "transfer.error");
    assert!(
        asked.summary.contains("60") && !asked.body.contains("trib"),
        "words for who has a window: {asked:#?}"
    );
    assert_eq!(asked.actions.last().map(String::as_str), Some("Show"));
    computer.desktop.choose_notification();
    computer.desktop.await_window("Tributary", LIMIT);
    computer.photograph("notification-shows-window");

    computer.desktop.tray_click(&item, &["Quit"]);
    computer.has_ended();
}
