//! A place: any repository but our own that names, contents or both can be exchanged with.

use tributary_formats::uuid::RepoUuid;

/// A place's number, given by the engine; never used again for another place while this planner lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlaceId(pub u32);

/// What is known of a place, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Its number.
    pub id: PlaceId,
    /// Its repository UUID; none for a git remote that carries names only, or that was never reached.
    pub uuid: Option<RepoUuid>,
    /// Whether it carries names: can be fetched from, and pushed to when `writable`.
    pub git: bool,
    /// Whether it holds contents.
    pub contents: bool,
    /// Whether we may fetch and download from it.
    pub readable: bool,
    /// Whether we may push and upload to it.
    pub writable: bool,
    /// What using it costs; the lowest is downloaded from first.
    pub cost: u32,
}

/// Which way content moves, seen from this folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From here to the place.
    Upload,
    /// From the place to here.
    Download,
}

/// Whose presence a location log line speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Site {
    /// This repository.
    Here,
    /// The repository at a place.
    At(PlaceId),
}

/// What is to be recorded of a key at a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Presence {
    /// The bytes are there and were verified.
    Present,
    /// The site answered that it does not have them.
    Missing,
}
