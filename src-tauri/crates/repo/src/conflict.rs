//! What happens to one path that both sides changed. Source: `annex-format` 6.4.

use tributary_formats::tree_path::TreePath;

/// A path that both sides had changed in ways that do not fit together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The path.
    pub path: TreePath,
    /// How it came about.
    pub kind: ConflictKind,
    /// Where the versions are now that could not keep the path; ordered.
    pub variants: Vec<TreePath>,
}

/// How a conflict came about. None of them depends on which side is called ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictKind {
    /// Both wrote it; each version has a name of its own now.
    BothChanged,
    /// One changed it, the other deleted it: the changed version was kept.
    ChangedAndDeleted,
    /// One has an annexed file there, the other a file, link or repository in git, which keeps the path.
    AnnexedAndGit,
    /// One has a file there, the other a directory, which keeps the path.
    FileAndDirectory,
}
