//! Since when paired computers are online, or are not, as far as it was seen from here.

use std::collections::{BTreeMap, BTreeSet};

use tributary_xmpp::account::DeviceTag;

use crate::state::problems::now;

/// What was seen of each paired computer: whether it is there, and since when.
#[derive(Default)]
pub(super) struct Presence {
    seen: BTreeMap<DeviceTag, (bool, String)>,
}

impl Presence {
    /// Takes who is paired, and who is there now. `None` while this computer is not online itself: then it sees nobody
    /// leave.
    pub(super) fn look(&mut self, paired: &BTreeSet<DeviceTag>, there: Option<&BTreeSet<DeviceTag>>) {
        let Some(there) = there else { return self.seen.clear() };
        self.seen.retain(|tag, _| paired.contains(tag));
        for tag in paired {
            let is = there.contains(tag);
            match self.seen.get(tag) {
                Some((was, _)) if *was == is => {}
                // When it left before anybody looked is not known.
                None if !is => {}
                _ => drop(self.seen.insert(*tag, (is, now()))),
            }
        }
    }

    /// Since when it is there, or is not.
    pub(super) fn since(&self, tag: DeviceTag) -> Option<String> {
        self.seen.get(&tag).map(|(_, since)| since.clone())
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
        let mut presence = Presence::default();
        presence.look(&all, Some(&there));
        assert!(presence.since(laptop).is_some(), "it came");
        assert_eq!(presence.since(phone), None, "when it went was not seen");
        presence.look(&all, Some(&nobody));
        assert!(presence.since(laptop).is_some(), "it left");
        presence.look(&all, None);
        assert_eq!(presence.since(laptop), None, "who is away sees nobody");
        presence.look(&all, Some(&there));
        presence.look(&nobody, Some(&there));
        assert_eq!(presence.since(laptop), None, "who is removed is forgotten");
    }
}
