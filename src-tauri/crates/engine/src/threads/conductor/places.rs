//! Places: what the conductor does when they change, and when one of them pushes here.

use tributary_planner::{Heads, Input};
use tributary_repo::sync_branches;
use tributary_status::ProblemCode;

use super::{Conductor, Mind};
use crate::state::facts;
use crate::state::problems::problem;
use crate::threads::committer::chain;
use crate::tunnel::Pushed;

impl Conductor {
    /// Whoever pushed here has what it pushed: that need not be offered to it.
    pub(super) async fn pushed_to(&self, pushed: &Pushed, mind: &mut Mind) {
        let rows = self.places.rows();
        let Some(row) = rows.iter().find(|row| row.peer().is_some_and(|peer| peer.repository == pushed.by))
        else {
            return;
        };
        let (name, moved) = (row.name.clone(), pushed.moved.clone());
        let repositories = self.repositories.clone();
        let noted = tokio::task::spawn_blocking(move || {
            repositories.with(|repo| sync_branches::note_pushed_by(repo.git(), &name, &moved))
        });
        match noted.await.expect("noting refs does not panic") {
            Ok(Ok((Some(branch), Some(annex)))) => {
                let holds = Heads { branch: facts::head(Some(branch)), annex: facts::head(Some(annex)) };
                self.plan(mind, vec![Input::PlaceHolds { place: row.id, heads: holds }]);
            }
            // What it has is found out by the next look.
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(error = chain(&error), "what was pushed here is not noted"),
            Err(error) => tracing::warn!(error = chain(&error), "what was pushed here is not noted"),
        }
    }

    pub(super) async fn places_changed(&self, mind: &mut Mind) {
        self.transferrer.shared.forget_remotes();
        let (places, repositories) = (self.places.clone(), self.repositories.clone());
        let read = tokio::task::spawn_blocking(move || repositories.with(|repo| places.read(repo)))
            .await
            .expect("reading the places does not panic");
        let (before, now) =
            match read.map_err(|error| chain(&error)).and_then(|read| read.map_err(|error| chain(&error))) {
                Ok(rows) => rows,
                Err(error) => {
                    let hint = "Look at the remotes in `.git/config`.";
                    mind.problems.raise(problem(ProblemCode::Internal, "places", format!("{error}."), hint));
                    return;
                }
            };
        let mut inputs = Vec::new();
        for gone in before.iter().filter(|old| !now.iter().any(|new| new.id == old.id)) {
            inputs.push(Input::PlaceGone(gone.id));
            mind.problems.forget_place(&gone.name);
        }
        inputs.extend(now.iter().map(|row| Input::PlaceKnown(row.for_planner())));
        self.plan(mind, inputs);
        self.tell_unsettled(mind).await;
        let mut inputs = Vec::new();
        for row in now.iter() {
            let there = match row.peer() {
                Some(_) => self.places.peer_is_there(row).is_some(),
                None => row.local_path().is_none_or(std::path::Path::exists),
            };
            inputs.push(if there { Input::PlaceUp(row.id) } else { Input::PlaceDown(row.id) });
        }
        self.plan(mind, inputs);
    }
}
