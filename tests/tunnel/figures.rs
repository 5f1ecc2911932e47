//! How fast, and how large: a change of one file, a push of much, and the memory that it takes.
//!
//! A machine that tests is busy, so in CI the push is small, with bars that only a fault misses; `cargo xtask test
//! --full` measures all of it, on a machine that does nothing else. What was measured is printed.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use tributary_testkit::xmpp_servers::{Prosody, XmppServer};
use tributary_testkit::{Process, Sandbox, eventually, free_port, need_all, run_within};

use crate::member::{self, LIMIT, Member, git, text};
use crate::{IN_BAND, Known, converged, knows_of_the_store, machine, pair, sound};

/// Whether the true bars count.
fn full() -> bool {
    std::env::var_os("TRIBUTARY_FULL").is_some()
}

/// Two paired computers at a server without limits.
#[track_caller]
fn two(sandbox: &Sandbox, server: &Prosody, env: &[(&str, &str)]) -> Vec<Member> {
    let at = Some(server.starttls_port());
    let mut members: Vec<Member> =
        ["anna", "ben"].iter().map(|name| machine(sandbox, name, server, at, env)).collect();
    let store = sandbox.dir("drive");
    members[0].store(&store);
    pair(&mut members, server);
    knows_of_the_store(&members[1]);
    members[1].store(&store);
    members
}

#[test]
fn a_change_of_one_file_is_seen_soon() {
    // What a busy machine makes of it says nothing.
    if !full() || !need_all(Prosody::NEEDS) {
        return;
    }
    let (rounds, bar) = (41, Duration::from_millis(500));
    for (way, env) in [("by the best way", &[][..]), ("through the session", &[IN_BAND][..])] {
        let (sandbox, server) = (Sandbox::new(), member::server());
        let members = two(&sandbox, &server, env);
        members[0].write("first", "1");
        eventually(3 * LIMIT, "the first change comes", || members[1].read("first"));
        let mut took: Vec<Duration> = (0..rounds)
            .map(|round| {
                converged(&members);
                let (file, there) = (format!("{round}"), members[1].dir.join(format!("{round}")));
                let began = Instant::now();
                members[0].write(&file, "1");
                // Looked for often: this is what is measured.
                while !there.exists() {
                    assert!(began.elapsed() < 3 * LIMIT, "it does not come: {:#}", members[1].status());
                    std::thread::sleep(Duration::from_millis(2));
                }
                began.elapsed()
            })
            .collect();
        took.sort();
        let (p50, most) = (took[took.len() / 2], took[took.len() - 1]);
        eprintln!(
            "one file, save to visible, {way}: p50 {} ms, most {} ms",
            p50.as_millis(),
            most.as_millis()
        );
        assert!(p50 <= bar, "{way}: {took:?}");
    }
}

/// The most memory that a process has held, in bytes. From Linux's proc(5).
#[track_caller]
fn most_memory(member: &Member) -> u64 {
    let pid = member.node.pid().expect("the daemon runs");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[test]
fn a_push_of_much_is_not_much_slower_than_without_us_and_takes_no_more_memory() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let (megabytes, bar) = if full() { (100, 0.30) } else { (12, 0.01) };
    let (sandbox, server) = (Sandbox::new(), member::server());
    let mut members = two(&sandbox, &server, &[]);
    let url =
        format!("xmpp::{}@{}/{}", member::USER, server.domain(), Known::of(&members[1], &server).repository);
    let on_anna = |args: &[&str]| {
        let mut command = members[0].node.machine().command("git");
        command.current_dir(sandbox.path()).args(args);
        run_within(command, 10 * LIMIT)
    };
    eventually(3 * LIMIT, "ben is reached directly", || {
        on_anna(&["ls-remote", &url]);
        members[0].run(["peers"]).stdout().contains("reached directly").then_some(())
    });

    let history = sandbox.join("history");
    on_anna(&["init", "-q", "-b", "much", text(&history)]).ok();
    let mut noise = 0x2545_f491_4f6c_dd1d_u64;
    for megabyte in 0..megabytes {
        let words = std::iter::repeat_with(|| {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            noise.to_le_bytes()
        });
        let content: Vec<u8> = words.take(131_072).flatten().collect();
        std::fs::write(history.join(format!("{megabyte}")), content).expect("our own folder can be written");
        if megabyte % 10 == 9 || megabyte + 1 == megabytes {
            on_anna(&["-C", text(&history), "add", "."]).ok();
            on_anna(&["-C", text(&history), "commit", "-q", "-m", "more"]).ok();
        }
    }
    // Both pushes send what is packed already.
    on_anna(&["-C", text(&history), "repack", "-a", "-d", "-q"]).ok();

    let plain = sandbox.dir("plain");
    on_anna(&["init", "-q", "--bare", text(&plain)]).ok();
    let (daemon, port) = daemon(&sandbox, &members[0]);
    let pushed = |to: &str, name: &str| {
        let began = Instant::now();
        on_anna(&["-C", text(&history), "push", "-q", to, &format!("much:{name}")]).ok();
        f64::from(megabytes) / began.elapsed().as_secs_f64()
    };
    let without = pushed(&format!("git://127.0.0.1:{port}/plain"), "refs/heads/synced/much");
    let before = members.iter().map(most_memory).collect::<Vec<_>>();
    let with = pushed(&url, "refs/heads/synced/much");
    let grown: Vec<u64> =
        members.iter().zip(before).map(|(member, before)| most_memory(member) - before).collect();
    drop(daemon);
    eprintln!(
        "{megabytes} MB: {with:.0} MB/s directly between paired computers, {without:.0} MB/s over plain TCP, {:.0} %; \
         memory grew by {} and {} kB",
        100.0 * with / without,
        grown[0] / 1024,
        grown[1] / 1024
    );
    assert!(with / without >= bar, "{with} of {without} MB/s");
    assert!(grown.iter().all(|grown| *grown < 48 << 20), "{grown:?} bytes for {megabytes} MB");
    let tip = git(members[0].node.machine(), &history, &["rev-parse", "much"]);
    assert_eq!(members[1].git(&["rev-parse", "synced/much"]), tip);
    sound(&mut members);
}

/// git's own server of everything in the sandbox, over plain TCP.
#[track_caller]
fn daemon(sandbox: &Sandbox, member: &Member) -> (Process, u16) {
    let port = free_port();
    let mut command = member.node.machine().command("git");
    let base = format!("--base-path={}", text(sandbox.path()));
    let port_of = format!("--port={port}");
    command.args(["daemon", "--reuseaddr", "--listen=127.0.0.1", "--export-all", "--enable=receive-pack"]);
    command.args([&port_of, &base]);
    let process = Process::spawn("git daemon", command, Path::new(&sandbox.join("daemon.log")));
    eventually(LIMIT, "git's server answers", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok());
    (process, port)
}
