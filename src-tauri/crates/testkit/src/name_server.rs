//! A name server that knows what a test tells it, for programs that find each other by SRV records.
//!
//! Answers A, AAAA and SRV questions over UDP. Source: RFC 1035 section 4, RFC 2782.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a server that hears nothing looks whether it is wanted any more.
const LOOK: Duration = Duration::from_millis(100);

const A: u16 = 1;
const SRV: u16 = 33;

/// A running name server. It ends when it is dropped.
#[derive(Debug)]
pub struct NameServer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What it knows. Names are in lower case, without the dot at their end.
#[derive(Debug, Clone, Default)]
pub struct Zone {
    hosts: BTreeMap<String, Ipv4Addr>,
    services: BTreeMap<String, (String, u16)>,
}

impl Zone {
    /// A host has an address.
    #[must_use]
    pub fn host(mut self, name: &str, address: Ipv4Addr) -> Zone {
        self.hosts.insert(name.to_owned(), address);
        self
    }

    /// A service (`_xmpp-client._tcp`) of a domain is at a port of the host of that name.
    #[must_use]
    pub fn service(mut self, service: &str, domain: &str, port: u16) -> Zone {
        self.services.insert(format!("{service}.{domain}"), (domain.to_owned(), port));
        self
    }

    /// The answer to a question; `None` when it is none.
    fn answer(&self, question: &[u8]) -> Option<Vec<u8>> {
        let (name, end) = name_at(question, 12)?;
        let kind = u16::from_be_bytes(question.get(end..end + 2)?.try_into().ok()?);
        let record = match kind {
            A => self.hosts.get(&name).map(|address| address.octets().to_vec()),
            SRV => self.services.get(&name).map(|(host, port)| {
                // Priority and weight are nobody's concern where there is one.
                [&[0; 4], &port.to_be_bytes()[..], &labels(host)].concat()
            }),
            _ => None,
        };
        let exists = self.hosts.contains_key(&name) || self.services.contains_key(&name);
        // An answer of the one who knows, recursion as asked for; 3: there is no such name.
        let flags: u16 = 0x8580 | if exists { 0 } else { 3 };
        let counts = [1, u16::from(record.is_some()), 0, 0];
        let mut answer = [question.get(..2)?, &flags.to_be_bytes()].concat();
        counts.iter().for_each(|count| answer.extend(count.to_be_bytes()));
        answer.extend(question.get(12..end + 4)?);
        if let Some(record) = record {
            // The name as it stands in the question, class IN, good for a moment only.
            answer.extend([0xc0, 12]);
            answer.extend(kind.to_be_bytes());
            answer.extend([0, 1, 0, 0, 0, 1]);
            answer.extend(u16::try_from(record.len()).expect("names of tests are short").to_be_bytes());
            answer.extend(record);
        }
        Some(answer)
    }
}

impl NameServer {
    /// Starts one on this address, port 53.
    ///
    /// # Errors
    /// When the port is taken, or not for us: it is below 1024.
    pub fn start(address: Ipv4Addr, zone: Zone) -> io::Result<NameServer> {
        let socket = UdpSocket::bind((address, 53))?;
        socket.set_read_timeout(Some(LOOK))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut question = [0; 1500];
            while !stopped.load(Ordering::SeqCst) {
                let Ok((length, from)) = socket.recv_from(&mut question) else { continue };
                if let Some(answer) = zone.answer(&question[..length]) {
                    // Who asked asks again.
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Ok(NameServer { stop, thread: Some(thread) })
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // It panicked, or it did not; the test is over.
            let _ = thread.join();
        }
    }
}

/// The name at a place of a message, and the place behind it.
fn name_at(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels: Vec<String> = Vec::new();
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        match length {
            0 => return Some((labels.join(".").to_ascii_lowercase(), at)),
            // A question has no references to what was said before.
            1..64 => labels.push(String::from_utf8_lossy(message.get(at..at + length)?).into_owned()),
            _ => return None,
        }
        at += length;
    }
}

fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).expect("labels are short"));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(name: &str, kind: u16) -> Vec<u8> {
        [&[7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &labels(name), &kind.to_be_bytes(), &[0, 1]].concat()
    }

    #[test]
    fn says_what_it_was_told_and_that_there_is_no_more() {
        let zone = Zone::default().host("p.example", Ipv4Addr::new(127, 0, 0, 2)).service(
            "_xmpp-client._tcp",
            "p.example",
            5222,
        );
        let counts = |answer: &[u8]| (answer[3] & 15, answer[7]);
        let answer = zone.answer(&question("P.example", A)).unwrap();
        assert_eq!(counts(&answer), (0, 1));
        assert!(answer.ends_with(&[0, 4, 127, 0, 0, 2]));
        let answer = zone.answer(&question("_xmpp-client._tcp.p.example", SRV)).unwrap();
        assert_eq!(counts(&answer), (0, 1));
        assert!(answer.ends_with(&[&5222_u16.to_be_bytes()[..], &labels("p.example")].concat()));
        assert_eq!(
            counts(&zone.answer(&question("p.example", 28)).unwrap()),
            (0, 0),
            "it has no such address"
        );
        assert_eq!(counts(&zone.answer(&question("q.example", A)).unwrap()), (3, 0), "there is no such name");
        for cut in 0..16 {
            assert_eq!(zone.answer(&question("p.example", A)[..cut]), None, "{cut}");
        }
    }
}
