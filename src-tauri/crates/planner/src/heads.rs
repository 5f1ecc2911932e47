//! Tips of the two branches that travel: the folder's own and git-annex's.

use std::fmt;

/// The commit at the tip of a branch, as the 20 bytes of its id; all zero when the branch does not exist.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Head(pub [u8; 20]);

impl Head {
    /// The tip of a branch that does not exist.
    pub const NONE: Self = Self([0; 20]);

    /// Whether the branch exists.
    #[must_use]
    pub fn exists(&self) -> bool {
        *self != Self::NONE
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.exists() {
            return f.write_str("none");
        }
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Tips of both branches at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Heads {
    /// The folder's branch, such as `master`: names and history.
    pub branch: Head,
    /// `git-annex`: what is where.
    pub annex: Head,
}

impl Heads {
    /// Neither branch exists.
    pub const NONE: Self = Self { branch: Head::NONE, annex: Head::NONE };

    /// Whether there is anything to push.
    #[must_use]
    pub fn exist(&self) -> bool {
        self.branch.exists() || self.annex.exists()
    }
}

/// Why our own tips moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// "I read them from disk at the start", or "I committed what somebody changed in this folder".
    Local,
    /// "I took over, as it is, what I fetched or what somebody pushed to this repository" (a fast-forward of both).
    Forwarded,
    /// "I made a merge commit of ours and what I fetched, or what somebody pushed to this repository."
    Merged,
    /// "I wrote the location changes that you asked for with `Record`."
    Recorded,
}
