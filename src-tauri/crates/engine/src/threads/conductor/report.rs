//! Report: the folder's status, put together from the planner, the ledger and what the threads said.

use std::collections::BTreeMap;

use tributary_formats::logs::description;
use tributary_formats::logs::uuid_log::UuidLog;
use tributary_formats::tree_path::TreePath;
use tributary_formats::uuid::RepoUuid;
use tributary_planner::{Settled, Why};
use tributary_repo::large_files::AddRules;
use tributary_status::{
    Direction, Event, FolderState, FolderStatus, PlaceKind, PlaceStatus, Problem, ProblemCode, TransferStatus,
};

use super::{Conductor, Mind};
use crate::config::path_text;
use crate::engine_facts::EngineFact;
use crate::state::desk::{Desk, DeskError};
use crate::state::ledger::{Reason, Totals};
use crate::state::outlook::{self, Numbers};
use crate::state::places::PlaceRow;
use crate::state::problems::{clock, problem};

/// What the ledger says of the folder.
struct Counted {
    uuid: RepoUuid,
    totals: Totals,
    arriving: u64,
    only_elsewhere: u64,
    impossible: u64,
    /// Files on record at each repository that uuid.log lists, with its description.
    clones: Vec<(RepoUuid, String, u64)>,
    /// What cannot be read of the rules that say what goes where.
    unreadable_rules: Vec<Problem>,
}

impl Conductor {
    /// Puts up the folder's status.
    pub(super) async fn put_up_status(&self, mind: &mut Mind) {
        let counted = match self.desk.with(count).await {
            Ok(counted) => counted,
            Err(error) => return self.desk_failed(mind, &error),
        };
        mind.problems.replace(ProblemCode::UnreadableRule, counted.unreadable_rules.clone());
        let settled = mind.planner.settled();
        let status = self.status(mind, &counted, &settled);
        if status.state == FolderState::UpToDate
            && !mind.first_sync_done
            && status.files > 0
            && status.places.iter().any(|place| place.uuid.is_some() && place.has > 0)
        {
            mind.first_sync_done = true;
            self.publish(Event::FirstSyncDone { folder: status.path.clone(), files: status.files });
            self.engine.send(EngineFact::FirstSyncDone { folder: self.path.clone() }).ok();
        }
        self.board.set_folder(&self.path, status);
    }

    /// How many files are not here yet.
    pub(super) async fn arriving(&self) -> u64 {
        self.desk.with(|desk| desk.ledger.count_standing(Reason::Arriving).unwrap_or(0)).await
    }

    /// The folder's path, for people.
    pub(super) fn shown_path(&self) -> String {
        self.path.display().to_string()
    }

    pub(super) fn progress(
        &self,
        mind: &mut Mind,
        place: String,
        direction: Direction,
        path: TreePath,
        bytes: Option<(u64, Option<u64>)>,
    ) {
        let (folder, file) = (self.shown_path(), path.to_string_lossy());
        let id = (place.clone(), path, direction == Direction::Upload);
        let event = match bytes {
            None => {
                if mind.seen.transfers.remove(&id).is_none() {
                    return;
                }
                Event::TransferEnded { folder, file, place, direction, arrived: true }
            }
            Some((bytes_done, bytes_total)) => {
                let started = mind.seen.transfers.insert(id, (bytes_done, bytes_total)).is_none();
                if started {
                    Event::TransferStarted { folder, file, place, direction }
                } else {
                    Event::TransferAdvanced { folder, file, place, direction, bytes_done, bytes_total }
                }
            }
        };
        self.publish(event);
    }

    fn status(&self, mind: &Mind, counted: &Counted, settled: &Settled) -> FolderStatus {
        let rows = self.places.rows();
        let waiting = self.changes.waiting() as u64;
        let places = places(&rows, counted, mind, settled);
        let down: Vec<_> = settled
            .waiting_for
            .iter()
            .filter(|(_, why)| *why != Why::Busy)
            .filter_map(|(id, _)| rows.iter().find(|row| row.id == *id))
            .map(|row| row.name.clone())
            .collect();
        let mut awaited = down;
        awaited.dedup();
        let numbers = Numbers {
            files: counted.totals.files,
            pending: waiting + settled.pending_up.keys,
            arriving: counted.arriving,
            nowhere: settled.nowhere,
            only_elsewhere: counted.only_elsewhere,
            held: mind.seen.held,
            busy: waiting > 0
                || !(settled.idle || settled.unanswered)
                || (counted.arriving > 0 && settled.pending_down.keys == 0),
            paused: mind.paused.as_ref().map(|until| until.as_deref().map(clock)),
            needs: mind
                .problems
                .list()
                .iter()
                .find(|problem| problem.needs_you)
                .map(|problem| problem.sentence.clone()),
            complete: places
                .iter()
                .filter(|place| place.uuid.is_some() && place.has >= place.wants)
                .map(|place| place.name.clone())
                .collect(),
            awaited,
            alone: rows.is_empty(),
        };
        FolderStatus {
            path: self.shown_path(),
            path_base64: path_text::coded(&self.path),
            uuid: counted.uuid.to_string(),
            state: outlook::state(&numbers),
            sentence: outlook::sentence(&numbers),
            files: counted.totals.files,
            bytes: counted.totals.bytes,
            pending: numbers.pending,
            arriving: counted.arriving,
            only_elsewhere: counted.only_elsewhere,
            skipped: mind.seen.skipped + counted.impossible,
            held: mind.seen.held,
            paused_until: mind.paused.clone().map(Option::unwrap_or_default),
            last_change: mind.last_change.clone(),
            places,
            transfers: transfers(&mind.seen.transfers),
            problems: mind.problems.list().to_vec(),
        }
    }
}

/// Transfers under way: (place, file, whether it is an upload) with bytes so far and in all.
type Transfers = BTreeMap<(String, TreePath, bool), (u64, Option<u64>)>;

fn transfers(moving: &Transfers) -> Vec<TransferStatus> {
    moving
        .iter()
        .map(|((place, path, up), (bytes_done, bytes_total))| TransferStatus {
            file: path.to_string_lossy(),
            place: place.clone(),
            direction: if *up { Direction::Upload } else { Direction::Download },
            bytes_done: *bytes_done,
            bytes_total: *bytes_total,
        })
        .collect()
}

fn places(rows: &[PlaceRow], counted: &Counted, mind: &Mind, settled: &Settled) -> Vec<PlaceStatus> {
    let has = |uuid: &RepoUuid| {
        counted.clones.iter().find(|(known, ..)| known == uuid).map_or(0, |(_, _, files)| *files)
    };
    let mut places = Vec::new();
    for row in rows {
        let fault = mind
            .problems
            .list()
            .iter()
            .find(|problem| problem.code == ProblemCode::PlaceUnreachable && problem.subject == row.name);
        let down = settled.waiting_for.iter().any(|(id, why)| *id == row.id && *why == Why::Down);
        let wants = if row.uuid.is_some() && row.confirmed { counted.totals.annexed } else { 0 };
        let has = row.uuid.as_ref().map_or(0, has);
        places.push(PlaceStatus {
            name: row.name.clone(),
            uuid: row.uuid.as_ref().map(ToString::to_string),
            kind: row.kind(),
            url: row.url(),
            reachable: fault.is_none() && !down,
            since: fault.map(|fault| fault.since.clone()),
            has,
            wants,
            waiting: wants.saturating_sub(has),
        });
    }
    for (uuid, name, has) in &counted.clones {
        let known = *uuid == counted.uuid || rows.iter().any(|row| row.uuid.as_ref() == Some(uuid));
        if !known {
            places.push(PlaceStatus {
                name: name.clone(),
                uuid: Some(uuid.to_string()),
                kind: PlaceKind::Computer,
                url: String::new(),
                reachable: false,
                since: None,
                has: *has,
                wants: counted.totals.annexed,
                waiting: counted.totals.annexed.saturating_sub(*has),
            });
        }
    }
    places
}

fn count(desk: &mut Desk) -> Result<Counted, DeskError> {
    let log = UuidLog::parse(&desk.repo.annex_branch().read(b"uuid.log")?);
    let mut clones = Vec::new();
    for (uuid, text) in log.iter() {
        clones.push((uuid.clone(), description::unescape(text), desk.ledger.files_at(uuid)?));
    }
    Ok(Counted {
        uuid: desk.repo.uuid().clone(),
        totals: desk.ledger.totals()?,
        arriving: desk.ledger.count_standing(Reason::Arriving)?,
        only_elsewhere: desk.ledger.count_standing(Reason::OnlyElsewhere)?,
        impossible: desk.ledger.count_standing(Reason::NameNotPossible)?,
        unreadable_rules: unreadable_rules(desk, &clones)?,
        clones,
    })
}

/// Expressions that this program cannot read: a newer git-annex may.
fn unreadable_rules(desk: &Desk, clones: &[(RepoUuid, String, u64)]) -> Result<Vec<Problem>, DeskError> {
    let mut problems = Vec::new();
    for (uuid, reason) in desk.wishes.unreadable() {
        if uuid == desk.repo.uuid() {
            let sentence = format!(
                "What this computer wants to have cannot be read: {reason}. Nothing new is fetched for it."
            );
            let hint = "Correct it in the folder: `git annex wanted here \"EXPRESSION\"`.";
            let mut ours = problem(ProblemCode::UnreadableRule, uuid.as_str(), sentence, hint);
            ours.needs_you = true;
            problems.push(ours);
        } else {
            let known = clones.iter().find(|(known, ..)| known == uuid).map(|(_, name, _)| name.as_str());
            let name = known.filter(|name| !name.is_empty()).unwrap_or(uuid.as_str());
            let sentence =
                format!("What {name} wants to have cannot be read: {reason}. Nothing new is sent there.");
            let hint = format!("Correct it in the folder: `git annex wanted {uuid} \"EXPRESSION\"`.");
            problems.push(problem(ProblemCode::UnreadableRule, uuid.as_str(), sentence, &hint));
        }
    }
    if let Some(reason) = AddRules::load(&desk.repo)?.unreadable_rule() {
        let sentence =
            format!("A rule for new files cannot be read: {reason}. It is taken to match all files.");
        let hint = "Look at `annex.largefiles` and `annex.addunlocked`, with `git annex config --get` and `git config`.";
        problems.push(problem(ProblemCode::UnreadableRule, "new files", sentence, hint));
    }
    Ok(problems)
}
