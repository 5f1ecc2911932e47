//! Packets that have to arrive: sent again when nobody answered, which does no harm.

use std::time::Duration;

use tributary_xmpp::account::FullJid;
use tributary_xmpp::courier::{Courier, CourierError};
use tributary_xmpp::pairing::Packet;

/// How often a packet that nobody answered is sent, and how long each try waits when there is no line.
const SENDING: (u32, Duration) = (5, Duration::from_secs(5));

/// Sends a packet whose answer does not matter, until there is one, or nobody is there.
pub(crate) fn insist(courier: Courier, to: FullJid, packet: Packet) {
    tokio::spawn(async move {
        for _ in 0..SENDING.0 {
            match courier.send(&to, packet.clone()).await {
                Ok(_) | Err(CourierError::NotThere) => return,
                Err(CourierError::Silent) => {}
                Err(CourierError::Offline) => tokio::time::sleep(SENDING.1).await,
            }
        }
    });
}
