//! Which way streams to a client go: the fast one where there is one, and the one that always works until that is known.
//!
//! Whether two computers reach each other can only be tried, and where they do not that takes seconds. So the first
//! stream goes in-band at once, the fast way is tried beside it, and counts from the next stream on: what is much goes in
//! several. A fast way that fails is left alone for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use tributary_xmpp::account::FullJid;
use tributary_xmpp::socks5::Socks5Error;

use super::carried::Way;

/// How long a fast way rests that failed for the first, second, … time, and from then on: a computer that has just come
/// may not know us yet, or its network may not be up.
const RESTS: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(20), Duration::from_secs(60)];

/// When a file at the account's server came to nothing, it is tried again after this long: the server may have given all
/// room that it gives in a day.
const FILE_REST: Duration = Duration::from_secs(600);

/// What is known of the ways to each client that is online.
#[derive(Default)]
pub(super) struct Ways(BTreeMap<FullJid, Known>);

#[derive(Default)]
struct Known {
    /// The way of the last stream, whoever opened it.
    last: Option<Way>,
    fast: Fast,
    /// How often it failed since it worked last.
    failures: usize,
    /// Until when nothing goes as a file.
    no_files_until: Option<Instant>,
}

/// Whether there is a fast way.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Fast {
    #[default]
    Unknown,
    /// It is being tried.
    Trying,
    Works,
    /// It rests until then.
    Failed(Instant),
}

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tried {
    Works,
    Fails,
    /// Our own session was away, so the other computer was not even asked.
    Untold,
}

impl From<Socks5Error> for Tried {
    fn from(fault: Socks5Error) -> Tried {
        match fault {
            Socks5Error::Offline => Tried::Untold,
            Socks5Error::NoWay | Socks5Error::Silent | Socks5Error::Broken(_) => Tried::Fails,
        }
    }
}

/// How to open the next stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The fast way, which worked before.
    Fast,
    /// In-band, and the fast way is to be tried beside it.
    InBandAndTry,
    /// In-band.
    InBand,
}

impl Ways {
    /// How to open the next stream to a client. Who is told to try has to say what came of it.
    pub(super) fn next(&mut self, client: &FullJid, now: Instant) -> Next {
        let known = self.0.entry(client.clone()).or_default();
        match known.fast {
            Fast::Works => Next::Fast,
            Fast::Trying => Next::InBand,
            Fast::Failed(until) if now < until => Next::InBand,
            Fast::Unknown | Fast::Failed(_) => {
                known.fast = Fast::Trying;
                Next::InBandAndTry
            }
        }
    }

    /// The fast way was tried.
    pub(super) fn tried(&mut self, client: &FullJid, came_of_it: Tried, now: Instant) {
        let Some(known) = self.0.get_mut(client) else { return };
        match came_of_it {
            Tried::Works => (known.fast, known.failures) = (Fast::Works, 0),
            Tried::Fails => {
                known.fast = Fast::Failed(now + RESTS[known.failures.min(RESTS.len() - 1)]);
                known.failures += 1;
            }
            Tried::Untold if known.fast == Fast::Trying => known.fast = Fast::Unknown,
            Tried::Untold => {}
        }
    }

    /// A stream to or from a client went this way. Says whether that is another one than the last went.
    pub(super) fn went(&mut self, client: &FullJid, way: Way) -> bool {
        let known = self.0.entry(client.clone()).or_default();
        // What is little goes in-band beside the files.
        if way == Way::InBand && known.last == Some(Way::File) && known.no_files_until.is_none() {
            return false;
        }
        known.last.replace(way) != Some(way)
    }

    /// Whether what is much may go to a client as a file, or come from it so: there is no faster way, nor is one being tried,
    /// and files did not fail.
    pub(super) fn may_use_files(&self, client: &FullJid, now: Instant) -> bool {
        self.0.get(client).is_none_or(|known| {
            !matches!(known.fast, Fast::Works | Fast::Trying)
                && known.no_files_until.is_none_or(|until| until <= now)
        })
    }

    /// A file to or from a client came to nothing.
    pub(super) fn file_failed(&mut self, client: &FullJid, now: Instant) {
        self.0.entry(client.clone()).or_default().no_files_until = Some(now + FILE_REST);
    }

    /// The way of the last stream with a client.
    pub(super) fn last(&self, client: &FullJid) -> Option<Way> {
        self.0.get(client)?.last
    }

    /// A client left: where it comes from next is not known.
    pub(super) fn left(&mut self, client: &FullJid) {
        self.0.remove(client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_for_those_who_have_no_faster_way_and_rest_when_they_fail() {
        let (mut ways, now) = (Ways::default(), Instant::now());
        let client: FullJid = "bob@e.example/trib-2".parse().unwrap();
        assert!(ways.may_use_files(&client, now), "who never opened a stream knows of no faster way");
        ways.next(&client, now);
        assert!(!ways.may_use_files(&client, now), "a faster one is being tried");
        ways.tried(&client, Tried::Works, now);
        assert!(!ways.may_use_files(&client, now));
        ways.tried(&client, Tried::Fails, now);
        assert!(ways.may_use_files(&client, now));
        assert!(ways.went(&client, Way::File));
        assert!(!ways.went(&client, Way::InBand), "what is little goes beside it");
        assert_eq!(ways.last(&client), Some(Way::File));
        ways.file_failed(&client, now);
        assert!(!ways.may_use_files(&client, now + FILE_REST / 2));
        assert!(ways.may_use_files(&client, now + FILE_REST));
        assert!(ways.went(&client, Way::InBand));
        assert_eq!(ways.last(&client), Some(Way::InBand));
    }

    #[test]
    fn an_interruption_here_says_nothing_of_the_way_there() {
        let (mut ways, now) = (Ways::default(), Instant::now());
        let client: FullJid = "bob@e.example/trib-2".parse().unwrap();
        assert_eq!(ways.next(&client, now), Next::InBandAndTry);
        ways.tried(&client, Socks5Error::Offline.into(), now);
        assert_eq!(ways.next(&client, now), Next::InBandAndTry, "nobody knows yet");
        ways.tried(&client, Tried::Works, now);
        ways.tried(&client, Socks5Error::Offline.into(), now);
        assert_eq!(ways.next(&client, now), Next::Fast, "it worked, and nothing says that it does no more");
        ways.tried(&client, Socks5Error::NoWay.into(), now);
        assert_eq!(ways.next(&client, now), Next::InBand);
    }

    #[test]
    fn the_fast_way_is_tried_once_and_rests_when_it_fails() {
        let (mut ways, now) = (Ways::default(), Instant::now());
        let client: FullJid = "bob@e.example/trib-2".parse().unwrap();
        assert_eq!(ways.next(&client, now), Next::InBandAndTry);
        assert_eq!(ways.next(&client, now), Next::InBand, "one try is enough");
        ways.tried(&client, Tried::Works, now);
        assert_eq!(ways.next(&client, now), Next::Fast);
        ways.tried(&client, Tried::Fails, now);
        let mut failed = now;
        for rest in RESTS.into_iter().chain([RESTS[2]]) {
            assert_eq!(ways.next(&client, failed + rest / 2), Next::InBand);
            assert_eq!(ways.next(&client, failed + rest), Next::InBandAndTry);
            failed += rest;
            ways.tried(&client, Tried::Fails, failed);
        }
        ways.tried(&client, Tried::Works, failed);
        ways.tried(&client, Tried::Fails, failed);
        assert_eq!(ways.next(&client, failed + RESTS[0]), Next::InBandAndTry, "it had worked again");
        assert!(ways.went(&client, Way::Direct));
        assert!(!ways.went(&client, Way::Direct), "that is no news");
        assert_eq!(ways.last(&client), Some(Way::Direct));
        ways.left(&client);
        assert_eq!(ways.last(&client), None);
        ways.tried(&client, Tried::Works, now);
        assert_eq!(
            ways.next(&client, now),
            Next::InBandAndTry,
            "what was tried with who left counts no more"
        );
    }
}
