//! A TCP proxy in front of a server that can cut connections, or swallow what passes while they stay open.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// A proxy on a free port of the loopback. Its connections are cut when it is dropped, and its threads end.
#[derive(Debug)]
pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    pairs: Mutex<Vec<Pair>>,
    seen: AtomicUsize,
    turns_away: AtomicBool,
    swallows_new: AtomicBool,
    closed: AtomicBool,
}

/// A client's connection and the one to the server that goes with it.
#[derive(Debug)]
struct Pair {
    ends: [TcpStream; 2],
    swallows: Arc<AtomicBool>,
}

impl FaultProxy {
    /// Starts a proxy to a port of the loopback.
    ///
    /// # Panics
    ///
    /// When no port is free.
    pub fn start(target: u16) -> FaultProxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.closed.load(Ordering::SeqCst) {
                    return;
                }
                accepting.seen.fetch_add(1, Ordering::SeqCst);
                if accepting.turns_away.load(Ordering::SeqCst) {
                    continue;
                }
                // A client that cannot be joined is turned away by its end being dropped, as by a server that is down.
                let swallows = accepting.swallows_new.load(Ordering::SeqCst);
                if let Ok(pair) = Pair::join(client, target, swallows) {
                    accepting.pairs().push(pair);
                }
            }
        });
        FaultProxy { port, shared }
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many clients have connected so far, those that were turned away included.
    pub fn seen(&self) -> usize {
        self.shared.seen.load(Ordering::SeqCst)
    }

    /// Cuts all connections. New ones pass.
    pub fn cut(&self) {
        self.shared.pairs().drain(..).for_each(|pair| pair.cut());
    }

    /// Whether new connections are turned away, as by a network that is down.
    pub fn turn_away(&self, turn_away: bool) {
        self.shared.turns_away.store(turn_away, Ordering::SeqCst);
    }

    /// Swallows from now on all that comes on the connections that are open now, as a network does that lost its way:
    /// they stay open. New ones pass.
    pub fn swallow(&self) {
        self.shared.pairs().iter().for_each(|pair| pair.swallows.store(true, Ordering::SeqCst));
    }

    /// Swallows all that comes on new connections too, as in front of a server that hangs.
    pub fn swallow_new(&self) {
        self.shared.swallows_new.store(true, Ordering::SeqCst);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the accepting thread, so that it sees the flag; when it is gone already, all the better.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl Shared {
    fn pairs(&self) -> MutexGuard<'_, Vec<Pair>> {
        self.pairs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pair {
    fn join(client: TcpStream, target: u16, swallows: bool) -> io::Result<Pair> {
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, target))?;
        let swallows = Arc::new(AtomicBool::new(swallows));
        for (from, to) in [(&client, &server), (&server, &client)] {
            to.set_nodelay(true)?;
            let (from, to, swallows) = (from.try_clone()?, to.try_clone()?, Arc::clone(&swallows));
            thread::spawn(move || pass(from, to, &swallows));
        }
        Ok(Pair { ends: [client, server], swallows })
    }

    fn cut(self) {
        for end in self.ends {
            // One that has ended already is as cut as it can be.
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

/// Passes bytes until either end is gone; what is swallowed is read all the same, so that the sender notices nothing.
fn pass(mut from: TcpStream, mut to: TcpStream, swallows: &AtomicBool) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if !swallows.load(Ordering::SeqCst) && to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    if !swallows.load(Ordering::SeqCst) {
        // It may be gone already.
        let _ = to.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn echo_server() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || {
                    let mut copy = client.try_clone().expect("a socket can be doubled");
                    io::copy(&mut copy, &mut client)
                });
            }
        });
        port
    }

    fn say(stream: &mut TcpStream) -> io::Result<u8> {
        stream.set_read_timeout(Some(Duration::from_millis(200)))?;
        stream.write_all(b"x")?;
        let mut byte = [0];
        stream.read_exact(&mut byte).map(|()| byte[0])
    }

    #[test]
    fn passes_swallows_and_cuts() {
        let proxy = FaultProxy::start(echo_server());
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).expect("the proxy listens");
        let mut first = connect();
        assert_eq!(say(&mut first).ok(), Some(b'x'));
        proxy.swallow();
        let error = say(&mut first).expect_err("nothing comes back").kind();
        assert_eq!(error, io::ErrorKind::WouldBlock, "but the connection stands");
        let mut second = connect();
        assert_eq!(say(&mut second).ok(), Some(b'x'), "a new connection passes");
        proxy.swallow_new();
        let error = say(&mut connect()).expect_err("nothing comes back").kind();
        assert_eq!(error, io::ErrorKind::WouldBlock, "and now none");
        assert_eq!(say(&mut second).ok(), Some(b'x'), "one that stood before does");
        proxy.turn_away(true);
        assert!(say(&mut connect()).is_err(), "unless it is turned away");
        proxy.cut();
        assert!(say(&mut second).is_err(), "a cut one does not pass");
    }
}
