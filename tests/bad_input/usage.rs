//! The command line as people use it wrongly: exit code 1 with what happened and what to do, 2 for wrong usage, and with
//! `--json` nothing but one value.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tributary_testkit::{Sandbox, free_port};

use crate::member::{Member, bare, text};

/// Runs a command that must fail, and gives its sentence and hint.
#[track_caller]
fn refusal(member: &Member, args: &[&str]) -> (String, String) {
    let said = member.node.trib(args);
    assert_eq!(said.code(), Some(1), "{said}");
    assert_eq!(said.stdout(), "", "a failure is no result: {said}");
    let text = said.stderr();
    let (sentence, hint) = text.trim_end().split_once('\n').unwrap_or_else(|| panic!("no hint: {said}"));
    let sentence = sentence.strip_prefix("trib: ").unwrap_or_else(|| panic!("whose words? {said}"));

    let said = member.node.trib(args.iter().chain(&["--json"]));
    assert_eq!((said.code(), said.stderr().as_str()), (Some(1), ""), "{said}");
    let value: Value = serde_json::from_slice(said.stdout_bytes()).expect("one JSON value");
    assert_eq!(
        (value["ok"].as_bool(), value["sentence"].as_str()),
        (Some(false), Some(sentence)),
        "{value:#}"
    );
    assert_eq!(value["hint"].as_str(), Some(hint), "{value:#}");
    (sentence.to_owned(), hint.to_owned())
}

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    let sandbox = Sandbox::new();
    let member = Member::start(&sandbox, "a");
    member.add();
    let dir = member.path();
    for args in [
        &["frobnicate"][..],
        &["add"],
        &["wait", dir, "--timeout", "soon"],
        &["wait", dir, "--timeout", "-1"],
        &["pause", dir, "--for", "3x"],
        &["pause", dir, "--for", "0"],
        &["held", dir, "--restore", "--delete"],
        &["remote", "add", dir, "two", "/one/url", "/another/url"],
        &["remote", "add", dir, "both", "type=directory", "encryption=none", "--contents"],
        &["xmpp", "login", "ann@example.org"],
    ] {
        let said = member.node.trib(args);
        assert_eq!(said.code(), Some(2), "{args:?}: {said}");
        assert!(said.stderr().starts_with("error: "), "{args:?}: {said}");
        assert_eq!(said.stdout(), "", "{args:?}: {said}");
    }
}

#[test]
fn what_cannot_be_done_is_said_with_its_remedy() {
    let sandbox = Sandbox::new();
    let (store, empty) = (sandbox.dir("store"), bare(&sandbox, "empty.git"));
    let member = Member::start(&sandbox, "a");
    member.add().store(&store).write("file", "1").wait();
    let dir = member.path();
    let in_store = format!("directory={}", text(&store));
    let nowhere = format!("directory={}", text(&sandbox.join("not mounted")));
    let closed = format!("ssh://127.0.0.1:{}/hub.git", free_port());
    let plain = sandbox.join("plain");
    fs::write(&plain, "no folder").expect("write");
    let file = member.dir.join("no such file");
    let clone = sandbox.join("clone");
    let cases: &[(&[&str], &str, &str)] = &[
        (&["add", text(&plain)], "is not a folder", "Name a folder"),
        (&["status", text(&plain)], "is not a synced folder", "trib add"),
        (&["remote", "add", dir, "usb", "type=directory", "encryption=none"], "Where usb is", "directory="),
        (
            &["remote", "add", dir, "usb", "type=directory", "encryption=none", &nowhere],
            "not mounted is missing",
            "mount it",
        ),
        (
            &["remote", "add", dir, "usb", "type=directory", "encryption=none", &in_store],
            "belongs to another place",
            "its own name",
        ),
        (&["remote", "add", dir, "usb", "type=directory", &in_store], "encryption", "encryption=none"),
        (&["remote", "add", dir, "hub", &closed], "hub could not be added", "address"),
        (&["remote", "add", dir, "a b", &closed], "cannot be the name", "letters"),
        (&["remote", "remove", dir, "usb"], "no place usb", "trib remote list"),
        (&["remote", "confirm", dir, "usb"], "no place usb", "trib remote list"),
        (&["whereis", text(&file)], "not known", "Check the name"),
        (&["get", text(&file)], "not known", "Check the name"),
        (&["drop", text(&file)], "not known", "Check the name"),
        (&["clone", text(&empty), text(&clone)], "holds no folder yet", "trib add"),
        (&["clone", text(&plain), text(&clone)], "could not be cloned", "address"),
        (&["xmpp", "logout"], "no account", "nothing to do"),
        (
            &["xmpp", "login", "ann@example.org", "--password-command", "echo x", "--server", "no port"],
            "HOST:PORT",
            "HOST:PORT",
        ),
        (
            &["xmpp", "login", "ann@example.org", "--password-command", "exit 3"],
            "The password command failed",
            "Nothing",
        ),
    ];
    for (args, sentence, hint) in cases {
        let (said, to_do) = refusal(&member, args);
        assert!(said.contains(sentence), "{args:?}: {said:?}");
        assert!(to_do.contains(hint), "{args:?}: {to_do:?}");
        assert!(said.ends_with('.') && !said.starts_with(char::is_whitespace), "a sentence: {said:?}");
    }
    assert!(!clone.exists(), "a clone that failed leaves nothing");
    let config = member.git(&["config", "--list"]);
    assert!(!config.contains("remote.usb") && !config.contains("remote.hub"), "nothing is kept: {config}");
    member.wait();
}

#[test]
fn a_status_is_never_older_than_what_was_done_before() {
    let sandbox = Sandbox::new();
    let store = sandbox.dir("store");
    let member = Member::start(&sandbox, "a");
    member.add().store(&store).write("one", "1").write("two", "2").wait();
    for _ in 0..5 {
        member.run(["pause", member.path()]);
        assert_eq!(member.status()["state"], "paused");
        member.run(["resume", member.path()]);
        assert_ne!(member.status()["state"], "paused");
    }
    let one = member.dir.join("one");
    member.run(["drop", text(&one)]);
    assert_eq!(member.status()["onlyElsewhere"], 1);
    member.wait();
    let sentence = member.status()["sentence"].as_str().unwrap_or_default().to_owned();
    assert!(sentence.starts_with("1 of 2 files here"), "what is not here is not said to be: {sentence}");
}

#[test]
fn a_folder_whose_own_path_is_not_utf8_is_a_folder_like_others() {
    let sandbox = Sandbox::new();
    let hub = bare(&sandbox, "hub.git");
    let odd = |name: &[u8]| sandbox.join("odd").join(OsStr::from_bytes(name));
    let mut member = Member::start(&sandbox, "a");
    member.dir = odd(b"Fotos \xe4lt");
    let trib = |args: &[&OsStr]| member.run(args.iter().copied());
    trib(&["add".as_ref(), member.dir.as_ref()]);
    trib(&[
        "remote".as_ref(),
        "add".as_ref(),
        member.dir.as_ref(),
        "hub".as_ref(),
        hub.as_ref(),
        "--contents".as_ref(),
    ]);
    fs::write(member.dir.join("one"), "1").unwrap();
    member.wait();
    let folder = member.status();
    assert_eq!(
        (folder["files"].as_u64(), folder["state"].as_str()),
        (Some(1), Some("upToDate")),
        "{folder:#}"
    );
    let coded = STANDARD.encode(member.dir.as_os_str().as_bytes());
    assert_eq!(folder["pathBase64"].as_str(), Some(&*coded), "{folder:#}");

    let copy = odd(b"copy \xff");
    trib(&["clone".as_ref(), hub.as_ref(), copy.as_ref()]);
    member.node.wait(&copy, crate::member::LIMIT);
    assert_eq!(fs::read(copy.join("one")).unwrap(), b"1");
    trib(&["remove".as_ref(), copy.as_ref()]);
    let left = member.node.json(["status"]);
    assert_eq!(left["folders"].as_array().map(Vec::len), Some(1), "{left:#}");
}
