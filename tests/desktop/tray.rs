//! The tray in each of its five states, what it can be told, and what is notified.

use std::ffi::OsStr;
use std::fs;

use tributary_testkit::{Desktop, TrayItem, TrayMenuEntry, eventually, need_all, snapshot, within};

use crate::shell::{Computer, LIMIT, Other, Point};

/// What the second entry of the menu says is taken from the engine's sentence.
const SENTENCE: usize = 1;
/// So large that it is on its way for a moment wherever it goes, and that no copy of it is free.
const LARGE: usize = 256 << 20;

/// What is made anew of it; the rest repeats with a number.
const PIECE: usize = 1 << 20;

/// Waits until the tray shows a state, and gives the menu that goes with it.
#[track_caller]
fn shows(computer: &Computer, item: &TrayItem, state: &str, sentence: &str) -> Vec<TrayMenuEntry> {
    let wanted = format!("Tributary: {state}");
    let desktop = &computer.desktop;
    let menu = within(LIMIT, || {
        let before = desktop.tray_properties(item)["Title"]["data"] == *wanted;
        let menu = desktop.tray_menu(item);
        (before && menu[SENTENCE].label.contains(sentence)).then_some(menu)
    });
    let menu = menu.unwrap_or_else(|| {
        let said = desktop.tray_properties(item)["Title"]["data"].clone();
        let menu: Vec<_> = desktop.tray_menu(item).into_iter().map(|entry| entry.label).collect();
        panic!("the tray does not come to say {wanted:?}, {sentence:?}, but {said} with the menu {menu:#?}")
    });
    assert!(!menu[SENTENCE].enabled, "the sentence is to be read, not chosen");
    menu
}

/// Whether an entry can be seen and chosen.
fn offers(menu: &[TrayMenuEntry], label: &str) -> bool {
    menu.iter().any(|entry| entry.label == label && entry.visible && entry.enabled)
}

#[test]
fn five_states_and_what_needs_a_person() {
    if !need_all(&[&["git", "git-annex"], Desktop::NEEDS].concat()) {
        return;
    }
    let mut computer = Computer::new();
    let point = Point::make(computer.desktop.sandbox());
    let other = Other::start();
    other.tell(&["add"], &["--description", "laptop"]);
    other.tell(&["remote", "add"], &["names", &point.names]);
    other.tell(&["remote", "add"], &["store", "type=directory", &point.directory(), "encryption=none"]);
    for name in ["2026/one", "2026/two", "2026/three"] {
        other.write(name, name.as_bytes());
    }

    // Nothing is set up: nothing to pause, nothing to look at.
    let item = computer.start_hidden();
    let menu = shows(&computer, &item, "Up to date", "");
    assert!(!offers(&menu, "Sync now") && !offers(&menu, "Pause"), "there is no folder: {menu:#?}");
    assert!(offers(&menu, "Open Tributary") && offers(&menu, "Quit"));

    // The folder of the other computer comes here.
    let folder = computer.folder();
    computer.trib([OsStr::new("clone"), OsStr::new(&point.names), folder.as_os_str()]);
    computer.tell(&["remote", "add"], &["store", "type=directory", &point.directory()]);
    computer.settles();
    let first = computer.is_notified(0, |note| note.summary == "Papers is complete");
    assert_eq!(first.body, "All 3 files are in their places.");
    assert_eq!(first.app, "Tributary");
    let menu = shows(&computer, &item, "Up to date", "All 3 files are here and at store");
    assert!(menu.iter().any(|entry| entry.visible && entry.label.starts_with("Papers: All 3 files")));
    assert!(offers(&menu, "Sync now") && offers(&menu, "Pause") && !offers(&menu, "Resume"));
    computer.photograph("tray-up-to-date");

    // Paused from the tray: what is saved now rests.
    computer.desktop.tray_click(&item, &["Pause", "Until I resume"]);
    let menu = shows(&computer, &item, "Paused", "Paused until you resume");
    assert!(offers(&menu, "Resume") && !offers(&menu, "Pause"));
    computer.photograph("tray-paused");
    computer.write("2026/large", &noise(LARGE));
    computer.desktop.tray_click(&item, &["Resume"]);

    // Working: the large file is on its way, and then it is there.
    let menu = shows(&computer, &item, "Working", "");
    assert!(offers(&menu, "Pause") && !offers(&menu, "Resume"));
    computer.photograph("tray-working");
    shows(&computer, &item, "Up to date", "All 4 files are here and at store");

    // Waiting: the place of the contents is away, as a drive that was unplugged.
    let away = point.store.with_extension("away");
    fs::rename(&point.store, &away).expect("a folder can be renamed");
    computer.write("2026/four", b"four");
    shows(&computer, &item, "Waiting", "store");
    computer.photograph("tray-waiting");
    fs::rename(&away, &point.store).expect("a folder can be renamed");
    shows(&computer, &item, "Up to date", "All 5 files are here and at store");

    // Others' changes: one bubble for the folder, replaced, with a count.
    other.tell(&["sync"], &[]);
    other.node.wait(&other.folder, LIMIT);
    let so_far = computer.desktop.notifications().len();
    other.write("2026/from afar", b"1");
    computer.desktop.tray_click(&item, &["Sync now"]);
    let one = computer.is_notified(so_far, |note| note.summary == "Papers");
    assert_eq!(one.body, "laptop changed 1 file", "who and how much");
    other.write("2026/from afar", b"2");
    computer.desktop.tray_click(&item, &["Sync now"]);
    let two = computer.is_notified(so_far + 1, |note| note.summary == "Papers");
    assert_eq!(two.body, "laptop changed 2 files");
    assert_ne!(two.replaces, 0, "it takes the place of the first");
    eventually(LIMIT, "the daemon shows it", || (computer.desktop.notifications_shown() > 0).then_some(()));
    computer.photograph("notification-changes");

    // Needs you: everything is gone at once, as when a person drags it away.
    let so_far = computer.desktop.notifications().len();
    let before = snapshot(&folder);
    fs::rename(folder.join("2026"), computer.desktop.sandbox().join("dragged away"))
        .expect("a folder can be moved");
    let menu = shows(&computer, &item, "Needs you", "");
    assert!(offers(&menu, "Problems (1)"), "{menu:#?}");
    let asked = computer.is_notified(so_far, |note| note.hints["category"]["data"] == "transfer.error");
    assert!(asked.summary.contains('6'), "it says how many: {asked:#?}");
    computer.photograph("tray-needs-you");
    computer.tell(&["held"], &["--restore"]);
    shows(&computer, &item, "Up to date", "All 6 files are here");
    assert!(snapshot(&folder) == before, "everything is back");

    // Quit ends it, with nothing left behind in the tray.
    computer.desktop.tray_click(&item, &["Quit"]);
    computer.has_ended();
    eventually(LIMIT, "the tray is empty", || computer.desktop.tray_items().is_empty().then_some(()));
}

/// Bytes that nothing can make smaller, in a hurry: a test is not optimised.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let mut piece: Vec<u8> = words.take(PIECE / 8).flatten().collect();
    let mut bytes = Vec::with_capacity(len);
    for number in 0..(len / PIECE) as u64 {
        piece[..8].copy_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(&piece);
    }
    bytes
}
