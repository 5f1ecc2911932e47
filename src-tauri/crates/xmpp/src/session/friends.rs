//! Paired devices of other accounts: whose states are believed, and whose presence is asked for and given.

use std::collections::{BTreeMap, BTreeSet};

use crate::account::{BareJid, DeviceTag};

/// The paired devices of other accounts, by their tags. Each is believed on its own account's word alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Friends(BTreeMap<DeviceTag, BareJid>);

impl Friends {
    /// The account of a device; `None` when it is no friend's.
    pub(crate) fn account(&self, device: DeviceTag) -> Option<&BareJid> {
        self.0.get(&device)
    }

    /// Whether this account speaks for this device.
    pub(crate) fn are(&self, account: &BareJid, device: DeviceTag) -> bool {
        self.account(device) == Some(account)
    }

    /// Whether any device is this account's.
    pub(crate) fn has(&self, account: &BareJid) -> bool {
        self.0.values().any(|of| of == account)
    }

    /// The devices.
    pub(crate) fn devices(&self) -> impl Iterator<Item = DeviceTag> {
        self.0.keys().copied()
    }

    /// The devices of an account.
    pub(crate) fn of(&self, account: &BareJid) -> Vec<DeviceTag> {
        self.0.iter().filter(|(_, of)| *of == account).map(|(device, _)| *device).collect()
    }

    /// The accounts.
    pub(crate) fn accounts(&self) -> BTreeSet<BareJid> {
        self.0.values().cloned().collect()
    }
}

impl FromIterator<(DeviceTag, BareJid)> for Friends {
    fn from_iter<I: IntoIterator<Item = (DeviceTag, BareJid)>>(paired: I) -> Friends {
        Friends(paired.into_iter().collect())
    }
}
