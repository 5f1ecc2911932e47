//! Hear: what each fact of the folder's other threads means for the planner, the problems and the events.

use std::time::Instant;

use tributary_planner::{Input, Origin};
use tributary_status::{Event, ProblemAction, ProblemCode};

use super::{Conductor, INDEX_PAUSE, Mind, STATUS_PAUSE};
use crate::folder_facts::{Ask, Fact};
use crate::state::facts;
use crate::state::problems::problem;

impl Conductor {
    pub(super) async fn take(&mut self, fact: Fact, mind: &mut Mind) {
        if let Fact::Ask(Ask::Status(reply)) = fact {
            if mind.status_due.take().is_some() {
                self.put_up_status(mind).await;
            }
            reply.send(()).ok();
            return;
        }
        mind.status_due.get_or_insert_with(|| Instant::now() + STATUS_PAUSE);
        match fact {
            Fact::Planner(mut inputs) => {
                if inputs.iter().any(|input| matches!(input, Input::Heads { .. })) {
                    mind.index_due.get_or_insert_with(|| Instant::now() + INDEX_PAUSE);
                    self.refresh_heads(&mut inputs).await;
                } else if inputs.iter().any(|input| matches!(input, Input::PushEnded { .. })) {
                    inputs.splice(0..0, self.untold_heads().await);
                }
                self.plan(mind, inputs);
            }
            Fact::Committed { changes } => {
                mind.last_change = Some(crate::state::problems::now());
                self.publish(Event::CommitMade { folder: self.shown_path(), changes: changes as u64 });
            }
            Fact::Merged { from, conflicts } => {
                for name in from {
                    if !mind.arrived_from.contains(&name) {
                        mind.arrived_from.push(name);
                    }
                }
                for (path, variants) in conflicts {
                    let variants = variants.iter().map(|path| path.to_string_lossy()).collect();
                    let file = path.to_string_lossy();
                    self.publish(Event::ConflictKept { folder: self.shown_path(), file, variants });
                }
            }
            Fact::Applied { files } => {
                mind.last_change = Some(crate::state::problems::now());
                mind.index_due.get_or_insert_with(|| Instant::now() + INDEX_PAUSE);
                let ours = files.min(mind.put_back);
                mind.put_back -= ours;
                if files > ours {
                    let from = std::mem::take(&mut mind.arrived_from);
                    let files = (files - ours) as u64;
                    self.publish(Event::ChangesArrived { folder: self.shown_path(), from, files });
                }
            }
            Fact::Held { count, reason, files } => {
                mind.seen.held = count as u64;
                (mind.seen.held_reason, mind.seen.held_files) = (reason.clone(), files);
                if count == 0 {
                    mind.problems.clear(ProblemCode::DeletionsHeld, "");
                } else {
                    let hint = "Put them back, or delete them everywhere: in the window, or with \
                                `trib held DIR --restore` or `--delete`.";
                    let mut held = problem(ProblemCode::DeletionsHeld, "deletions", reason, hint);
                    held.needs_you = true;
                    held.action = Some(ProblemAction::AnswerDeletions);
                    mind.problems.raise(held);
                }
            }
            Fact::NotSynced { count, examples } => {
                mind.seen.skipped = count as u64;
                mind.seen.skipped_examples.clone_from(&examples);
                if count == 0 {
                    mind.problems.clear(ProblemCode::NotSynced, "");
                } else {
                    let sentence =
                        format!("{count} things in the folder are not synced, such as {}.", examples[0]);
                    let hint = "Sockets, devices and other repositories are left out. Move them elsewhere.";
                    mind.problems.raise(problem(ProblemCode::NotSynced, "things", sentence, hint));
                }
            }
            Fact::Raise(problem) => mind.problems.raise(problem),
            Fact::Clear(code, subject) => mind.problems.clear(code, &subject),
            Fact::Went { place, deed, fault } => {
                let rows = self.places.rows();
                // What was under way with a place that is none any more is over with it.
                let Some(row) = rows.iter().find(|row| row.name == place) else { return };
                // A computer that is off or has just left is no fault; what it lacks goes there when it comes.
                let fault =
                    fault.filter(|fault| fault.code != ProblemCode::PlaceUnreachable || row.peer().is_none());
                mind.problems.went(&place, deed, fault);
            }
            Fact::Progress { transfer: (place, direction, path), bytes } => {
                self.progress(mind, place, direction, path, bytes);
            }
            Fact::Scanned(number) => {
                mind.scanned = mind.scanned.max(number);
                self.changes.hurry();
            }
            Fact::Room => {
                self.room.try_again();
                self.apply.versions();
                mind.index_due = mind.index_due.map(|_| Instant::now());
                self.plan(mind, vec![Input::LookNow]);
            }
            Fact::Ask(ask) => self.ask(ask, mind).await,
        }
    }

    /// Two threads that move the branches may overtake each other on their way here, and a planner that believes in heads
    /// of the past would push for ever. So it is told what is, not what was.
    async fn refresh_heads(&self, inputs: &mut [Input]) {
        // Heads that cannot be read now are a fault that every other visit to the desk reports.
        let Ok(now) = self.desk.with(facts::heads_to_tell).await else { return };
        for input in inputs {
            if let Input::Heads { heads, .. } = input {
                *heads = now;
            }
        }
    }

    /// A push takes what is, too: should it have moved where no merger hears of it, the planner would push again for ever.
    async fn untold_heads(&self) -> Option<Input> {
        let told = self.desk.with(|desk| {
            let untold = desk.has_untold_tips()?;
            untold.then(|| facts::heads_to_tell(desk)).transpose()
        });
        let heads = told.await.ok().flatten()?;
        Some(Input::Heads { heads, origin: Origin::Forwarded })
    }
}
