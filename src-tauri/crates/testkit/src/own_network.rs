//! A network of its own for a test: only the loopback, every port free, and a name server of the test's.
//!
//! The test runs itself again in new namespaces, so nothing of it is seen on the machine, and the machine's names and
//! ports are not seen by the test.

use std::fs;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use crate::name_server::{NameServer, Zone};
use crate::need::skip;
use crate::process::run_within;
use crate::sandbox::Sandbox;

/// Set inside.
const INSIDE: &str = "TRIBUTARY_OWN_NETWORK";

/// How long a test may take inside.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(600);

/// Says whether this is the inside: then the test does its work, after [`answer_names`]. Outside it runs the test `name`
/// (as the test program calls it) inside, passes on what it printed, and panics when it failed; the caller returns.
/// On a machine that lets nobody make namespaces the test is skipped, with that reason.
///
/// # Panics
/// When the test failed; and in CI, when it cannot be done.
#[track_caller]
pub fn in_own_network(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        act(&["ip", "link", "set", "lo", "up"]);
        return true;
    }
    let ways: [&[&str]; 2] = [&["--net", "--mount"], &["--map-root-user", "--net", "--mount"]];
    let works = |way: &&[&str]| {
        let mut probe = Command::new("unshare");
        probe.args(*way).args(["sh", "-c", "ip link set lo up && mount --bind /dev/null /etc/resolv.conf"]);
        probe.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let Some(way) = ways.into_iter().find(works) else {
        skip("this machine does not let a test have a network of its own");
        return false;
    };
    let program = std::env::current_exe().expect("a test program has a path");
    let mut again = Command::new("unshare");
    again.args(way).arg(program).args(["--exact", name, "--nocapture", "--include-ignored"]).env(INSIDE, "1");
    let finished = run_within(again, LIMIT);
    assert!(finished.success() && finished.stdout().contains("1 passed"), "{finished}");
    eprint!("{}", finished.stderr());
    false
}

/// Inside: has all names answered from `zone` until the value is dropped.
///
/// # Panics
/// When that is refused.
#[track_caller]
pub fn answer_names(sandbox: &Sandbox, zone: Zone) -> NameServer {
    let file = sandbox.join("resolv.conf");
    fs::write(&file, "nameserver 127.0.0.1\noptions timeout:2 attempts:3\n")
        .expect("our own folder can be written");
    act(&["mount", "--bind", file.to_str().expect("our own paths are UTF-8"), "/etc/resolv.conf"]);
    NameServer::start(Ipv4Addr::LOCALHOST, zone).expect("nobody else is here")
}

#[track_caller]
fn act(line: &[&str]) {
    let status = Command::new(line[0]).args(&line[1..]).status();
    assert!(status.is_ok_and(|status| status.success()), "{line:?}");
}
