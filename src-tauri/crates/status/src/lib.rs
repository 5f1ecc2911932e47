//! What crosses the border between the engine and everything that shows it: plain data with serde.
//!
//! Facts flow up (`Event`, `Snapshot`), wishes flow down (`Command`), each wish gets one `Reply`.
//! Nothing here knows a window, a route, a button or an app handle. The TypeScript types of the windows are
//! generated from these (`cargo test -p tributary-status`), so no name is spelled twice.
//!
//! Times are RFC 3339 text, sizes are bytes. A path that is not UTF-8 is shown with replacement characters
//! and also carried as base64.

mod command;
mod event;
mod pairing;
mod problem;
mod reply;
mod settings;
mod snapshot;
mod wire;

pub use command::{Command, HeldAnswer, LoginForm, PauseLength, SecretSource};
pub use event::{Event, NumberedEvent};
pub use pairing::{
    Invitation, Offer, OfferedPlace, PairingStage, PairingStatus, PeerStatus, Person, SharedFolder,
};
pub use problem::{Problem, ProblemAction, ProblemCode};
pub use reply::{
    ActivityEntry, Failure, HeldDeletions, LoginReport, LoginStepReport, RemoteRow, Reply, StepOutcome,
    WhereisRow,
};
pub use settings::{KeyringChoice, NotificationSettings, Settings};
pub use snapshot::{
    Account, AccountState, Direction, FolderState, FolderStatus, PlaceKind, PlaceStatus, Snapshot,
    TransferStatus,
};
pub use wire::{MAX_LINE, Request, Response};
