//! Computers of their own, as far as the network goes: each is a network namespace, joined to others by cables.
//!
//! For tests that have a network of their own already ([`in_own_network`](crate::in_own_network)); that one is a computer
//! too, where the servers are.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::deadline::eventually;
use crate::process::{Process, run};
use crate::sandbox::Sandbox;

/// How long a program may take to start; generous, as the machine may be busy.
const START_LIMIT: Duration = Duration::from_secs(30);

/// What a wiretap runs: writes everything that a device sends and gets to a file. 3: packets of all protocols.
const WIRETAP: &str = r#"
import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind((sys.argv[1], 0))
with open(sys.argv[2], "wb", buffering=0) as seen:
    while True:
        seen.write(wire.recv(1 << 17))
"#;

/// A computer of its own. Its network goes with this value; programs that run there are for others to end.
#[derive(Debug)]
pub struct Computer {
    name: String,
    folder: PathBuf,
    /// Keeps the namespace; ends with the test in any case, since its input does.
    holder: Process,
}

/// One end of a cable.
#[derive(Debug, Clone, Copy)]
pub struct Plug<'a> {
    /// Where it is; none: the computer where the test runs.
    pub computer: Option<&'a Computer>,
    /// What the device is called there, at most 15 letters.
    pub device: &'a str,
    /// Its address, with the length of the network's (`10.77.1.2/24`).
    pub address: &'a str,
}

/// Hears all that goes over a cable, at one of its ends. What comes faster than it listens it misses.
#[derive(Debug)]
pub struct Wiretap {
    file: PathBuf,
    _program: Process,
}

impl Computer {
    /// The programs it needs, for [`need_all`](crate::need_all).
    pub const NEEDS: &'static [&'static str] = &["unshare", "nsenter", "ip", "python3"];

    /// Makes one that knows nobody but itself.
    ///
    /// # Panics
    ///
    /// When that is not possible.
    #[track_caller]
    pub fn new(sandbox: &Sandbox, name: &str) -> Computer {
        let folder = sandbox.dir(format!("{name}.computer"));
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", "ip link set lo up && echo up && exec cat"]);
        let log = folder.join("holder");
        let holder = Process::spawn_with_input("a computer", command.stdin(Stdio::piped()), &log);
        eventually(START_LIMIT, "the computer is up", || holder.log().contains("up").then_some(()));
        Computer { name: name.to_owned(), folder, holder }
    }

    /// Runs `ip ARGUMENTS` there.
    ///
    /// # Panics
    ///
    /// When it fails.
    #[track_caller]
    pub fn ip(&self, arguments: &str) {
        run(self.inside("ip", arguments.split(' '))).ok();
    }

    /// A program that runs another one there, with the arguments that it gets.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    #[track_caller]
    pub fn program(&self, program: &Path) -> PathBuf {
        let name = program.file_name().expect("a program has a name");
        let path = self.folder.join(name);
        let script = format!("#!/bin/sh\nexec nsenter {} '{}' \"$@\"\n", self.network(), program.display());
        fs::write(&path, script).expect("our own folder can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode can be set");
        path
    }

    /// How many bytes a device of it got.
    ///
    /// # Panics
    ///
    /// When there is no such device.
    #[track_caller]
    pub fn received(&self, device: &str) -> u64 {
        let devices = run(self.inside("cat", ["/proc/net/dev"])).text();
        let counted = devices.lines().find_map(|line| {
            let numbers = line.trim().strip_prefix(device)?.strip_prefix(':')?;
            numbers.split_whitespace().next()?.parse().ok()
        });
        counted.unwrap_or_else(|| panic!("{} has no {device}: {devices}", self.name))
    }

    /// Listens at a device.
    ///
    /// # Panics
    ///
    /// When that is not possible.
    #[track_caller]
    pub fn listen(&self, device: &str) -> Wiretap {
        let file = self.folder.join(format!("{device}.seen"));
        let command =
            self.inside("python3", ["-c", WIRETAP, device, file.to_str().expect("our paths are UTF-8")]);
        let tap = Process::spawn("a wiretap", command, &self.folder.join("wiretap"));
        // It makes the file when it listens.
        eventually(START_LIMIT, "the wiretap listens", || file.exists().then_some(()));
        Wiretap { file, _program: tap }
    }

    fn network(&self) -> String {
        format!("--net=/proc/{}/ns/net", self.holder.pid())
    }

    fn inside<'a>(&self, program: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(self.network()).arg(program).args(arguments);
        command
    }
}

impl Wiretap {
    /// What it has heard so far.
    ///
    /// # Panics
    ///
    /// When that cannot be read.
    #[track_caller]
    pub fn seen(&self) -> Vec<u8> {
        fs::read(&self.file).expect("our own folder can be read")
    }
}

/// Joins two computers by a cable (`veth`), over which they speak IPv4.
///
/// # Panics
///
/// When that is not possible.
#[track_caller]
pub fn cable(ends: [Plug<'_>; 2]) {
    // One's own process stands for the namespace where the test runs.
    let place = |end: Plug<'_>| end.computer.map_or_else(std::process::id, |there| there.holder.pid());
    let [near, far] = ends.map(|end| (end.device, place(end).to_string()));
    let mut add = Command::new("ip");
    add.args([
        "link", "add", near.0, "netns", &near.1, "type", "veth", "peer", "name", far.0, "netns", &far.1,
    ]);
    run(add).ok();
    for end in ends {
        let lines = [
            // Addresses that come by themselves come a while later, and a network that changes interrupts programs.
            format!("link set {} addrgenmode none", end.device),
            format!("address add {} dev {}", end.address, end.device),
            format!("link set {} up", end.device),
        ];
        for line in lines {
            match end.computer {
                Some(computer) => computer.ip(&line),
                None => _ = run(here(&line)).ok(),
            }
        }
    }
}

fn here(arguments: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(arguments.split(' '));
    command
}
