//! Showing: a reply as sentences for people, or as one JSON value.

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};
use tributary_status::{
    Event, FolderStatus, LoginReport, NumberedEvent, PlaceKind, Reply, Snapshot, StepOutcome,
};

use crate::{git_helper, pairing};

/// Shows a reply; the exit code says whether it was done.
pub(crate) fn reply(reply: &Reply, as_json: bool) -> ExitCode {
    let done = match reply {
        Reply::Failed { .. } => false,
        Reply::Login { report } => report.done,
        Reply::Doctor { complete, .. } => *complete,
        _ => true,
    };
    if as_json {
        print(&value(reply).to_string());
    } else if let Reply::Failed { failure } = reply {
        complain(&failure.sentence, &failure.hint);
    } else {
        print(text(reply).trim_end());
    }
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Shows an event as a line.
pub(crate) fn event(event: &NumberedEvent, as_json: bool) {
    if as_json {
        print(&serde_json::to_string(event).expect("plain data"));
    } else if let Some(line) = event_text(&event.event) {
        print(&line);
    }
}

/// A pipe that is closed ends the program's interest, not the program.
fn print(text: &str) {
    writeln!(std::io::stdout(), "{text}").ok();
}

fn complain(sentence: &str, hint: &str) {
    writeln!(std::io::stderr(), "trib: {sentence}\n{hint}").ok();
}

/// The JSON of a reply: the snapshot itself for a status, else the reply's fields with `ok`.
fn value(reply: &Reply) -> Value {
    let fields = |reply: &Reply| serde_json::to_value(reply).expect("plain data");
    match reply {
        Reply::Status { snapshot } => serde_json::to_value(snapshot).expect("plain data"),
        Reply::Done { sentence } => json!({ "ok": true, "sentence": sentence }),
        Reply::Failed { failure } => json!({
            "ok": false, "code": failure.code, "sentence": failure.sentence, "hint": failure.hint
        }),
        Reply::Remotes { remotes } => json!(remotes),
        Reply::Login { report } => json!(report),
        Reply::Held { held } => json!(held),
        Reply::Invited { invitation } => json!(invitation),
        Reply::Offered { offer } => json!(offer),
        other => {
            let mut value = fields(other);
            if let Some(object) = value.as_object_mut() {
                object.remove("type");
            }
            value
        }
    }
}

fn text(reply: &Reply) -> String {
    match reply {
        Reply::Done { sentence } => sentence.clone(),
        Reply::Failed { failure } => failure.sentence.clone(),
        Reply::Status { snapshot } => status(snapshot),
        Reply::Remotes { remotes } if remotes.is_empty() => "No places yet.".into(),
        Reply::Remotes { remotes } => remotes
            .iter()
            .map(|remote| {
                let waits = if remote.confirmed { "" } else { ", not enabled here" };
                let contents = if remote.contents { "" } else { ", names only" };
                format!("{}  {}  {}{contents}{waits}\n", remote.name, remote.kind, remote.url)
            })
            .collect(),
        Reply::Login { report } => login(report),
        Reply::Whereis { file, key: None, .. } => format!("{file} is in the folder's history itself."),
        Reply::Whereis { file, places, .. } if places.is_empty() => {
            format!("Nobody is on record to have {file}.")
        }
        Reply::Whereis { file, places, .. } => {
            let names: Vec<_> = places
                .iter()
                .map(|place| if place.here { "this computer".into() } else { place.description.clone() })
                .collect();
            format!("{file} is at {}.", names.join(", "))
        }
        Reply::Held { held } if held.count == 0 => "No deletions are held.".into(),
        Reply::Held { held } => {
            let mut text = format!("{}\n", held.reason);
            for file in &held.files {
                text += &format!("  {file}\n");
            }
            let left = held.count - held.files.len() as u64;
            if left > 0 {
                text += &format!("  and {left} more\n");
            }
            text + "Say --restore to put them back, or --delete to delete them everywhere."
        }
        Reply::Invited { invitation } => pairing::invitation(invitation),
        Reply::Offered { offer } => format!("{} offers {}.", offer.from.name, offer.name),
        Reply::Peers { peers, pairings } => {
            let hint = if peers.is_empty() { None } else { git_helper::hint() };
            pairing::peers(peers, pairings) + &hint.unwrap_or_default()
        }
        Reply::Doctor { lines, .. } => lines.join("\n"),
    }
}

fn status(snapshot: &Snapshot) -> String {
    // One folder says the same as the whole.
    let mut text = match snapshot.folders.as_slice() {
        [only] if only.sentence == snapshot.sentence => String::new(),
        _ => format!("{}\n", snapshot.sentence),
    };
    for folder in &snapshot.folders {
        text += &folder_text(folder);
    }
    if let Some(account) = &snapshot.account {
        text += &format!("account {}: {}\n", account.jid, account.sentence);
    }
    for problem in &snapshot.problems {
        text += &format!("! {} {}\n", problem.sentence, problem.hint);
    }
    text
}

fn folder_text(folder: &FolderStatus) -> String {
    let mut text = format!("{}: {}\n", folder.path, folder.sentence);
    for place in &folder.places {
        let kind = match place.kind {
            PlaceKind::Git => "names only",
            PlaceKind::GitWithContents | PlaceKind::Storage => "place",
            PlaceKind::Computer => "computer",
        };
        let away =
            if place.reachable || place.kind == PlaceKind::Computer { "" } else { ", does not answer" };
        text += &match place.wants {
            0 => format!("  {} ({kind}{away})\n", place.name),
            wants => format!("  {} ({kind}{away}): {} of {wants} files\n", place.name, place.has),
        };
    }
    for transfer in &folder.transfers {
        let total = transfer.bytes_total.map_or_else(String::new, |total| format!(" of {total}"));
        text += &format!("  {} {}: {}{total} bytes\n", transfer.place, transfer.file, transfer.bytes_done);
    }
    for problem in &folder.problems {
        text += &format!("  ! {} {}\n", problem.sentence, problem.hint);
    }
    text
}

fn login(report: &LoginReport) -> String {
    let mut text = String::new();
    for step in &report.steps {
        let mark = match step.outcome {
            StepOutcome::Held => "ok",
            StepOutcome::Failed => "FAILED",
            StepOutcome::NotTried => "not tried",
        };
        text += &format!("{}: {mark}\n", step.label);
    }
    text += &report.sentence;
    if !report.hint.is_empty() {
        text += &format!("\n{}", report.hint);
    }
    if let Some(fingerprint) = &report.fingerprint {
        text += &format!("\nThe certificate's SHA-256 is {fingerprint}; `--pin` trusts exactly that one.");
    }
    text
}

/// Events that a person at a terminal wants to see.
fn event_text(event: &Event) -> Option<String> {
    Some(match event {
        Event::StateChanged { sentence, .. } => sentence.clone(),
        Event::CommitMade { folder, changes } => format!("{folder}: {changes} changes kept"),
        Event::ChangesArrived { folder, from, files } if from.is_empty() => {
            format!("{folder}: {files} files arrived")
        }
        Event::ChangesArrived { folder, from, files } => {
            format!("{folder}: {files} files arrived from {}", from.join(", "))
        }
        Event::PushFinished { folder, place } => format!("{folder}: pushed to {place}"),
        Event::ConflictKept { folder, file, variants } => {
            format!("{folder}: {file} was changed on both sides; kept as {}", variants.join(", "))
        }
        Event::PeerJoined { folder, name, account } => format!("{folder}: {name} ({account}) joined"),
        Event::ProblemRaised { problem, .. } => format!("! {} {}", problem.sentence, problem.hint),
        Event::ProblemCleared { problem, .. } => format!("solved: {}", problem.sentence),
        _ => return None,
    })
}
