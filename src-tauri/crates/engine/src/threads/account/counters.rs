//! The counters of hints: ours, which only grows, and the last one that was taken of each other device. They are on disk
//! before what they count leaves, or is acted on.
//!
//! Each start begins a new epoch, which is above all that this device ever said: its counter may have been lost, or set
//! back with an older copy of this file, and nobody would hear it until it had counted as far again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tributary_formats::uuid::RepoUuid;
use tributary_xmpp::device::DeviceId;
use tributary_xmpp::hints::{Counter, DeviceState, FolderState, News, ReceivedState, Replays};

use crate::config::write_private;

/// What has to be remembered so that nothing is replayed: our counter and those of the other devices.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Counters {
    pub(super) epoch: u64,
    pub(super) seq: u64,
    seen: BTreeMap<String, (u64, u64)>,
    /// The same of sealed hints: device, its repository, epoch and number.
    #[serde(default)]
    sealed: Vec<(String, RepoUuid, u64, u64)>,
}

impl Counters {
    /// Reads the counters, and begins a new epoch.
    pub(super) fn load(file: &Path) -> Self {
        let kept = std::fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let mut counters: Self = kept.unwrap_or_default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        // A clock that was set back does not take us back.
        counters.epoch = now.max(counters.epoch.saturating_add(1));
        counters.seq = 0;
        counters
    }

    /// Counts one publication, on disk before it leaves.
    pub(super) fn next(&mut self, file: &Path) {
        self.seq += 1;
        self.save(file);
    }

    /// Whether this is newer than what was seen of that device; remembers it.
    pub(super) fn is_news(&mut self, received: &ReceivedState, file: &Path) -> bool {
        let now = (received.counter.epoch, received.counter.seq);
        let seen = self.seen.entry(received.device.to_string()).or_default();
        if now <= *seen {
            return false;
        }
        *seen = now;
        self.save(file);
        true
    }

    fn save(&self, file: &Path) {
        let text = serde_json::to_vec(self).expect("plain data always serialises");
        if let Err(error) = write_private(file, &text) {
            tracing::warn!(%error, "the hint counters could not be kept");
        }
    }

    pub(super) fn state(&self, states: &[(PathBuf, FolderState)]) -> DeviceState {
        DeviceState {
            counter: Counter { epoch: self.epoch, seq: self.seq },
            folders: states.iter().map(|(_, state)| state.clone()).collect(),
        }
    }

    /// Whether a sealed hint is newer than those that were taken; remembers it.
    pub(super) fn is_sealed_news(&mut self, news: &News, file: &std::path::Path) -> bool {
        let taken = |(device, repository, epoch, seq): &(String, RepoUuid, u64, u64)| {
            let device: DeviceId = device.parse().ok()?;
            Some((device, repository.clone(), Counter { epoch: *epoch, seq: *seq }))
        };
        let mut replays: Replays = self.sealed.iter().filter_map(taken).collect();
        let newer = replays.is_news(news);
        if newer {
            let keep = |(device, repository, counter): (DeviceId, &RepoUuid, Counter)| {
                (device.to_string(), repository.clone(), counter.epoch, counter.seq)
            };
            self.sealed = replays.iter().map(keep).collect();
            self.save(file);
        }
        newer
    }
}

#[cfg(test)]
mod tests {
    use tributary_xmpp::device::DeviceKeys;
    use tributary_xmpp::hints::Tips;

    use super::*;

    #[test]
    fn what_was_taken_is_not_taken_again_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hints.json");
        let device = DeviceKeys::generate().public().id();
        let news = |seq| News {
            device,
            repository: RepoUuid::parse("theirs").unwrap(),
            tips: Tips::default(),
            counter: Counter { epoch: 1, seq },
            time: 0,
        };
        let mut counters = Counters::load(&file);
        assert!(counters.is_sealed_news(&news(2), &file) && !counters.is_sealed_news(&news(2), &file));
        let mut again = Counters::load(&file);
        assert!(!again.is_sealed_news(&news(2), &file) && !again.is_sealed_news(&news(1), &file));
        assert!(again.is_sealed_news(&news(3), &file));
    }

    #[test]
    fn what_is_said_after_a_loss_is_newer_than_all_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hints.json");
        let said = |counters: &Counters| (counters.epoch, counters.seq);
        let mut counters = Counters::load(&file);
        counters.next(&file);
        let older = std::fs::read(&file).unwrap();
        (0..100).for_each(|_| counters.next(&file));
        let last = said(&counters);
        // A clock that was an hour ahead then, and is right now.
        counters.epoch += 3600;
        counters.next(&file);
        let mut ahead = Counters::load(&file);
        ahead.next(&file);
        assert!(said(&ahead) > said(&counters));
        // What an older copy has is known to be over, whatever it counted.
        let mut back: Counters = serde_json::from_slice(&older).unwrap();
        back.epoch -= 1;
        std::fs::write(&file, serde_json::to_vec(&back).unwrap()).unwrap();
        let mut restored = Counters::load(&file);
        restored.next(&file);
        assert!(said(&restored) > (last.0 - 1, u64::MAX));
    }
}
