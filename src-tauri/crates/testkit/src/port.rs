//! Free TCP ports on the loopback.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Below Linux's range for outgoing connections (32768 and up), so that none of those takes a port between the moment
/// it was found free and the moment the server under test binds it.
const RANGE: std::ops::Range<u16> = 15_000..32_000;

/// The ports that this process was given already: two servers that start at the same time must not meet.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A TCP port of 127.0.0.1 on which nobody listens; never the same twice in one process.
///
/// # Panics
///
/// When no port is free.
pub fn free_port() -> u16 {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..10_000 {
        // Random, because other test processes look for ports at the same moment.
        let port = rand::random_range(RANGE);
        if !given.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            given.insert(port);
            return port;
        }
    }
    panic!("no free port in {RANGE:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_and_can_be_bound() {
        let ports: BTreeSet<u16> = (0..50).map(|_| free_port()).collect();
        assert_eq!(ports.len(), 50, "no port twice");
        for port in ports {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a free port can be bound");
        }
    }
}
