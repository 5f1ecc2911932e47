//! The line: what there is to talk to other devices with while the account is online.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tributary_xmpp::account::{BareJid, DeviceTag, FullJid};
use tributary_xmpp::courier::Courier;

/// The account's session, as far as others than the account thread may use it.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// The account.
    pub(crate) account: BareJid,
    /// The address that the server gave us.
    pub(crate) address: FullJid,
    /// The mark of this device's states.
    pub(crate) tag: DeviceTag,
    /// Carries the packets of pairings.
    pub(crate) courier: Courier,
}

/// The line and who is on it, told by the account thread. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    line: Arc<watch::Sender<Option<Line>>>,
    present: Arc<watch::Sender<BTreeMap<DeviceTag, FullJid>>>,
}

impl Default for Lines {
    fn default() -> Self {
        Self { line: Arc::new(watch::channel(None).0), present: Arc::new(watch::channel(BTreeMap::new()).0) }
    }
}

impl Lines {
    /// The line; `None` while the account is not online.
    pub(crate) fn now(&self) -> Option<Line> {
        self.line.borrow().clone()
    }

    /// Follows the line.
    pub(crate) fn changes(&self) -> watch::Receiver<Option<Line>> {
        self.line.subscribe()
    }

    /// Where the devices are that are online: those of the account, and paired ones of others.
    pub(crate) fn present(&self) -> watch::Receiver<BTreeMap<DeviceTag, FullJid>> {
        self.present.subscribe()
    }

    /// The account is online with this session.
    pub(crate) fn up(&self, line: Line) {
        self.line.send_if_modified(|known| {
            // One that was resumed is the same one.
            let same = known.as_ref().is_some_and(|known| known.address == line.address);
            *known = Some(line);
            !same
        });
    }

    /// A new session begins, in which nobody is known to be there.
    pub(crate) fn anew(&self, line: Line) {
        self.present.send_replace(BTreeMap::new());
        self.line.send_replace(Some(line));
    }

    /// The account is not online.
    pub(crate) fn down(&self) {
        self.line.send_if_modified(|known| known.take().is_some());
        self.present.send_if_modified(|known| !std::mem::take(known).is_empty());
    }

    /// A device came.
    pub(crate) fn came(&self, device: DeviceTag, address: FullJid) {
        self.present.send_if_modified(|known| known.insert(device, address.clone()) != Some(address));
    }

    /// A device left from this address. It may be at another one already.
    pub(crate) fn left(&self, device: DeviceTag, address: &FullJid) {
        self.present.send_if_modified(|known| {
            let there = known.get(&device) == Some(address);
            if there {
                known.remove(&device);
            }
            there
        });
    }
}
