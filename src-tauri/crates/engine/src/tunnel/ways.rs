//! Which way streams to a client go: the fast one where there is one, and the one that always works until that is known.
//!
//! Whether two computers reach each other can only be tried, and where they do not that takes seconds. So the first
//! stream goes in-band at once, the fast way is tried beside it, and counts from the next stream on: what is much goes in
//! several. A fast way that fails is left alone for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use tributary_xmpp::account::FullJid;

use super::carried::Way;

/// A fast way that failed is tried again after this long.
const REST: Duration = Duration::from_secs(60);

/// What is known of the ways to each client that is online.
#[derive(Default)]
pub(super) struct Ways(BTreeMap<FullJid, Known>);

#[derive(Default)]
struct Known {
    /// The way of the last stream, whoever opened it.
    last: Option<Way>,
    fast: Fast,
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
    pub(super) fn tried(&mut self, client: &FullJid, works: bool, now: Instant) {
        if let Some(known) = self.0.get_mut(client) {
            known.fast = if works { Fast::Works } else { Fast::Failed(now + REST) };
        }
    }

    /// A stream to or from a client went this way. Says whether that is another one than the last went.
    pub(super) fn went(&mut self, client: &FullJid, way: Way) -> bool {
        self.0.entry(client.clone()).or_default().last.replace(way) != Some(way)
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
    fn the_fast_way_is_tried_once_and_rests_when_it_fails() {
        let (mut ways, now) = (Ways::default(), Instant::now());
        let client: FullJid = "bob@e.example/trib-2".parse().unwrap();
        assert_eq!(ways.next(&client, now), Next::InBandAndTry);
        assert_eq!(ways.next(&client, now), Next::InBand, "one try is enough");
        ways.tried(&client, true, now);
        assert_eq!(ways.next(&client, now), Next::Fast);
        ways.tried(&client, false, now);
        assert_eq!(ways.next(&client, now + REST / 2), Next::InBand);
        assert_eq!(ways.next(&client, now + REST), Next::InBandAndTry);
        assert!(ways.went(&client, Way::Direct));
        assert!(!ways.went(&client, Way::Direct), "that is no news");
        assert_eq!(ways.last(&client), Some(Way::Direct));
        ways.left(&client);
        assert_eq!(ways.last(&client), None);
        ways.tried(&client, true, now);
        assert_eq!(
            ways.next(&client, now),
            Next::InBandAndTry,
            "what was tried with who left counts no more"
        );
    }
}
