//! Journeys of one folder that two computers keep in sync through a place that runs nothing of ours.
//!
//! Every peer is real: two `trib daemon`s with a home of their own, git, sshd, prosody, and git-annex as the judge of
//! what they leave on disk. Nothing asks a daemon to look (`trib sync`): the journeys see whether a change arrives by
//! itself.

mod absences;
mod assistant;
mod at_rest;
mod by_hand;
mod changes;
mod company;
mod conflicts;
mod kills;
mod milestone;
mod mixed_company;
mod moved;
mod power;
mod replaced;
mod scene;
