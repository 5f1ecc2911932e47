//! Which notifications there should be: decided from events and snapshots alone, without a bus.
//!
//! Few: a first sync complete, others' changes (one bubble per folder, with a count that grows while it is on the
//! screen), conflicts, and what needs a person, once until it is gone.

use std::collections::{BTreeMap, BTreeSet};

use tributary_status::{Event, NotificationSettings, Problem, ProblemCode, Snapshot};

use crate::tray::folder_name;
use crate::wish::{View, Wish};

/// Urgency of the specification: never critical for sync.
const LOW: u8 = 0;
const NORMAL: u8 = 1;
/// More problems than this at once are one bubble.
const MOST_AT_ONCE: usize = 3;

/// A bubble to show, in place of the one with the same key.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// Which bubble it is.
    pub key: String,
    /// Its first line.
    pub summary: String,
    /// What stands below, plain text.
    pub body: String,
    /// The specification's category.
    pub category: &'static str,
    /// 0 low, 1 normal.
    pub urgency: u8,
    /// Whether it stays until it is answered or withdrawn.
    pub stays: bool,
    /// Its buttons: a click on the bubble itself does what the first does. At most three.
    pub buttons: Vec<Button>,
}

/// A button of a bubble.
#[derive(Debug, Clone, PartialEq)]
pub struct Button {
    /// What it says.
    pub label: &'static str,
    /// What it does.
    pub wish: Wish,
}

/// A change of what is on the screen.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Show this.
    Show(Note),
    /// This is no longer true.
    Withdraw(String),
}

/// What has been said, and what is still to be said.
#[derive(Debug, Default)]
pub struct Bubbles {
    /// Others' changes since the folder's bubble came up.
    arrived: BTreeMap<String, Arrived>,
    /// Conflicts since the folder's bubble came up.
    conflicts: BTreeMap<String, u64>,
    /// What needs a person, as far as it has been said.
    needs: BTreeSet<Need>,
    /// Changes that wait for the next moment to show, the newest for each key.
    due: BTreeMap<String, Change>,
}

#[derive(Debug, Default)]
struct Arrived {
    files: u64,
    from: Vec<String>,
}

/// What makes it the same problem: folder, code, subject.
type Need = (Option<String>, ProblemCode, String);

impl Bubbles {
    /// Takes an event.
    pub fn hear(&mut self, event: &Event, wanted: &NotificationSettings) {
        match event {
            Event::FirstSyncDone { folder, files } if wanted.first_sync => {
                // In place of what was said of the first sync's files on their way: they are no news any more.
                self.arrived.remove(folder);
                self.say(folder_note(
                    arrived_key(folder),
                    folder,
                    format!("{} is complete", folder_name(folder)),
                    format!("All {} are in their places.", count(*files, "file")),
                ));
            }
            Event::ChangesArrived { folder, from, files } if wanted.changes_arrived && *files > 0 => {
                let arrived = self.arrived.entry(folder.clone()).or_default();
                arrived.files += files;
                for name in from {
                    if !arrived.from.contains(name) {
                        arrived.from.push(name.clone());
                    }
                }
                let who = join(&arrived.from);
                let what = format!("{who} changed {}", count(arrived.files, "file"));
                self.say(folder_note(arrived_key(folder), folder, folder_name(folder).into(), what));
            }
            Event::ConflictKept { folder, file, variants } if wanted.conflicts => {
                let conflicts = self.conflicts.entry(folder.clone()).or_default();
                *conflicts += 1;
                let body = if *conflicts == 1 {
                    format!("Both versions are kept: {}.", variants.join(", "))
                } else {
                    "Both versions of each are kept.".into()
                };
                let summary = if *conflicts == 1 {
                    format!("{file} was changed on two sides")
                } else {
                    format!(
                        "{} were changed on two sides in {}",
                        count(*conflicts, "file"),
                        folder_name(folder)
                    )
                };
                self.say(folder_note(conflict_key(folder), folder, summary, body));
            }
            Event::PeerJoined { folder, name, account } if wanted.needs_you => self.say(Note {
                key: format!("joined {folder} {account} {name}"),
                summary: format!("{name} joined {}", folder_name(folder)),
                body: format!("It is a computer of {account}. You can remove it at any time."),
                category: "device.added",
                urgency: NORMAL,
                stays: false,
                buttons: vec![show(View::Places)],
            }),
            Event::FolderRemoved { folder } => {
                for key in [arrived_key(folder), conflict_key(folder)] {
                    self.closed(&key);
                    self.withdraw(key);
                }
            }
            _ => {}
        }
    }

    /// Takes a snapshot: what needs a person is read from it and not from events, so that none is missed in a gap.
    pub fn look(&mut self, snapshot: &Snapshot) {
        let mut now = BTreeMap::new();
        let everywhere = snapshot.problems.iter().map(|problem| (None, problem));
        let in_folders = snapshot
            .folders
            .iter()
            .flat_map(|folder| folder.problems.iter().map(move |p| (Some(&folder.path), p)));
        for (folder, problem) in everywhere.chain(in_folders).filter(|(_, problem)| problem.needs_you) {
            now.insert((folder.cloned(), problem.code, problem.subject.clone()), problem);
        }
        let gone: Vec<Need> = self.needs.iter().filter(|need| !now.contains_key(*need)).cloned().collect();
        for need in gone {
            self.needs.remove(&need);
            self.withdraw(need_key(&need));
        }
        let new: Vec<_> = now.into_iter().filter(|(need, _)| !self.needs.contains(need)).collect();
        if snapshot.settings.notifications.needs_you {
            if new.len() > MOST_AT_ONCE {
                self.say(Note {
                    key: "needs".into(),
                    summary: format!("{} need you", count(new.len() as u64, "thing")),
                    body: snapshot.sentence.clone(),
                    category: "transfer.error",
                    urgency: NORMAL,
                    stays: false,
                    buttons: vec![show(View::Problems)],
                });
            } else {
                for (need, problem) in &new {
                    self.say(Note {
                        key: need_key(need),
                        summary: problem.sentence.clone(),
                        body: advice(problem).into(),
                        category: match problem.code {
                            ProblemCode::PeerAsks => "device.added",
                            _ => "transfer.error",
                        },
                        urgency: NORMAL,
                        // Somebody waits for the answer.
                        stays: problem.code == ProblemCode::PeerAsks,
                        buttons: answers(problem),
                    });
                }
            }
        }
        self.needs.extend(new.into_iter().map(|(need, _)| need));
        if self.needs.is_empty() {
            self.withdraw("needs".into());
        }
    }

    /// A bubble is gone from the screen: its count starts again.
    pub fn closed(&mut self, key: &str) {
        self.arrived.retain(|folder, _| arrived_key(folder) != key);
        self.conflicts.retain(|folder, _| conflict_key(folder) != key);
    }

    /// What is to be done on the screen now.
    pub fn take_due(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.due).into_values().collect()
    }

    fn say(&mut self, note: Note) {
        self.due.insert(note.key.clone(), Change::Show(note));
    }

    fn withdraw(&mut self, key: String) {
        self.due.insert(key.clone(), Change::Withdraw(key));
    }
}

/// What a bubble about a problem offers. Who asks to join can be answered from there; a click beside the buttons lets
/// nobody in.
fn answers(problem: &Problem) -> Vec<Button> {
    let answer =
        |label, yes| Button { label, wish: Wish::AnswerPairing { pairing: problem.subject.clone(), yes } };
    match problem.code {
        ProblemCode::PeerAsks => vec![show(View::Places), answer("Accept", true), answer("Decline", false)],
        _ => vec![show(View::Problems)],
    }
}

fn show(view: View) -> Button {
    Button { label: "Show", wish: Wish::Show(Some(view)) }
}

/// What to do, for somebody who has a window: its button needs no command line.
fn advice(problem: &Problem) -> &str {
    match problem.code {
        ProblemCode::PeerAsks => "Accept lets it in, Decline does not.",
        ProblemCode::DeletionsHeld => "Put them back, or delete them everywhere.",
        _ => &problem.hint,
    }
}

fn folder_note(key: String, folder: &str, summary: String, body: String) -> Note {
    Note {
        key,
        summary,
        body,
        category: "transfer.complete",
        urgency: LOW,
        stays: false,
        buttons: vec![Button { label: "Open folder", wish: Wish::OpenFolder(folder.into()) }],
    }
}

fn arrived_key(folder: &str) -> String {
    format!("arrived {folder}")
}

fn conflict_key(folder: &str) -> String {
    format!("conflict {folder}")
}

fn need_key((folder, code, subject): &Need) -> String {
    format!("needs {} {code:?} {subject}", folder.as_deref().unwrap_or_default())
}

/// `1 file`, `12 files`.
fn count(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// `desktop`, `desktop and Ben`, `desktop, Ben and 2 others`.
fn join(names: &[String]) -> String {
    match names {
        [] => "Another computer".into(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {}", count(rest.len() as u64, "other")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: NotificationSettings =
        NotificationSettings { first_sync: true, changes_arrived: true, needs_you: true, conflicts: true };

    fn arrived(from: &str, files: u64) -> Event {
        Event::ChangesArrived { folder: "/home/ann/Sync".into(), from: vec![from.into()], files }
    }

    fn shown(bubbles: &mut Bubbles) -> Vec<String> {
        let text = |change| match change {
            Change::Show(note) => format!("{}: {}", note.summary, note.body),
            Change::Withdraw(key) => format!("withdraw {key}"),
        };
        bubbles.take_due().into_iter().map(text).collect()
    }

    #[test]
    fn a_folder_has_one_bubble_whose_count_grows_while_it_is_seen() {
        let mut bubbles = Bubbles::default();
        bubbles.hear(&arrived("desktop", 2), &ALL);
        bubbles.hear(&arrived("Ben", 1), &ALL);
        assert_eq!(shown(&mut bubbles), ["Sync: desktop and Ben changed 3 files"], "a burst is one bubble");
        bubbles.hear(&arrived("desktop", 4), &ALL);
        assert_eq!(
            shown(&mut bubbles),
            ["Sync: desktop and Ben changed 7 files"],
            "it is still on the screen"
        );
        bubbles.closed("arrived /home/ann/Sync");
        bubbles.hear(&arrived("desktop", 1), &ALL);
        assert_eq!(shown(&mut bubbles), ["Sync: desktop changed 1 file"], "the person has seen the others");
    }

    #[test]
    fn what_is_switched_off_is_not_said() {
        let mut bubbles = Bubbles::default();
        let off = NotificationSettings {
            first_sync: false,
            changes_arrived: false,
            needs_you: false,
            conflicts: false,
        };
        bubbles.hear(&arrived("desktop", 2), &off);
        bubbles.hear(&Event::FirstSyncDone { folder: "/a".into(), files: 3 }, &off);
        let conflict = Event::ConflictKept { folder: "/a".into(), file: "x".into(), variants: vec![] };
        bubbles.hear(&conflict, &off);
        let mut snapshot = snapshot_with(&["example.org"]);
        snapshot.settings.notifications = off;
        bubbles.look(&snapshot);
        assert!(bubbles.take_due().is_empty(), "off means off");
    }

    #[test]
    fn a_first_sync_is_one_bubble() {
        let mut bubbles = Bubbles::default();
        let folder = "/home/ann/Sync";
        bubbles.hear(&arrived("desktop", 3), &ALL);
        bubbles.hear(&Event::FirstSyncDone { folder: folder.into(), files: 3 }, &ALL);
        assert_eq!(shown(&mut bubbles), ["Sync is complete: All 3 files are in their places."]);
        bubbles.hear(&arrived("desktop", 1), &ALL);
        assert_eq!(shown(&mut bubbles), ["Sync: desktop changed 1 file"], "the first files are not counted");
    }

    #[test]
    fn a_problem_is_said_once_until_it_is_gone() {
        let mut bubbles = Bubbles::default();
        bubbles.look(&snapshot_with(&["example.org"]));
        assert_eq!(shown(&mut bubbles).len(), 1);
        bubbles.look(&snapshot_with(&["example.org"]));
        assert!(bubbles.take_due().is_empty(), "said already");
        bubbles.look(&snapshot_with(&[]));
        let gone = shown(&mut bubbles);
        assert!(gone.iter().any(|line| line.starts_with("withdraw needs  PasswordRefused")), "{gone:?}");
        bubbles.look(&snapshot_with(&["example.org"]));
        assert_eq!(shown(&mut bubbles).len(), 1, "it came back, which is news");
    }

    #[test]
    fn who_asks_to_join_can_be_answered_at_once_and_who_joined_is_said() {
        let mut bubbles = Bubbles::default();
        let mut snapshot = snapshot_with(&["0badcafe"]);
        snapshot.problems[0].code = ProblemCode::PeerAsks;
        bubbles.look(&snapshot);
        let due = bubbles.take_due();
        let note = due.iter().find_map(|change| match change {
            Change::Show(note) => Some(note),
            Change::Withdraw(_) => None,
        });
        let buttons = &note.expect("it is said").buttons;
        let labels: Vec<_> = buttons.iter().map(|button| button.label).collect();
        assert_eq!(labels, ["Show", "Accept", "Decline"], "a click beside the buttons lets nobody in");
        let accept = Wish::AnswerPairing { pairing: "0badcafe".into(), yes: true };
        assert_eq!(buttons[1].wish, accept);
        bubbles.look(&snapshot_with(&[]));
        assert!(shown(&mut bubbles).iter().any(|line| line.contains("PeerAsks")), "answered, it goes");

        let joined = Event::PeerJoined {
            folder: "/home/ann/Trip".into(),
            name: "laptop".into(),
            account: "ben@example.org".into(),
        };
        bubbles.hear(&joined, &ALL);
        assert_eq!(
            shown(&mut bubbles),
            ["laptop joined Trip: It is a computer of ben@example.org. You can remove it at any time."]
        );
    }

    #[test]
    fn many_problems_at_once_are_one_bubble() {
        let mut bubbles = Bubbles::default();
        bubbles.look(&snapshot_with(&["a", "b", "c", "d"]));
        assert_eq!(shown(&mut bubbles), ["4 things need you: Up to date."]);
    }

    fn snapshot_with(subjects: &[&str]) -> Snapshot {
        let mut snapshot = crate::testing::snapshot();
        snapshot.problems = subjects.iter().map(|subject| crate::testing::problem(subject)).collect();
        snapshot
    }
}
