//! Settled: who waits until everything is where it should be, and when that is so.

use tokio::sync::oneshot;
use tributary_planner::{Round, Why};
use tributary_status::{Failure, ProblemCode, Reply};

use super::{Conductor, Mind};

/// Somebody who waits until everything is settled.
pub(super) struct Waiter {
    pub(super) scan: u64,
    pub(super) round: Round,
    pub(super) reply: oneshot::Sender<Reply>,
}

impl Conductor {
    pub(super) async fn answer_waiters(&self, mind: &mut Mind) {
        if mind.waiters.is_empty() {
            return;
        }
        if mind.seen.held > 0 {
            let failure = Failure {
                code: Some(ProblemCode::DeletionsHeld),
                sentence: mind.seen.held_reason.clone(),
                hint: "Say `trib held DIR --restore` or `--delete`.".into(),
            };
            for waiter in mind.waiters.drain(..) {
                waiter.reply.send(Reply::Failed { failure: failure.clone() }).ok();
            }
            return;
        }
        mind.waiters.retain(|waiter| !waiter.reply.is_closed());
        let quiet = |mind: &Mind, waiter: &Waiter| {
            mind.scanned >= waiter.scan && mind.planner.looked_since(waiter.round)
        };
        if !mind.waiters.iter().any(|waiter| quiet(mind, waiter))
            || self.changes.waiting() > 0
            || !mind.planner.settled().idle
            || mind.paused.is_some()
        {
            return;
        }
        if unsettled_problem(mind) || self.failing(mind) {
            return;
        }
        if self.arriving().await > 0 || !self.inbox.is_empty() {
            return;
        }
        if self.desk.with(|desk| desk.index.is_edited()).await && !self.write_index(mind).await {
            return;
        }
        self.put_up_status(mind).await;
        let (done, rest) =
            std::mem::take(&mut mind.waiters).into_iter().partition(|waiter| quiet(mind, waiter));
        mind.waiters = rest;
        for waiter in Vec::<Waiter>::into_iter(done) {
            waiter.reply.send(Reply::Done { sentence: "Everything is where it should be.".into() }).ok();
        }
    }

    /// Whether a place that answers does not take or give what it should. One that does not answer is not waited for.
    fn failing(&self, mind: &Mind) -> bool {
        let rows = self.places.rows();
        let away = |id| {
            let name = rows.iter().find(|row| row.id == id).map(|row| row.name.as_str());
            mind.problems.list().iter().any(|problem| {
                problem.code == ProblemCode::PlaceUnreachable && Some(problem.subject.as_str()) == name
            })
        };
        let settled = mind.planner.settled();
        settled.failed.iter().any(|(_, place, _)| !away(*place))
            || settled
                .waiting_for
                .iter()
                .any(|(place, why)| matches!(why, Why::Full | Why::Person) && !away(*place))
    }
}

/// Whether something of this folder itself is not as it should be: changes that could not be taken in or placed.
fn unsettled_problem(mind: &Mind) -> bool {
    mind.problems.list().iter().any(|problem| {
        matches!(
            problem.code,
            ProblemCode::Unreadable
                | ProblemCode::ReadOnly
                | ProblemCode::DiskFull
                | ProblemCode::FolderGone
                | ProblemCode::CorruptRepository
                | ProblemCode::Internal
        )
    })
}
