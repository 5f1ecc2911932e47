//! Real XMPP servers on free ports of the loopback, with an authority of their own and data of their own; never the
//! system's instance.

mod certificates;
mod ejabberd;
mod fault_proxy;
mod prosody;
mod stanza_faults;

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use certificates::Authority;
pub use ejabberd::{Ejabberd, EjabberdOptions};
pub use fault_proxy::FaultProxy;
pub use prosody::{Prosody, ProsodyOptions};
pub use stanza_faults::{FAULT_LOGGED, StanzaFault, StanzaFaults};

use crate::deadline::within;
use crate::port::free_port;
use crate::process::Process;

/// Generous: ejabberd starts in 3 s on an idle machine, and has taken 30 s on one that was building.
const START_LIMIT: Duration = Duration::from_secs(120);

/// What the tests ask of a server, whichever it is.
pub trait XmppServer {
    /// Where it is, and how it is known to be the right one.
    fn address(&self) -> &Address;
    /// Kills it with SIGKILL, in the middle of whatever it does.
    fn kill(&mut self);
    /// Starts it again on the same data and ports, and waits until it answers.
    fn restart(&mut self);
    /// The folder where it keeps what it is given.
    fn kept(&self) -> PathBuf;
    /// The file where it logs, from its first start on.
    fn log_file(&self) -> PathBuf;

    /// The domain of its accounts.
    fn domain(&self) -> &str {
        &self.address().domain
    }

    /// The file with the certificate of the authority that signed the server's.
    fn ca(&self) -> &Path {
        &self.address().ca
    }

    /// The port where TLS is asked for.
    fn starttls_port(&self) -> u16 {
        self.address().starttls_port
    }

    /// The port where TLS begins with the first byte.
    fn direct_tls_port(&self) -> u16 {
        self.address().direct_tls_port
    }

    /// What it has logged since the first start.
    fn log(&self) -> String {
        fs::read(self.log_file()).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }
}

/// Where a server is, and how it is known to be the right one.
#[derive(Debug)]
pub struct Address {
    domain: String,
    ca: PathBuf,
    starttls_port: u16,
    direct_tls_port: u16,
}

impl Address {
    /// Two free ports of the loopback for a domain.
    fn new(domain: &str, authority: &Authority) -> Address {
        Address {
            domain: domain.to_owned(),
            ca: authority.file(),
            starttls_port: free_port(),
            direct_tls_port: free_port(),
        }
    }
}

/// Waits until something listens on a port, or the process has ended.
///
/// # Panics
///
/// With the server's log when it does not come up.
#[track_caller]
fn await_port(server: &mut Process, port: u16, log: &Path) {
    let up = within(START_LIMIT, || match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Some(true),
        Err(_) => server.exited().map(|_| false),
    });
    assert!(
        up == Some(true),
        "the server does not answer on port {port}:\n{}\n{}",
        server.log(),
        fs::read_to_string(log).unwrap_or_default()
    );
}
