//! Any connected graph: nodes with transfer points in between, of which no two share more than one, converge and then
//! fall silent.
//!
//! A point is a bare repository that holds contents; the nodes hear of each other's pushes by hints of their common
//! account. Every node adds, edits and deletes at the same time, and all of them change one file.

#[path = "../member.rs"]
mod member;
mod silence;

use std::path::PathBuf;
use std::time::Instant;

use tributary_testkit::xmpp_servers::Prosody;
use tributary_testkit::{Sandbox, Snapshot, differences, eventually, need_all, within};

use crate::member::{LIMIT, Member, bare, git, server, text};

/// Longest that a graph takes on a busy machine: what counts is that it comes to an end.
const CONVERGENCE: std::time::Duration = std::time::Duration::from_secs(180);

/// Nodes of each graph.
const NODES: usize = 4;

#[test]
fn line() {
    converges_and_falls_silent(&[(0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (3, 2)]);
}

#[test]
fn ring() {
    converges_and_falls_silent(&[(0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (0, 3)]);
}

#[test]
fn star() {
    converges_and_falls_silent(&[(0, 0), (1, 0), (0, 1), (2, 1), (0, 2), (3, 2)]);
}

/// Nodes, points, and who tells them of each other.
struct Graph {
    members: Vec<Member>,
    points: Vec<PathBuf>,
    server: Prosody,
    sandbox: Sandbox,
}

#[track_caller]
fn converges_and_falls_silent(links: &[(usize, usize)]) {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let begun = Instant::now();
    let graph = Graph::build(links);
    let built = begun.elapsed();
    graph.change_everywhere();
    let files = graph.converged();
    let converged = begun.elapsed() - built;
    eprintln!("built in {:.1} s, converged in {:.1} s", built.as_secs_f64(), converged.as_secs_f64());
    for node in 0..NODES {
        assert!(files.contains_key(format!("of {node}/new").as_bytes()), "what {node} added is everywhere");
        assert!(!files.contains_key(format!("of {node}/gone").as_bytes()), "what {node} deleted is nowhere");
    }
    let variants = files.keys().filter(|path| path.starts_with(b"all.variant-")).count();
    assert_eq!(variants, NODES, "every version of the file that all changed is kept: {:?}", files.keys());
    graph.falls_silent();
    let silent = begun.elapsed() - built - converged;
    eprintln!("silent, as far as it was watched, after {:.1} s", silent.as_secs_f64());
}

impl Graph {
    /// Starts everything. The first node makes the folder; each other one gets it from the first of its points.
    #[track_caller]
    fn build(links: &[(usize, usize)]) -> Self {
        let (sandbox, server) = (Sandbox::new(), server());
        let count = links.iter().map(|(_, point)| point + 1).max().unwrap_or(0);
        let points: Vec<_> = (0..count).map(|point| bare(&sandbox, &format!("point{point}.git"))).collect();
        let mut members = Vec::new();
        for node in 0..NODES {
            let member = Member::start(&sandbox, &format!("node{node}"));
            member.log_in(&server);
            let mut own = links.iter().filter(|(end, _)| *end == node).map(|(_, point)| *point);
            if node == 0 {
                member.add();
                for other in 0..NODES {
                    member.write(&format!("of {other}/kept"), format!("kept {other}"));
                    member.write(&format!("of {other}/edited"), "before");
                    member.write(&format!("of {other}/gone"), format!("gone {other}"));
                }
                member.write("all", "of nobody yet");
            } else if let Some(first) = own.next() {
                member.clone_from(&points[first]);
            }
            for point in own {
                member.remote(&format!("point{point}"), &[text(&points[point]), "--contents"]);
            }
            member.wait();
            members.push(member);
        }
        let graph = Graph { members, points, server, sandbox };
        graph.converged();
        graph
    }

    /// Every node changes something of its own, and all of them one file, before any hears of another.
    #[track_caller]
    fn change_everywhere(&self) {
        for member in &self.members {
            member.run(["pause", member.path()]);
        }
        for (node, member) in self.members.iter().enumerate() {
            member.write(&format!("of {node}/new"), format!("new {node}"));
            member.write(&format!("of {node}/edited"), format!("edited by {node}"));
            member.delete(&format!("of {node}/gone"));
            member.write("all", format!("of {node}"));
        }
        for member in &self.members {
            member.run(["resume", member.path()]);
        }
    }

    /// Waits until every node has the same files and every repository the same history, and gives the files.
    #[track_caller]
    fn converged(&self) -> Snapshot {
        let same = within(CONVERGENCE, || {
            let files = self.members[0].files();
            let same_files = self.members.iter().all(|member| member.files() == files);
            let histories = self.histories();
            (same_files && histories.iter().all(|history| *history == histories[0])).then_some(files)
        });
        same.unwrap_or_else(|| {
            let first = self.members[0].files();
            for member in &self.members {
                eprintln!("{}: {:#}", member.name(), member.status());
                eprintln!("{}", differences(&first, &member.files()));
            }
            panic!("the graph did not converge; branch and git-annex branch of each: {:#?}", self.histories())
        })
    }

    /// What branch and git-annex branch are at, in the nodes and at the points.
    #[track_caller]
    fn histories(&self) -> Vec<(String, String)> {
        // A branch that is not there yet is an empty line.
        let at = |dir: &PathBuf, name: &str| {
            git(&self.sandbox, dir, &["for-each-ref", "--format=%(objectname)", name])
        };
        let repositories = self.members.iter().map(|member| &member.dir).chain(&self.points);
        repositories.map(|dir| (at(dir, "refs/heads/master"), at(dir, "refs/heads/git-annex"))).collect()
    }

    #[track_caller]
    fn falls_silent(&self) {
        // What a last fetch finds to be known already is the end of the talk.
        for member in &self.members {
            member.wait();
            eventually(LIMIT, "the node knows that it is done", || {
                (member.status()["state"] == "upToDate").then_some(())
            });
        }
        silence::assert_silent(&self.members, &self.points, &self.server);
    }
}
