//! What a node tells its planner, and how it reads what the planner names.

use tributary_formats::key::Key;
use tributary_planner::{ContentFact, Input, Instant, Origin, Place, PlaceId, Presence, Site};

use crate::graph::Kind;
use crate::history::{EditId, Moved, Tips, Vertex};
use crate::step::Step;
use crate::world::{Plan, World};

impl World {
    /// A neighbour as it is configured.
    pub fn place(&self, vertex: Vertex) -> Place {
        let (git, contents) = match self.kind(vertex) {
            Kind::Node => (true, true),
            Kind::Point { git, contents } => (git, contents),
        };
        Place {
            id: PlaceId(vertex as u32),
            uuid: contents.then(|| self.plan.configs[vertex].uuid.clone()),
            git,
            contents,
            readable: true,
            writable: true,
            cost: if self.is_node(vertex) { 100 } else { 200 },
        }
    }

    pub fn tell_moved(&mut self, node: Vertex, moved: Moved, before: &Tips, now: Instant) -> Vec<Step> {
        let origin = match moved {
            Moved::Not => return Vec::new(),
            Moved::Forwarded => Origin::Forwarded,
            Moved::Merged => Origin::Merged,
        };
        let tips = &self.repositories[node].tips;
        let edits: Vec<EditId> = tips.branch.reach().edits.iter().copied().collect();
        let (shown, shown_before) = (self.shown(tips), self.shown(before));
        let concerned = edits.into_iter().filter(|edit| {
            let range = (*edit, 0)..(*edit + 1, 0);
            let lines = |tips: &Tips| {
                tips.annex
                    .reach()
                    .lines
                    .range(range.clone())
                    .map(|(site, line)| (*site, line.1))
                    .collect::<Vec<_>>()
            };
            shown.contains(edit) != shown_before.contains(edit) || lines(tips) != lines(before)
        });
        let facts = concerned.map(|edit| self.fact(node, edit, false)).collect::<Vec<_>>();
        let heads = self.repositories[node].tips.heads();
        let mut steps = self.tell(node, Input::Heads { heads, origin }, now);
        if !facts.is_empty() {
            steps.extend(self.tell(node, Input::Contents(facts), now));
        }
        steps
    }

    /// The truth of one key at a node. Everybody who holds contents wants every version that is shown.
    pub fn fact(&self, node: Vertex, edit: EditId, fresh: bool) -> ContentFact {
        let repository = &self.repositories[node];
        let wanted = self.shown(&repository.tips).contains(&edit);
        let places = self.plan.graph.neighbours(node).iter().map(|(_, vertex)| *vertex);
        let holders: Vec<Vertex> = places
            .filter(|vertex| !matches!(self.kind(*vertex), Kind::Point { contents: false, .. }))
            .collect();
        let key = self.plan.keys[edit].clone();
        let id = |vertex: &Vertex| PlaceId(*vertex as u32);
        ContentFact {
            size: key.size(),
            key,
            here: repository.objects.contains(&edit),
            here_on_record: repository.tips.on_record(edit, node),
            wanted_here: wanted,
            present_at: holders.iter().filter(|v| repository.tips.on_record(edit, **v)).map(id).collect(),
            wanted_at: if wanted { holders.iter().map(id).collect() } else { Vec::new() },
            fresh,
        }
    }
}

/// The edit, site and status of a line that a planner wants recorded at a node.
pub fn line(
    node: Vertex,
    plan: &Plan,
    (key, site, presence): (Key, Site, Presence),
) -> (EditId, Vertex, bool) {
    let edit =
        plan.keys.iter().position(|known| *known == key).expect("the planner only names keys it was told of");
    let vertex = match site {
        Site::Here => node,
        Site::At(place) => place.0 as Vertex,
    };
    (edit, vertex, presence == Presence::Present)
}
