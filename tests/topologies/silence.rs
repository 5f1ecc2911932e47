//! Silence: nothing is committed, pushed, stored or said for a while.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tributary_testkit::xmpp_servers::{Prosody, XmppServer};
use tributary_testkit::{Process, eventually};

use crate::member::{LIMIT, Member, SHORT};

/// The events of a node that does something for others.
const DEEDS: [&str; 6] =
    ["commitMade", "changesArrived", "transferStarted", "transferEnded", "pushFinished", "conflictKept"];

/// How long nothing may happen: the time that is promised, or a part of it that leaves time for other tests.
fn span() -> Duration {
    Duration::from_secs(if env::var_os("TRIBUTARY_FULL").is_some() { 30 } else { 10 })
}

/// Watches every node, point and the server for a while, in which nothing may happen.
///
/// # Panics
///
/// With what happened.
#[track_caller]
pub fn assert_silent(members: &[Member], points: &[PathBuf], server: &Prosody) {
    // A hint leaves a moment after the push that it speaks of: the last one is waited for.
    eventually(LIMIT, "the talk of the nodes ends", || {
        let before = said(server).len();
        thread::sleep(SHORT);
        (said(server).len() == before).then_some(())
    });
    let mut watches: Vec<_> = members.iter().map(watch).collect();
    let gits: Vec<_> = members.iter().map(|member| member.dir.join(".git")).collect();
    let before = (still(points), heads(&gits), said(server));
    // Time is what is tested here: there is no sign to wait for when nothing happens.
    thread::sleep(span());
    let after = (still(points), heads(&gits), said(server));
    for (member, watch) in members.iter().zip(&mut watches) {
        let deeds: Vec<_> = events(&watch.log()).into_iter().filter(is_deed).collect();
        assert!(deeds.is_empty(), "{} is not silent: {deeds:#?}", member.name());
        assert!(watch.exited().is_none(), "the watch of {} held: {}", member.name(), watch.log());
    }
    let moved: Vec<_> = after.0.iter().filter(|(path, stat)| before.0.get(*path) != Some(stat)).collect();
    assert!(moved.is_empty() && after.0.len() == before.0.len(), "the points are not still: {moved:#?}");
    assert_eq!(before.1, after.1, "a ref moved");
    let new = &after.2[before.2.len()..];
    assert!(new.is_empty(), "the nodes told each other something: {new:#?}");
}

/// A running `trib status --watch`, which has shown the state it starts from.
fn watch(member: &Member) -> Process {
    let log = member.node.machine().join("watch.log");
    let command = member.node.command(["status", member.path(), "--watch", "--json"]);
    let watch = Process::spawn("trib status --watch", command, &log);
    eventually(LIMIT, "the watch shows where it starts", || watch.log().contains('\n').then_some(()));
    watch
}

/// The events after the first line, which is the snapshot.
fn events(log: &str) -> Vec<Value> {
    let lines = log.lines().skip(1);
    lines.map(|line| serde_json::from_str(line).expect("each line of a watch is JSON")).collect()
}

fn is_deed(event: &Value) -> bool {
    let kind = event["event"]["type"].as_str().expect("an event has a type");
    DEEDS.contains(&kind)
}

/// When what lies in the points was changed last, the folders too: a file that came and went shows in its folder.
fn still(points: &[PathBuf]) -> BTreeMap<PathBuf, (i64, i64, u64)> {
    let mut found = BTreeMap::new();
    let mut left = points.to_vec();
    while let Some(path) = left.pop() {
        let stat = fs::symlink_metadata(&path).expect("nobody removes anything from a silent point");
        if stat.is_dir() {
            let entries = fs::read_dir(&path).expect("a point can be read");
            left.extend(entries.map(|entry| entry.expect("a point can be read").path()));
        }
        found.insert(path, (stat.mtime(), stat.mtime_nsec(), stat.len()));
    }
    found
}

/// The branches that commits go to.
fn heads(gits: &[PathBuf]) -> Vec<Option<String>> {
    let heads =
        gits.iter().flat_map(|git| ["refs/heads/master", "refs/heads/git-annex"].map(|name| git.join(name)));
    heads.map(|head: PathBuf| read(&head)).collect()
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// What clients have told or published. Questions (pings, the look at who is there) do not count.
fn said(server: &Prosody) -> Vec<String> {
    let log = server.log();
    let from_client = log.lines().filter_map(|line| line.split_once("Received[c2s]: "));
    let told = |stanza: &str| {
        let published = stanza.starts_with("<iq") && stanza.contains("type='set'");
        published || stanza.starts_with("<message") || stanza.starts_with("<presence")
    };
    from_client.filter(|(_, stanza)| told(stanza)).map(|(when, stanza)| format!("{when}{stanza}")).collect()
}
