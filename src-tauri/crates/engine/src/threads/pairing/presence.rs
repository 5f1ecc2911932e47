//! Since when paired computers are online, or are not, as far as it was seen from here. Who is away since when is kept:
//! the program may have been started anew meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tributary_xmpp::account::DeviceTag;

use crate::config::write_private;
use crate::state::problems::now;

/// What was seen of each paired computer: whether it is there, and since when.
pub(super) struct Presence {
    seen: BTreeMap<DeviceTag, (bool, String)>,
    /// When those left that are away.
    left: BTreeMap<DeviceTag, String>,
    file: PathBuf,
}

impl Presence {
    /// As it was last seen. What cannot be read is not known.
    pub(super) fn load(file: &Path) -> Self {
        let kept: BTreeMap<String, String> =
            std::fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let left = kept.into_iter().filter_map(|(tag, since)| Some((tag.parse().ok()?, since))).collect();
        Self { seen: BTreeMap::new(), left, file: file.into() }
    }

    /// Takes who is paired, and who is there now. `None` while this computer is not online itself: then it sees nobody
    /// leave.
    pub(super) fn look(&mut self, paired: &BTreeSet<DeviceTag>, there: Option<&BTreeSet<DeviceTag>>) {
        let Some(there) = there else { return self.seen.clear() };
        let before = self.left.clone();
        self.seen.retain(|tag, _| paired.contains(tag));
        self.left.retain(|tag, _| paired.contains(tag));
        for tag in paired {
            let is = there.contains(tag);
            match self.seen.get(tag) {
                Some((was, _)) if *was == is => continue,
                // It left before anybody looked: when, was seen in an earlier run, or is not known.
                None if !is => {
                    if let Some(since) = self.left.get(tag) {
                        self.seen.insert(*tag, (false, since.clone()));
                    }
                    continue;
                }
                _ => drop(self.seen.insert(*tag, (is, now()))),
            }
            if is {
                self.left.remove(tag);
            } else {
                self.left.insert(*tag, now());
            }
        }
        if self.left != before {
            self.keep();
        }
    }

    /// Since when it is there, or is not.
    pub(super) fn since(&self, tag: DeviceTag) -> Option<String> {
        self.seen.get(&tag).map(|(_, since)| since.clone())
    }

    fn keep(&self) {
        let kept: BTreeMap<String, &String> =
            self.left.iter().map(|(tag, since)| (tag.to_string(), since)).collect();
        let text = serde_json::to_vec(&kept).expect("plain data always serialises");
        if let Err(error) = write_private(&self.file, &text) {
            tracing::warn!(%error, "since when paired computers are away could not be kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_is_away_since_then_and_who_was_never_seen_is_not() {
        let (laptop, phone) = (DeviceTag::random(), DeviceTag::random());
        let (all, nobody) = (BTreeSet::from([laptop, phone]), BTreeSet::new());
        let there = BTreeSet::from([laptop]);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("presence.json");
        let mut presence = Presence::load(&file);
        presence.look(&all, Some(&there));
        assert!(presence.since(laptop).is_some(), "it came");
        assert_eq!(presence.since(phone), None, "when it went was not seen");
        presence.look(&all, Some(&nobody));
        let left = presence.since(laptop);
        assert!(left.is_some(), "it left");
        let mut again = Presence::load(&file);
        assert_eq!(again.since(laptop), None, "who has just started has seen nobody");
        again.look(&all, Some(&nobody));
        assert_eq!(
            (again.since(laptop), again.since(phone)),
            (left, None),
            "and knows since when it is away"
        );
        presence.look(&all, None);
        assert_eq!(presence.since(laptop), None, "who is away sees nobody");
        presence.look(&all, Some(&there));
        presence.look(&nobody, Some(&there));
        assert_eq!(presence.since(laptop), None, "who is removed is forgotten");
    }
}
