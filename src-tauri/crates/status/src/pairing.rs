//! Pairing as a person sees it: invitations, tries to join, and the computers that are paired.

use serde::{Deserialize, Serialize};

/// An invitation that was made: to be shown or sent, and good for one computer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Invitation {
    /// How the pairing is known until it is over.
    pub id: String,
    /// The link. Whoever has it can ask to join.
    pub link: String,
    /// When the link ends.
    pub link_expires: String,
    /// The code, for two people on the phone: good for one guess.
    pub code: String,
    /// When the code ends.
    pub code_expires: String,
}

impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invitation").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What somebody offers who invites.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Offer {
    /// How the pairing is known until it is over.
    pub id: String,
    /// What the other computer is called, and its account.
    pub from: Person,
    /// What the folder is called there.
    pub name: String,
    /// Where it would be put here.
    pub folder: String,
    /// Whether it may only be read.
    pub read_only: bool,
    /// The places that come with it.
    pub places: Vec<OfferedPlace>,
}

/// A place that comes with an offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct OfferedPlace {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Whether it is a folder of this machine, which is used only when a person says so.
    pub local: bool,
}

/// A computer, as people know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Person {
    /// What it is called.
    pub name: String,
    /// Its account.
    pub account: String,
}

/// A pairing that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct PairingStatus {
    /// How it is known until it is over.
    pub id: String,
    /// Whether it is an invitation of this computer; else it is a try to join.
    pub inviting: bool,
    /// Where it is.
    pub stage: PairingStage,
    /// That in words.
    pub sentence: String,
    /// Since when.
    pub since: String,
    /// The folder here, when it is known.
    pub folder: Option<String>,
    /// What the folder is called.
    pub name: String,
    /// The other computer, once it has shown who it is.
    pub peer: Option<Person>,
    /// Whether the folder may only be read.
    pub read_only: bool,
}

/// Where a pairing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum PairingStage {
    /// Nobody has come yet, or nobody answers yet.
    Waiting,
    /// The computers check the secret.
    Greeting,
    /// The person here has to say yes or no.
    AsksYou,
    /// The person there has to say yes or no.
    AsksThem,
    /// Both said yes; the folder is being set up.
    SettingUp,
}

/// A paired computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct PeerStatus {
    /// Its fingerprint: 32 hex digits.
    pub id: String,
    /// The fingerprint in words, to be compared by people who want to.
    pub words: String,
    /// What it is called, and its account.
    pub peer: Person,
    /// Whether it is of the person's own account; else it is a friend's.
    pub own: bool,
    /// Whether it is online now.
    pub online: bool,
    /// How it was last reached since it is online, in words: directly, or through the account's server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub way: Option<String>,
    /// Since when it is online, or is not; absent when that was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub presence_since: Option<String>,
    /// Whether it was reached and has reached us since it was paired.
    pub connected: bool,
    /// Since when it is paired.
    pub since: String,
    /// Who vouched for it, when it was not paired here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub introduced_by: Option<String>,
    /// What is shared with it.
    pub folders: Vec<SharedFolder>,
}

/// A folder that is shared with a paired computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct SharedFolder {
    /// Where it is here.
    pub folder: String,
    /// Its git-annex UUID there, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub repository: Option<String>,
    /// Whether they may only read it.
    pub they_only_read: bool,
    /// Whether we may only read it.
    pub we_only_read: bool,
}
