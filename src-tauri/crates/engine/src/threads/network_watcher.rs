//! Network watcher: hears from the system when an address or a link comes or goes, so that the account reconnects at
//! once and places are looked at again.
//!
//! Waits on a netlink route socket (rtnetlink(7)): no polling, and no desktop service has to run. Several messages in a
//! moment are one change. Ends when told to stop, or when there is no such socket: then time limits do the work.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::folder_facts::Ask;
use crate::state::folders::Folders;
use crate::threads::account::AccountAsk;

/// Multicast groups of route netlink: links, and addresses of both families. Source: linux/rtnetlink.h.
const GROUPS: u32 = 0x1 | 0x10 | 0x100;

/// A network comes up in several steps; after this much quiet it is worth trying.
const QUIET: Duration = Duration::from_millis(500);

/// The network watcher's wiring.
pub(crate) struct NetworkWatcher {
    pub(crate) account: mpsc::UnboundedSender<AccountAsk>,
    pub(crate) folders: Folders,
}

/// Runs until told to stop.
pub(crate) async fn run(watcher: NetworkWatcher, stop: CancellationToken) {
    let socket = match open() {
        Ok(socket) => socket,
        Err(error) => {
            tracing::info!(%error, "changes of the network cannot be heard");
            return;
        }
    };
    while let Some(Ok(())) = stop.run_until_cancelled(changed(&socket)).await {
        // More of the same change follows.
        while let Ok(Ok(())) = tokio::time::timeout(QUIET, changed(&socket)).await {}
        if stop.is_cancelled() {
            return;
        }
        tracing::debug!("the network changed");
        watcher.account.send(AccountAsk::NetworkChanged).ok();
        watcher.folders.tell_all(|| Ask::Sync);
    }
}

fn open() -> std::io::Result<AsyncFd<OwnedFd>> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    // Route netlink is protocol 0, the family's default.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
    #[expect(
        deprecated,
        reason = "unsound only for types that lend their descriptor out; an OwnedFd keeps its own"
    )]
    AsyncFd::new(socket)
}

/// Ends when a message came; what it says does not matter.
async fn changed(socket: &AsyncFd<OwnedFd>) -> std::io::Result<()> {
    let mut message = [0u8; 8192];
    loop {
        let mut ready = socket.readable().await?;
        match recv(socket.get_ref(), &mut message[..], RecvFlags::empty()) {
            Err(Errno::AGAIN) => ready.clear_ready(),
            // More came than the socket holds: that is a change too.
            Ok(_) | Err(Errno::NOBUFS) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
