//! Histories without their bytes: a branch is the set of commits it reaches, and the git-annex branch is the set of
//! lines that union merges have left.
//!
//! Merging is a join. What differs is what merge commits are called, see [`Merges`].

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use tributary_planner::{Head, Heads};

/// A vertex of the graph: a node or a point.
pub type Vertex = usize;
/// An edit: one path got one new content, at one node.
pub type EditId = usize;
/// Commits that are told apart by nothing but that they were made separately.
pub type CommitId = u64;

/// What merge commits are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Merges {
    /// By what they reach: no two tips reach the same. It has finitely many states, which the exhaustive search needs.
    Equal,
    /// By their parents: who merges the same two makes the same commit. This is what our repositories do.
    ByParents,
    /// Each merge is a commit of its own: what git does, and so a folder of ours among computers that run git-annex.
    New,
}

/// A location log line: the newer clock wins, and for equal clocks `present` does.
pub type Line = (u32, bool);

/// What a branch reaches.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Reach {
    pub edits: BTreeSet<EditId>,
    pub lines: BTreeMap<(EditId, Vertex), Line>,
    pub commits: BTreeSet<CommitId>,
}

/// A branch: what it reaches, and a digest of it for quick comparison.
#[derive(Debug, Clone)]
pub struct Branch {
    reach: Arc<Reach>,
    digest: u64,
}

impl Default for Branch {
    fn default() -> Self {
        Self::of(Reach::default())
    }
}

impl PartialEq for Branch {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Branch {}

impl Hash for Branch {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

impl Branch {
    fn of(reach: Reach) -> Self {
        let mut hasher = DefaultHasher::new();
        reach.hash(&mut hasher);
        Self { reach: Arc::new(reach), digest: hasher.finish() }
    }

    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Commits `change` on top; nothing when it changes nothing.
    pub fn commit(&mut self, next: &mut Commits, change: impl FnOnce(&mut Reach)) -> bool {
        let mut reach = (*self.reach).clone();
        change(&mut reach);
        if reach == *self.reach {
            return false;
        }
        reach.commits.extend(next.id());
        *self = Self::of(reach);
        true
    }

    /// Whether this holds all history of `other`.
    pub fn includes(&self, other: &Self) -> bool {
        self.digest == other.digest
            || (self.reach.edits.is_superset(&other.reach.edits)
                && self.reach.commits.is_superset(&other.reach.commits)
                && other.reach.lines.iter().all(|(site, line)| self.reach.lines.get(site) >= Some(line)))
    }

    /// Merges `other` into this; says how this moved.
    pub fn merge(&mut self, other: &Self, next: &mut Commits) -> Moved {
        if self.includes(other) {
            return Moved::Not;
        }
        if other.includes(self) {
            *self = other.clone();
            return Moved::Forwarded;
        }
        let mut parents = [self.digest, other.digest];
        parents.sort_unstable();
        let mut reach = (*self.reach).clone();
        reach.edits.extend(&other.reach.edits);
        reach.commits.extend(&other.reach.commits);
        for (site, line) in &other.reach.lines {
            let ours = reach.lines.entry(*site).or_insert(*line);
            *ours = (*ours).max(*line);
        }
        reach.commits.extend(next.merge(parents));
        *self = Self::of(reach);
        Moved::Merged
    }

    pub fn head(&self) -> Head {
        if *self.reach == Reach::default() {
            return Head::NONE;
        }
        let mut head = [0; 20];
        head[..8].copy_from_slice(&self.digest.to_be_bytes());
        Head(head)
    }
}

/// What a merge did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moved {
    Not,
    Forwarded,
    Merged,
}

/// The two branches that travel.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Tips {
    pub branch: Branch,
    pub annex: Branch,
}

impl Tips {
    pub fn heads(&self) -> Heads {
        Heads { branch: self.branch.head(), annex: self.annex.head() }
    }

    pub fn includes(&self, other: &Self) -> bool {
        self.branch.includes(&other.branch) && self.annex.includes(&other.annex)
    }

    pub fn merge(&mut self, other: &Self, next: &mut Commits) -> Moved {
        let branch = self.branch.merge(&other.branch, next);
        branch.max(self.annex.merge(&other.annex, next))
    }

    /// Whether the log says that `site` has the content of `edit`.
    pub fn on_record(&self, edit: EditId, site: Vertex) -> bool {
        self.annex.reach().lines.get(&(edit, site)).is_some_and(|(_, present)| *present)
    }
}

/// Gives out commit ids.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Commits {
    pub merges: Merges,
    pub next: CommitId,
}

impl Commits {
    /// The id of a commit that nobody else makes.
    fn id(&mut self) -> Option<CommitId> {
        (self.merges != Merges::Equal).then(|| {
            self.next += 1;
            self.next
        })
    }

    fn merge(&mut self, parents: [u64; 2]) -> Option<CommitId> {
        if self.merges != Merges::ByParents {
            return self.id();
        }
        let mut hasher = DefaultHasher::new();
        parents.hash(&mut hasher);
        // Counted ids stay below this.
        Some(hasher.finish() | 1 << 63)
    }
}
