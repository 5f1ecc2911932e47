//! The other computer runs git-annex's own assistant.
//!
//! Only the newest release: the assistant of Debian's can add a pointer as if it were content. And the newest leaves
//! unlocked files as pointers although their contents are there, until something else fills them: `git annex fsck` does
//! that here. It looks at a transfer point when it starts, and not by itself after that. And it never downloads a content
//! whose key ends in letters beyond ASCII, which `git annex get` does.

use std::time::Duration;

use tributary_testkit::{OddName, Process, Snapshot, newest_annex, snapshot, try_snapshot, within};

use crate::changes::change;
use crate::company::{Company, write};
use crate::scene::LIMIT;

/// Files that each side adds.
const FILES: usize = 20;
/// How long the assistant may take to end.
const STOP: Duration = Duration::from_secs(30);

#[test]
fn the_assistant_of_git_annex() {
    let Some(version) = newest_annex() else { return };
    let Some(company) = Company::set(&version) else { return };
    let Company { a, b, .. } = &company;

    company.files(41, FILES).without(OddName::Utf8).write(&a.folder.join("of A"));
    a.wait();
    let mut assistant = start(&company);
    comes_to_b(&company, &snapshot(&a.folder), "what A wrote");

    let of_b = company.files(42, FILES).without(OddName::Utf8).write(&b.join("of B"));
    let all = comes_to_a(&company, &mut assistant, "what B wrote");
    assert_eq!(all.iter().filter(|(path, _)| path.starts_with(b"of B/")).count(), of_b.len());

    // Not which files are executable: the assistant does not see that.
    change(b, "B");
    comes_to_a(&company, &mut assistant, "what B changed");
    stop(&mut assistant);
    change(&a.folder, "A");
    a.wait();
    let mut assistant = start(&company);
    comes_to_b(&company, &snapshot(&a.folder), "what A changed");

    // Both change one file before either hears of the other.
    write(&a.folder, "both.txt", "before");
    a.wait();
    stop(&mut assistant);
    company.converge("both have the file");
    write(b, "both.txt", "by B");
    write(&a.folder, "both.txt", "by A");
    a.wait();
    let mut assistant = start(&company);
    let resolved = within(LIMIT, || {
        let ours = try_snapshot(&a.folder).ok()?;
        let variants = ours.keys().filter(|path| path.starts_with(b"both.variant-")).count();
        (variants == 2 && !ours.contains_key(&b"both.txt"[..])).then_some(ours)
    });
    let Some(both) = resolved else { company.differ("A has both versions") };
    // Where A was the first to see the conflict, the assistant does not take in what came of it (nor does it after a new
    // start), and filled files wait for git to look at them again: a sync does both.
    stop(&mut assistant);
    assert!(
        company.converge("both have both versions") == both,
        "under the same names, and nothing else changed"
    );
    company.judge(both.len());
}

/// Starts the assistant, which fetches then.
#[track_caller]
fn start(company: &Company) -> Process {
    let mut command = company.annex.sandbox().command("git-annex");
    command.current_dir(&company.b).args(["assistant", "--foreground"]);
    Process::spawn("git-annex assistant", command, &company.annex.sandbox().join("assistant.log"))
}

/// Ends the assistant, as at the end of a session.
#[track_caller]
fn stop(assistant: &mut Process) {
    assert!(assistant.stop(STOP).is_some(), "the assistant ends when it is told to");
}

/// Fills the files that the assistant left as pointers. What is not here yet makes it fail, and is looked for again.
fn fill(company: &Company) {
    company.annex.try_annex(&company.b, ["fsck", "--quiet"]);
}

#[track_caller]
fn comes_to_b(company: &Company, expected: &Snapshot, what: &str) {
    let came = within(LIMIT, || {
        fill(company);
        (try_snapshot(&company.b).ok()? == *expected).then_some(())
    });
    if came.is_none() {
        company.differ(what);
    }
}

/// Waits, asking nobody to look, until A holds what B does. The assistant leaves a content behind now and then, until it
/// is started again.
#[track_caller]
fn comes_to_a(company: &Company, assistant: &mut Process, what: &str) -> Snapshot {
    const STARTS: usize = 3;
    let expected = snapshot(&company.b);
    for round in 1..=STARTS {
        if within(LIMIT / 2, || (try_snapshot(&company.a.folder).ok()? == expected).then_some(())).is_some() {
            return expected;
        }
        if round < STARTS {
            eprintln!("{what} has not come in full: the assistant is started again");
            stop(assistant);
            *assistant = start(company);
        }
    }
    company.differ(what)
}
