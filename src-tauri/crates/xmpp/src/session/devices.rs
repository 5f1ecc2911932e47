//! The own account's other devices: whose states the server shall push, and which are online.

use std::collections::{BTreeMap, BTreeSet};

use crate::account::{DeviceTag, FullJid};
use crate::wire::disco::MAX_DEVICES;

/// The devices known, without this one. Bounded, whatever a server or a mad client makes up.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    known: BTreeSet<DeviceTag>,
    online: BTreeMap<FullJid, DeviceTag>,
}

impl Devices {
    /// Learns of a device. Says whether it is a new one, so that the capabilities have to be told again.
    pub(crate) fn learn(&mut self, device: DeviceTag) -> bool {
        self.known.len() < MAX_DEVICES && self.known.insert(device)
    }

    /// As [`Devices::learn`], of one that is there: when there is no room, one that is not, and that nobody `spares`,
    /// makes it.
    pub(crate) fn learn_present(&mut self, device: DeviceTag, spares: impl Fn(DeviceTag) -> bool) -> bool {
        if self.known.len() >= MAX_DEVICES && !self.known.contains(&device) {
            let online: BTreeSet<_> = self.online.values().collect();
            let absent = self.known.iter().copied().find(|known| !online.contains(known) && !spares(*known));
            if let Some(absent) = absent {
                self.known.remove(&absent);
            }
        }
        self.learn(device)
    }

    /// Forgets a device that is gone for good.
    pub(crate) fn forget(&mut self, device: DeviceTag) {
        self.known.remove(&device);
    }

    /// All that are known.
    pub(crate) fn known(&self) -> &BTreeSet<DeviceTag> {
        &self.known
    }

    /// A client is there. Says whether that is news.
    pub(crate) fn came(&mut self, jid: FullJid, device: DeviceTag) -> bool {
        let room = self.online.len() < MAX_DEVICES || self.online.contains_key(&jid);
        room && self.online.insert(jid, device) != Some(device)
    }

    /// A client left. Gives its device, if it was one of ours.
    pub(crate) fn left(&mut self, jid: &FullJid) -> Option<DeviceTag> {
        self.online.remove(jid)
    }

    /// Some devices are none of ours any more. Gives their clients that were there.
    pub(crate) fn left_with(&mut self, devices: &[DeviceTag]) -> BTreeMap<FullJid, DeviceTag> {
        let (left, stay) =
            std::mem::take(&mut self.online).into_iter().partition(|(_, device)| devices.contains(device));
        self.online = stay;
        left
    }

    /// The clients that are there.
    pub(crate) fn online(&self) -> impl Iterator<Item = &FullJid> {
        self.online.keys()
    }

    /// A new session begins: nobody is known to be there. Gives those who were.
    pub(crate) fn all_left(&mut self) -> BTreeMap<FullJid, DeviceTag> {
        std::mem::take(&mut self.online)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_are_told_once() {
        let mut devices = Devices::default();
        let (jid, tag): (FullJid, _) = ("alice@p.test/trib-1".parse().unwrap(), DeviceTag::random());
        assert!(devices.learn(tag) && !devices.learn(tag));
        assert!(devices.came(jid.clone(), tag) && !devices.came(jid.clone(), tag));
        assert_eq!((devices.left(&jid), devices.left(&jid)), (Some(tag), None));
    }

    #[test]
    fn who_is_there_has_room_among_many_that_left_no_more_than_a_node() {
        let mut devices = Devices::default();
        while devices.learn(DeviceTag::random()) {}
        let mine = DeviceTag::random();
        assert!(
            !devices.learn(mine)
                && devices.learn_present(mine, |_| false)
                && !devices.learn_present(mine, |_| false)
        );
        assert!(devices.known().contains(&mine) && devices.known().len() == MAX_DEVICES);
        devices.came("alice@p.test/trib-1".parse().unwrap(), mine);
        for _ in 0..2 * MAX_DEVICES {
            devices.learn_present(DeviceTag::random(), |_| false);
        }
        assert!(devices.known().contains(&mine), "nobody who is there has to go");
        assert!(!devices.learn_present(DeviceTag::random(), |_| true), "nor does anybody who is spared");
    }

    #[test]
    fn made_up_devices_take_bounded_room() {
        let mut devices = Devices::default();
        for at in 0..10 * MAX_DEVICES {
            devices.learn(DeviceTag::random());
            devices.came(format!("alice@p.test/trib-{at}").parse().unwrap(), DeviceTag::random());
        }
        assert_eq!((devices.known().len(), devices.online().count()), (MAX_DEVICES, MAX_DEVICES));
    }
}
