//! Joining that comes to nothing, in the window: each time it is said why, and the next try can begin.

use tributary_testkit::xmpp_servers::Prosody;
use tributary_testkit::{Desktop, eventually, need_all};

use crate::pairing_steps::open_join_dialog;
use crate::shell::{Computer, LIMIT, Other};
use crate::web_driver::{ENTER, Window};

const ANN: (&str, &str) = ("ann", "correct-horse-12");
const BEN: (&str, &str) = ("ben", "battery-staple-12");

#[test]
fn an_inviter_who_is_gone_a_wait_that_is_given_up_and_an_account_that_is_off() {
    if !need_all(&[&["git", "WebKitWebDriver"], Desktop::NEEDS, Prosody::NEEDS].concat()) {
        return;
    }
    let ben = Computer::new();
    let prosody = Prosody::start("gone.example", &[ANN, BEN]);
    let mut ann = Other::start();
    ann.tell(&["add"], &["--description", "laptop"]);
    ann.log_in(&prosody, ANN.0, ANN.1);
    let window = Window::open(&ben);
    let notes = ben.desktop.sandbox().join("home/Notes");
    ben.trib(["add", notes.to_str().expect("UTF-8")]);
    ben.log_in(&prosody, BEN.0, BEN.1);

    eventually(LIMIT, "the inviter is online", || {
        (ann.node.json(["status"])["account"]["state"] == "online").then_some(())
    });
    let folder = ann.folder.to_str().expect("UTF-8").to_owned();
    let invite = |how: &[&str]| {
        let said = ann.node.json(["invite", &folder].iter().chain(how));
        said["link"].as_str().expect("it has a link").to_owned()
    };

    // She is asked, and he does not wait for her answer.
    let link = invite(&[]);
    open_join_dialog(&window);
    window.press(&format!("{link}{ENTER}"));
    let asked = || {
        let status = ann.node.json(["status"]);
        let problems = status["problems"].as_array().expect("problems are listed");
        problems.iter().any(|problem| problem["code"] == "peerAsks")
    };
    eventually(LIMIT, "she is asked", || asked().then_some(()));
    window.shows("dialog", "has to say yes there");
    window.look_at("joining-waits");
    cancel(&ben, &window);
    eventually(LIMIT, "she is asked no more", || (!asked()).then_some(()));

    // She vanishes while he looks at what she offers.
    let link = invite(&["--accept"]);
    open_join_dialog(&window);
    window.press(&format!("{link}{ENTER}"));
    window.shows("dialog", "shares Papers");
    ann.node.stop();
    window.shows("dialog [role=alert]", "does not wait any more");
    window.look_at("joining-vanished");
    // The link is still in its field: the same again, now that nobody is there.
    window.tab_to("Continue");
    window.press(&ENTER.to_string());
    window.shows("dialog [role=alert]", "Let Tributary run there");

    // His account goes off: that is what is said, and not that she is away.
    drop(prosody);
    window.shows("nav .account", "Connecting");
    window.tab_to("Continue");
    window.press(&ENTER.to_string());
    window.shows("dialog [role=alert]", "Your account is not connected.");
    window.look_at("joining-offline");
    cancel(&ben, &window);
    assert_eq!(ben.status()["folders"].as_array().map(Vec::len), Some(1), "nothing was set up");
}

/// Gives it up; nothing is left of it.
#[track_caller]
fn cancel(computer: &Computer, window: &Window) {
    window.tab_to("Cancel");
    window.press(&ENTER.to_string());
    let none = "return String(document.querySelector('dialog') === null)";
    eventually(LIMIT, "the dialog is closed", || (window.script(none) == "true").then_some(()));
    eventually(LIMIT, "nothing is under way", || {
        computer.status()["pairings"].as_array().is_some_and(Vec::is_empty).then_some(())
    });
}
