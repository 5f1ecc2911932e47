//! The invitation link, also shown as a QR code: where the inviter is, and a secret of 128 bits. Good once, for seven
//! days.
//!
//! `tributary:join/1/ADDRESS/HEX`: the inviter's full address, percent-encoded, then in hex 4 bytes slot, 8 bytes expiry
//! (seconds since 1970), 16 bytes secret, and the first 4 bytes of the SHA-256 of everything before (the text up to the
//! last slash, then the bytes), numbers highest first. The sum finds a link that was cut or altered before anybody is
//! asked.

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{CLOCK_SLACK, FIRST_LINK_SLOT, PairingError, Seconds, Slot};
use crate::account::FullJid;

const SCHEME: &str = "tributary:join/";
const VERSION: &str = "1";
/// Longer is no link: addresses have limits too.
const MAX_LENGTH: usize = 12_000;
/// Bytes behind the address, without the sum.
const BODY: usize = 4 + 8 + 16;
const SUM: usize = 4;

/// A link. `Display` is the link itself; `Debug` hides the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    inviter: FullJid,
    slot: Slot,
    expires: Seconds,
    secret: Zeroizing<[u8; 16]>,
}

impl Link {
    /// Makes a link to an inviter.
    pub(crate) fn random(inviter: FullJid, slot: Slot, expires: Seconds) -> Link {
        Link { inviter, slot, expires, secret: Zeroizing::new(rand::random()) }
    }

    /// The inviter's address.
    pub fn inviter(&self) -> &FullJid {
        &self.inviter
    }

    /// Its number there.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// When it stops to be good, by the inviter's clock.
    pub fn expires(&self) -> Seconds {
        self.expires
    }

    /// The secret.
    pub(crate) fn secret(&self) -> &[u8; 16] {
        &self.secret
    }

    /// Whether it is over, whichever of both clocks is wrong by two days. The inviter's own clock decides.
    pub(crate) fn is_long_over(&self, now: Seconds) -> bool {
        now > self.expires.saturating_add(CLOCK_SLACK)
    }

    fn head(&self) -> String {
        let mut head = format!("{SCHEME}{VERSION}/");
        for byte in self.inviter.as_str().bytes() {
            if is_plain(byte) {
                head.push(char::from(byte));
            } else {
                // Writing to a string does not fail.
                let _ = write!(head, "%{byte:02X}");
            }
        }
        head
    }

    fn body(&self) -> Zeroizing<Vec<u8>> {
        let slot = self.slot.0.to_be_bytes();
        Zeroizing::new([slot.as_slice(), &self.expires.to_be_bytes(), self.secret.as_slice()].concat())
    }
}

/// Letters that no program changes on a link's way.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'@')
}

fn sum(head: &str, body: &[u8]) -> [u8; SUM] {
    let hash = Sha256::new().chain_update(head).chain_update(body).finalize();
    hash[..SUM].try_into().expect("a hash has 32 bytes")
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
            u8::try_from(high * 16 + low).ok()?
        } else {
            byte
        });
    }
    String::from_utf8(bytes).ok()
}

impl FromStr for Link {
    type Err = PairingError;

    fn from_str(text: &str) -> Result<Link, PairingError> {
        let text = text.trim();
        let damaged = PairingError::LinkDamaged;
        let rest = text.strip_prefix(SCHEME).filter(|_| text.len() <= MAX_LENGTH).ok_or(damaged)?;
        let (version, rest) = rest.split_once('/').ok_or(damaged)?;
        if version != VERSION {
            let newer = !version.is_empty() && version.bytes().all(|digit| digit.is_ascii_digit());
            return Err(if newer { PairingError::LinkNewer } else { damaged });
        }
        let (address, digits) = rest.rsplit_once('/').ok_or(damaged)?;
        let mut bytes = Zeroizing::new([0; BODY + SUM]);
        hex::decode_to_slice(digits, bytes.as_mut_slice()).map_err(|_| damaged)?;
        let (body, expected) = bytes.split_at(BODY);
        let head = &text[..text.len() - digits.len() - 1];
        if sum(head, body) != *expected {
            return Err(damaged);
        }
        let inviter = percent_decoded(address).and_then(|text| text.parse().ok()).ok_or(damaged)?;
        let (slot, body) = body.split_first_chunk::<4>().ok_or(damaged)?;
        let (expires, secret) = body.split_first_chunk::<8>().ok_or(damaged)?;
        let slot = u32::from_be_bytes(*slot);
        if slot < FIRST_LINK_SLOT {
            return Err(damaged);
        }
        Ok(Link {
            inviter,
            slot: Slot(slot),
            expires: u64::from_be_bytes(*expires),
            secret: Zeroizing::new(secret.try_into().map_err(|_| damaged)?),
        })
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (head, body) = (self.head(), self.body());
        let digits = Zeroizing::new(hex::encode(body.as_slice()));
        write!(f, "{head}/{}{}", digits.as_str(), hex::encode(sum(&head, &body)))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({} at {})", self.slot, self.inviter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(address: &str) -> Link {
        Link::random(address.parse().unwrap(), Slot(123_456), 1_795_400_000)
    }

    #[test]
    fn links_come_back() {
        for address in ["alice@p.test/trib-1a2b3c4d", "ålice@p.test/Anna's phone/2", "a%b@p.test/x"] {
            let link = link(address);
            let text = link.to_string();
            assert!(text.bytes().all(|b| is_plain(b) || matches!(b, b':' | b'/' | b'%')), "{text}");
            assert_eq!(text.parse::<Link>().unwrap(), link);
            assert_eq!(format!(" {text}\n").parse::<Link>().unwrap(), link, "as it is pasted");
        }
        assert!(!format!("{:?}", link("alice@p.test/x")).contains("alice"), "links do not reach a log");
    }

    #[test]
    fn cut_and_altered_links_are_found() {
        let text = link("alice@p.test/trib-1a2b3c4d").to_string();
        for cut in 0..text.len() {
            assert!(text[..cut].parse::<Link>().is_err(), "{}", &text[..cut]);
            assert!(text[cut..].parse::<Link>().is_err() || cut == 0);
            let mut altered = text.clone().into_bytes();
            altered[cut] = if altered[cut] == b'1' { b'2' } else { b'1' };
            let altered = String::from_utf8(altered).unwrap();
            let error = altered.parse::<Link>().unwrap_err();
            assert!(matches!(error, PairingError::LinkDamaged | PairingError::LinkNewer), "{altered}");
        }
        let newer = text.replacen("join/1/", "join/2/", 1);
        assert_eq!(newer.parse::<Link>(), Err(PairingError::LinkNewer));
        assert_eq!("x".repeat(20_000).parse::<Link>(), Err(PairingError::LinkDamaged));
    }
}
