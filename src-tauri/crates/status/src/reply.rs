//! Replies: the one answer to each command.

use serde::{Deserialize, Serialize};

use crate::{Invitation, Offer, PairingStatus, PeerStatus, ProblemCode, Snapshot};

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum Reply {
    /// Done; one sentence says what.
    Done {
        /// The sentence.
        sentence: String,
    },
    /// Not done: what happened, why, what to do.
    Failed {
        /// The reason.
        failure: Failure,
    },
    /// Everything.
    Status {
        /// It.
        snapshot: Box<Snapshot>,
    },
    /// The remotes of a folder.
    Remotes {
        /// One row each.
        remotes: Vec<RemoteRow>,
    },
    /// How the login went, step by step. The last step says whether it holds.
    Login {
        /// The steps.
        report: LoginReport,
    },
    /// Who has the content of a file.
    Whereis {
        /// The file.
        file: String,
        /// git-annex's key of the content; absent for a file whose content is in git itself.
        key: Option<String>,
        /// Who has it, as far as is on record.
        places: Vec<WhereisRow>,
    },
    /// The held deletions.
    Held {
        /// They.
        held: HeldDeletions,
    },
    /// An invitation was made.
    Invited {
        /// It.
        invitation: Invitation,
    },
    /// Somebody offers a folder: to be answered.
    Offered {
        /// What.
        offer: Offer,
    },
    /// Who is paired, and what is under way.
    Peers {
        /// The paired computers.
        peers: Vec<PeerStatus>,
        /// The pairings that are under way.
        pairings: Vec<PairingStatus>,
    },
    /// What the machine has and lacks.
    Doctor {
        /// Lines of text, without secrets.
        lines: Vec<String>,
        /// Whether something that is needed is missing.
        complete: bool,
    },
}

/// Why a command was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Failure {
    /// The kind of problem behind it, if it is one of those.
    pub code: Option<ProblemCode>,
    /// What happened and why.
    pub sentence: String,
    /// What to do.
    pub hint: String,
}

/// A remote of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct RemoteRow {
    /// Its name.
    pub name: String,
    /// `git`, or the special remote's type.
    pub kind: String,
    /// Where it is, without secrets.
    pub url: String,
    /// Its git-annex UUID, if it has one.
    pub uuid: Option<String>,
    /// Whether it holds contents.
    pub contents: bool,
    /// Whether contents may go there: a place somebody else set up waits to be confirmed.
    pub confirmed: bool,
}

/// Somebody who has the content of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct WhereisRow {
    /// The repository's UUID.
    pub uuid: String,
    /// Its description.
    pub description: String,
    /// Whether it is this computer.
    pub here: bool,
}

/// How a login went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct LoginReport {
    /// The steps in order: server found, connected, certificate, password, features.
    pub steps: Vec<LoginStepReport>,
    /// Whether all held, so that the account is in use now.
    pub done: bool,
    /// The result in one sentence.
    pub sentence: String,
    /// What to do when it failed.
    pub hint: String,
    /// The SHA-256 of the certificate that was refused, 64 hex digits, so that a person may confirm it.
    pub fingerprint: Option<String>,
}

/// One step of a login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct LoginStepReport {
    /// What the step does: "Server found", "Connected", "Certificate", "Password", "Features".
    pub label: String,
    /// How it went.
    pub outcome: StepOutcome,
    /// Why it failed; empty otherwise.
    pub detail: String,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum StepOutcome {
    /// It held.
    Held,
    /// It failed; the steps after it were not tried.
    Failed,
    /// It was not tried.
    NotTried,
}

/// Deletions that wait for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct HeldDeletions {
    /// How many.
    pub count: u64,
    /// Why they are held.
    pub reason: String,
    /// The first hundred of them.
    pub files: Vec<String>,
}

/// One thing that happened in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ActivityEntry {
    /// When.
    pub at: String,
    /// Who: a computer's description.
    pub who: String,
    /// What, in one sentence.
    pub sentence: String,
    /// How many files.
    pub files: u64,
}
