//! From what people carried to the key that the handshake is made with.
//!
//! A code is short, so it goes through SPAKE2: who does not know it learns one guess's worth from each try, and nothing
//! by listening. A link's 128 bits are used as they are. Source: RFC 9382, and this crate's README, "Pairing".

use sha2::{Digest as _, Sha256};
use spake2::{Ed25519Group, Identity, Password, Spake2};
use zeroize::Zeroizing;

use super::{Code, Link, PairingError};
use crate::account::FullJid;

/// The key in front of the handshake.
pub(crate) type PreShared = Zeroizing<[u8; 32]>;

/// One side of a key agreement by code. Good for one answer.
pub(crate) struct Agreement {
    state: Spake2<Ed25519Group>,
    own: Vec<u8>,
}

impl Agreement {
    /// Begins; [`message`](Self::message) goes to the other side.
    pub(crate) fn new(code: &Code, inviter: &FullJid, joiner: &FullJid) -> Agreement {
        let password = Password::new(code.password().as_bytes());
        // Both addresses are in it: a key agreed on with one is none with another.
        let (low, high) = if inviter <= joiner { (inviter, joiner) } else { (joiner, inviter) };
        let identity = format!("tributary pairing 1\0{}\0{}", low.as_str(), high.as_str());
        let (state, own) =
            Spake2::<Ed25519Group>::start_symmetric(&password, &Identity::new(identity.as_bytes()));
        Agreement { state, own }
    }

    /// This side's message.
    pub(crate) fn message(&self) -> &[u8] {
        &self.own
    }

    /// The key, from the other side's message. Whether both have the same shows in the handshake.
    pub(crate) fn finish(self, theirs: &[u8]) -> Result<PreShared, PairingError> {
        // Sent back to its sender, a message makes a key that only the sender knows: nobody agrees with himself.
        if theirs == self.own {
            return Err(PairingError::Untrustworthy);
        }
        let key = self.state.finish(theirs).map_err(|_| PairingError::Untrustworthy)?;
        Ok(derive(b"code", &Zeroizing::new(key)))
    }
}

/// The key of a link.
pub(crate) fn of_link(link: &Link) -> PreShared {
    derive(b"link", link.secret())
}

fn derive(kind: &[u8], secret: &[u8]) -> PreShared {
    let hash = Sha256::new().chain_update(b"tributary pairing 1\0").chain_update(kind).chain_update(b"\0");
    Zeroizing::new(hash.chain_update(secret).finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_agreed_on_by_those_with_the_code_at_these_addresses() {
        let [alice, bob, mallory] =
            ["alice@p.test/1", "bob@e.test/2", "mallory@e.test/3"].map(|at| at.parse::<FullJid>().unwrap());
        let (right, wrong): (Code, Code) =
            ("7-guitar-tonic".parse().unwrap(), "7-guitar-tiger".parse().unwrap());
        let agree = |a: Agreement, b: Agreement| {
            let (from_a, from_b) = (a.message().to_vec(), b.message().to_vec());
            a.finish(&from_b).unwrap() == b.finish(&from_a).unwrap()
        };
        let at = |code, inviter, joiner| Agreement::new(code, inviter, joiner);
        assert!(agree(at(&right, &alice, &bob), at(&right, &alice, &bob)));
        assert!(!agree(at(&right, &alice, &bob), at(&wrong, &alice, &bob)));
        assert!(!agree(at(&right, &alice, &bob), at(&right, &alice, &mallory)), "it was meant for Bob");
        let mirror = at(&right, &alice, &bob);
        let own = mirror.message().to_vec();
        assert_eq!(mirror.finish(&own).err(), Some(PairingError::Untrustworthy));
        assert!(at(&right, &alice, &bob).finish(b"garbage").is_err());
    }
}
