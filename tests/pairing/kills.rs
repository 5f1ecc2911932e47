//! Kills at random moments of a join: it goes on until both are connected, or nothing of it is left on either side and a
//! new invitation works. What a person has put into the folder is never lost.

use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use tributary_testkit::{eventually, run_within, seed};

use crate::member::{LIMIT, Member, git};
use crate::party::{ANN, BEN, Pairs, Party, id, said};

/// It goes through the server, on a machine that has other things to do, with a program that has just been started again.
const LONG: Duration = LIMIT.saturating_mul(3);

/// Seconds after which an engine gives up a stream that is stuck: what a kill leaves is settled after a few of these.
const PATIENCE: &str = "10";

/// How many times each is killed. A joiner finds out about itself at once, and about its inviter after a while.
fn rounds(victim: Victim) -> usize {
    match victim {
        _ if std::env::var_os("TRIBUTARY_FULL").is_some() => 30,
        Victim::Joiner => 7,
        Victim::Inviter => 3,
    }
}

/// Who is killed.
#[derive(Clone, Copy)]
enum Victim {
    Joiner,
    Inviter,
}

/// Two computers that join and part again and again.
struct Couple {
    ann: Member,
    ben: Member,
    /// Where Ben's folders are, one for each join.
    place: PathBuf,
    joins: usize,
}

#[test]
fn a_joiner_that_is_killed_at_any_moment_goes_on_or_leaves_nothing() {
    let Some(party) = Party::new() else { return };
    kills(&party, Victim::Joiner);
}

#[test]
fn an_inviter_that_is_killed_at_any_moment_goes_on_or_leaves_nothing() {
    let Some(party) = Party::new() else { return };
    kills(&party, Victim::Inviter);
}

fn kills(party: &Party, victim: Victim) {
    let mut random = StdRng::seed_from_u64(seed());
    let mut couple = Couple::of(party);
    // How long it takes here and now, from the first word until both are connected.
    let began = Instant::now();
    couple.new_folder();
    couple.ben.joins(&said(&couple.ann.invites(&["--accept"]), "link"), &[]).ok();
    couple.are_connected();
    let takes = began.elapsed();
    couple.part();
    for round in 0..rounds(victim) {
        // A little beyond, too: what comes right after may be interrupted as well.
        let moment = takes.mul_f64(random.random_range(0.0..1.2));
        let by_code = random.random_bool(0.3);
        eprintln!(
            "round {round}: killed {moment:?} after the join began, of {takes:?}; by a code: {by_code}"
        );
        let began = Instant::now();
        couple.join_with_a_kill(party, victim, moment, by_code);
        couple.part();
        eprintln!("round {round} took {:?}", began.elapsed());
    }
    couple.ann.node.stop();
    couple.ben.node.stop();
    // A place that everybody uses is whole, whoever was killed while it was written to. While somebody writes, git takes
    // what it has not read yet for missing.
    git(&party.sandbox, &party.sandbox.join("names.git"), &["fsck", "--strict", "--connectivity-only"]);
}

impl Couple {
    #[track_caller]
    fn of(party: &Party) -> Couple {
        let impatient = |machine: &mut tributary_testkit::Sandbox| {
            machine.set("TRIBUTARY_STREAM_PATIENCE", PATIENCE);
        };
        let ann = party.inviter_at(party.computer_with("ann", ANN, impatient));
        let ben = party.computer_with("ben", BEN, impatient);
        let place = ben.dir.parent().expect("it lies in Ben's own place").to_owned();
        Couple { ann, ben, place, joins: 0 }
    }

    fn new_folder(&mut self) {
        self.joins += 1;
        self.ben.dir = self.place.join(format!("folder-{}", self.joins));
    }

    #[track_caller]
    fn join_with_a_kill(&mut self, party: &Party, victim: Victim, moment: Duration, by_code: bool) {
        self.new_folder();
        let invitation = self.ann.invites(&["--accept"]);
        let text = said(&invitation, if by_code { "code" } else { "link" });
        let mut args = vec!["join".to_owned(), text, self.ben.path().to_owned(), "--yes".to_owned()];
        if by_code {
            args.extend(["--from".to_owned(), party.jid(ANN)]);
        }
        let join = self.ben.node.command(args);
        let mine = self.ben.dir.join("mine.txt");
        let put_in = std::thread::scope(|scope| {
            let joining = scope.spawn(|| run_within(join, LONG));
            // The moment itself is what is tried out: there is no signal to wait for.
            sleep(moment);
            let node = match victim {
                Victim::Joiner => &mut self.ben.node,
                Victim::Inviter => &mut self.ann.node,
            };
            node.kill();
            // A person does not wait for programs: where there is a folder, something is put in.
            let put_in = fs::write(&mine, "put in by a person").is_ok();
            node.start_daemon();
            joining.join().expect("the command does not panic");
            put_in
        });
        self.ann.comes_online();
        self.ben.comes_online();
        let joined = self.is_settled();
        eprintln!("it {}", if joined { "went on" } else { "left nothing" });
        if !joined {
            self.is_clean_at_both();
            if put_in {
                assert_eq!(fs::read_to_string(&mine).ok().as_deref(), Some("put in by a person"));
            }
            // It is anybody's folder now.
            self.new_folder();
            self.ben.joins(&said(&self.ann.invites(&["--accept"]), "link"), &[]).ok();
        }
        self.are_connected();
        if put_in && joined {
            eventually(LONG, "what a person put in is at both", || self.ann.read("mine.txt"));
            assert_eq!(self.ben.read("mine.txt").as_deref(), Some("put in by a person"));
            self.ann.delete("mine.txt");
            eventually(LONG, "it is gone again", || self.ben.read("mine.txt").is_none().then_some(()));
        }
        self.ben.awaits(&self.ann.files());
        self.has_the_places();
    }

    /// Waits until the try is over at the joiner, and gives whether it came to be.
    #[track_caller]
    fn is_settled(&self) -> bool {
        eventually(LONG, "the try is settled", || {
            // What is not settled is in its journal, before a person sees it too.
            let journal = fs::read(self.ben.node.home().join("config/joining.json")).unwrap_or_default();
            let open: Value = serde_json::from_slice(&journal).unwrap_or_default();
            let none = open.as_array().is_none_or(Vec::is_empty);
            let pairings = self.ben.node.json(["peers"])["pairings"].clone();
            (none && pairings.as_array()?.is_empty()).then_some(())
        });
        // What is shown may lag behind: what is kept does not.
        let kept = fs::read(self.ben.node.home().join("config/peers.json")).unwrap_or_default();
        let kept: Value = serde_json::from_slice(&kept).unwrap_or_default();
        kept["peers"].as_array().is_some_and(|peers| !peers.is_empty())
    }

    /// Nobody is paired, on either side, once the invitation is withdrawn.
    #[track_caller]
    fn is_clean_at_both(&self) {
        self.withdraws();
        for computer in [&self.ben, &self.ann] {
            computer.is_clean();
        }
        let status = self.ben.node.json(["status"]);
        assert_eq!(status["folders"].as_array().map(Vec::len), Some(0), "nothing is synced: {status:#}");
    }

    /// Takes back the invitations that are open.
    #[track_caller]
    fn withdraws(&self) {
        let pairings = self.ann.node.json(["peers"])["pairings"].clone();
        for pairing in pairings.as_array().expect("pairings are listed") {
            // It may end by itself meanwhile.
            self.ann.node.trib(["decline", &said(pairing, "id")]);
        }
    }

    #[track_caller]
    fn are_connected(&self) {
        for (one, other) in [(&self.ann, &self.ben), (&self.ben, &self.ann)] {
            let id = id(other);
            eventually(LONG, &format!("{} is connected with {}", one.name(), other.name()), || {
                let peer = one.peers().into_iter().find(|peer| peer["id"] == id)?;
                (peer["connected"] == true).then_some(())
            });
        }
    }

    /// The storage set-up came along, whatever happened.
    #[track_caller]
    fn has_the_places(&self) {
        eventually(LONG, "the places are used", || {
            let remotes = self.ben.node.json(["remote", "list", self.ben.path()]);
            let used = |name: &str| {
                let is_it = |remote: &Value| remote["name"] == name && remote["url"] != "";
                remotes.as_array().is_some_and(|remotes| remotes.iter().any(is_it))
            };
            (used("names") && used("store")).then_some(())
        });
    }

    /// They are strangers again, and Ben's folder is his alone.
    #[track_caller]
    fn part(&mut self) {
        self.ben.run(["remove", self.ben.path()]);
        for peer in self.ann.peers() {
            // It may have heard of it from Ben.
            self.ann.node.trib(["unpair", &said(&peer, "id")]);
        }
        self.withdraws();
        for computer in [&self.ann, &self.ben] {
            computer.is_clean();
        }
    }
}
