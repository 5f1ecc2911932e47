//! Repositories, remotes, servers and nodes for tests; only ever a dev-dependency.
//!
//! Everything here panics with a sentence that says what went wrong: a fixture that cannot be built has failed its
//! test. Nothing here looks at the machine's own configuration: every program that is started gets the environment of
//! a [`Sandbox`].

mod annex;
mod clock;
mod computer;
mod deadline;
mod desktop;
mod engine_socket;
mod git;
mod judge;
mod name_server;
mod need;
mod node;
mod odd_files;
mod own_network;
mod port;
mod process;
mod sandbox;
mod seed;
mod snapshot;
mod sshd;
mod tray;
mod window_server;
pub mod xmpp_servers;

pub use annex::{Annex, AnnexVersion, annex_versions, newest_annex, older_annex};
pub use clock::Clock;
pub use computer::{Computer, Plug, Wiretap, cable};
pub use deadline::{Deadline, eventually, within};
pub use desktop::{Desktop, DesktopPart, Notification};
pub use git::Repo;
pub use judge::Judge;
pub use name_server::{NameServer, Zone};
pub use need::{need, need_all};
pub use node::{Node, NodeBuilder};
pub use odd_files::{OddFiles, OddName};
pub use own_network::{answer_names, in_own_network};
pub use port::free_port;
pub use process::{Finished, Process, run, run_within};
pub use sandbox::Sandbox;
pub use seed::seed;
pub use snapshot::{Entry, Snapshot, differences, snapshot, try_snapshot};
pub use sshd::Sshd;
pub use tray::{TrayItem, TrayMenuEntry};
pub use window_server::WindowServer;
