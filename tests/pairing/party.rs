//! The computers of a pairing, and the accounts that they are logged in to.

use std::path::Path;

use serde_json::Value;
use tributary_testkit::xmpp_servers::{Ejabberd, Prosody, ProsodyOptions, XmppServer};
use tributary_testkit::{Finished, Node, Sandbox, eventually, need_all};

use crate::member::{LIMIT, Member, bare, text, trib};

/// The accounts, each with its password.
const ACCOUNTS: [(&str, &str); 2] = [("ann", "correct horse"), ("ben", "battery staple")];
/// The account of whoever invites.
pub const ANN: &str = "ann";
/// The account of a friend.
pub const BEN: &str = "ben";

/// What the engines log.
const LOGGED: &str = "debug,tokio_xmpp=off,xmpp_parsers=off";

/// Which server the accounts are at.
#[derive(Clone, Copy)]
pub enum Server {
    Prosody,
    Ejabberd,
}

/// A server with accounts, and where everything lies.
pub struct Party {
    server: Box<dyn XmppServer + Sync>,
    // Last, so that the folders go after the processes.
    pub sandbox: Sandbox,
}

impl Party {
    /// A party at prosody. `None`, with the reason printed, where a program is missing.
    pub fn new() -> Option<Party> {
        Party::at(Server::Prosody)
    }

    /// A party at this server.
    pub fn at(server: Server) -> Option<Party> {
        let needs = match server {
            Server::Prosody => Prosody::NEEDS,
            Server::Ejabberd => Ejabberd::NEEDS,
        };
        if !need_all(&[&["git"], needs].concat()) {
            return None;
        }
        let server: Box<dyn XmppServer + Sync> = match server {
            Server::Prosody => Box::new(Prosody::start("p.example", &ACCOUNTS)),
            Server::Ejabberd => Box::new(Ejabberd::start("e.example", &ACCOUNTS)),
        };
        Some(Party { server, sandbox: Sandbox::new() })
    }

    /// A party at a prosody without these modules.
    pub fn without(modules: &[&str]) -> Option<Party> {
        if !need_all(&[&["git"], Prosody::NEEDS].concat()) {
            return None;
        }
        let options = ProsodyOptions { without: modules, ..ProsodyOptions::default() };
        let server = Box::new(Prosody::start_with("p.example", &ACCOUNTS, options));
        Some(Party { server, sandbox: Sandbox::new() })
    }

    /// The whole address of an account.
    pub fn jid(&self, account: &str) -> String {
        format!("{account}@{}", self.server.domain())
    }

    /// An account as a client of it needs it: whoever runs the server can be that client too.
    pub fn account(&self, user: &str) -> (tributary_xmpp::account::Account, tributary_xmpp::account::Secret) {
        use tributary_xmpp::account::{Account, DeviceTag, Secret, Trust, new_resource};
        let (_, password) =
            ACCOUNTS.into_iter().find(|(known, _)| *known == user).expect("it is one of them");
        let account = Account {
            jid: self.jid(user).parse().expect("it is an address"),
            server: Some(("127.0.0.1".to_owned(), self.server.starttls_port())),
            trust: Trust::CaFile(self.server.ca().to_owned()),
            allow_plain: false,
            strongest: None,
            device: DeviceTag::random(),
            resource: new_resource(),
        };
        (account, Secret::new(password.to_owned()))
    }

    /// A computer that is online with an account.
    #[track_caller]
    pub fn computer(&self, name: &str, account: &str) -> Member {
        self.computer_with(name, account, |_| ())
    }

    /// The same, in an environment that is changed.
    #[track_caller]
    pub fn computer_with(&self, name: &str, account: &str, change: impl FnOnce(&mut Sandbox)) -> Member {
        let home = self.sandbox.join(name).join("home");
        // What a failing journey shows of each engine has to say what went between them.
        let node = Node::builder(trib(), &home).env("TRIBUTARY_LOG", LOGGED).adjust(change).start();
        let computer = Member { node, dir: self.sandbox.join(name).join("folder") };
        let (_, password) =
            ACCOUNTS.into_iter().find(|(user, _)| *user == account).expect("it is one of them");
        let at = format!("127.0.0.1:{}", self.server.starttls_port());
        let say = format!("printf %s '{password}'");
        let jid = self.jid(account);
        let args = ["xmpp", "login", &jid, "--server", &at, "--ca", text(self.server.ca())];
        computer.run(args.into_iter().chain(["--keyring", "file", "--password-command", &say]));
        computer.comes_online();
        computer
    }

    /// A computer with a folder of one file, which is kept at a bare repository and a `directory` special remote.
    #[track_caller]
    pub fn inviter(&self) -> Member {
        self.inviter_at(self.computer("ann", ANN))
    }

    /// The same, on this computer.
    #[track_caller]
    pub fn inviter_at(&self, ann: Member) -> Member {
        ann.add();
        ann.remote("names", &[text(&bare(&self.sandbox, "names.git"))]);
        ann.store(&self.sandbox.dir("store"));
        ann.write("map.txt", "over the hills");
        ann.wait();
        ann
    }
}

/// What the journeys ask of a computer that pairs.
pub trait Pairs {
    /// Waits until the account is online.
    fn comes_online(&self);
    /// Makes an invitation to the folder.
    fn invites(&self, how: &[&str]) -> Value;
    /// Joins; whether that failed is for the caller to judge.
    fn joins(&self, invitation: &str, how: &[&str]) -> Finished;
    /// Waits until somebody asks to be let in, and gives the number.
    fn asked(&self) -> String;
    /// The paired computers.
    fn peers(&self) -> Vec<Value>;
    /// Waits until this computer opened a sealed hint of each paired one.
    fn hears(&self);
    /// Nobody is paired, no pairing is under way, and nothing waits for a person.
    fn is_clean(&self);
}

impl Pairs for Member {
    #[track_caller]
    fn comes_online(&self) {
        eventually(LIMIT, "the account is online", || {
            (self.node.json(["status"])["account"]["state"] == "online").then_some(())
        });
    }

    #[track_caller]
    fn invites(&self, how: &[&str]) -> Value {
        self.node.json(["invite", self.path()].iter().chain(how))
    }

    #[track_caller]
    fn joins(&self, invitation: &str, how: &[&str]) -> Finished {
        self.node.trib(["join", invitation, self.path(), "--yes"].iter().chain(how))
    }

    #[track_caller]
    fn asked(&self) -> String {
        let asks = |pairing: &Value| {
            (pairing["stage"] == "asksYou")
                .then(|| pairing["id"].as_str().expect("it has a number").to_owned())
        };
        eventually(LIMIT, "somebody asks to be let in", || {
            self.node.json(["peers"])["pairings"].as_array()?.iter().find_map(asks)
        })
    }

    #[track_caller]
    fn peers(&self) -> Vec<Value> {
        self.node.json(["peers"])["peers"].as_array().expect("peers are listed").clone()
    }

    #[track_caller]
    fn hears(&self) {
        let file = self.node.home().join("config/peers.json");
        eventually(LIMIT, "a sealed hint was opened", || {
            let kept: Value = serde_json::from_slice(&std::fs::read(&file).ok()?).ok()?;
            let heard = |peer: &Value| {
                peer["contacts"]
                    .as_array()
                    .is_some_and(|contacts| contacts.iter().any(|known| known == "heard"))
            };
            let peers = kept["peers"].as_array()?;
            (!peers.is_empty() && peers.iter().all(heard)).then_some(())
        });
    }

    #[track_caller]
    fn is_clean(&self) {
        eventually(LIMIT, "nothing is left of the pairing", || {
            let status = self.node.json(["status"]);
            let none = |list: &str| status[list].as_array().is_some_and(Vec::is_empty);
            (none("peers") && none("pairings")).then_some(())
        });
        let status = self.node.json(["status"]);
        let asks = |problem: &Value| problem["code"] == "peerAsks";
        let problems = status["problems"].as_array().expect("problems are listed");
        assert!(!problems.iter().any(asks), "{problems:#?}");
    }
}

/// Waits until two computers that paired are connected, and a change of each arrives at the other.
#[track_caller]
pub fn hear_of_each_other(ann: &Member, ben: &Member) {
    for (one, other) in [(ann, ben), (ben, ann)] {
        eventually(2 * LIMIT, "a hint and a tunnel went in both directions", || {
            let peer = one.peers().into_iter().find(|peer| peer["id"] == id(other))?;
            (peer["connected"] == true).then_some(())
        });
    }
    for (from, to, file) in [(ann, ben, "from-ann.txt"), (ben, ann, "from-ben.txt")] {
        from.write(file, "hello");
        eventually(2 * LIMIT, "a change arrives at the other", || to.read(file));
    }
}

/// A text of a JSON value.
#[track_caller]
pub fn said(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is text in {value:#}")).to_owned()
}

/// Whether nothing is at a path.
pub fn is_absent(path: &Path) -> bool {
    path.symlink_metadata().is_err()
}

/// What a computer keeps in its file of secrets.
#[track_caller]
pub fn secrets(computer: &Member) -> Value {
    let text =
        std::fs::read(computer.node.home().join("config/secrets.json")).expect("they are kept in a file");
    serde_json::from_slice(&text).expect("it is JSON")
}

/// How a computer is known to the others.
#[track_caller]
pub fn id(computer: &Member) -> String {
    let stored = said(&secrets(computer), "device keys");
    let keys = tributary_xmpp::device::DeviceKeys::from_stored(&stored).expect("they are what was kept");
    keys.public().id().to_string()
}
