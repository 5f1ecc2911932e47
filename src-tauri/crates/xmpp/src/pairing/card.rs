//! Who a device is: what both sides show each other in the handshake, and people see.

use super::PairingError;
use super::handshake::Handshake;
use crate::account::{DeviceTag, FullJid};
use crate::device::{DeviceKeys, PublicKeys, Signed};
use crate::fields::{Reader, Writer, cut, is_deceptive};

/// Longest name of a device, in bytes.
const MAX_NAME: usize = 100;

const KEYS: u8 = 1;
const TAG: u8 = 2;
const NAME: u8 = 3;
const PROOF: u8 = 4;

/// A device as the other side knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// What it is known by.
    pub keys: PublicKeys,
    /// The mark of its states.
    pub tag: DeviceTag,
    /// What its person calls it; at most 100 bytes without control characters.
    pub name: String,
    /// Where it is; its account is what a person knows.
    pub address: FullJid,
}

/// Which side a card is of: one cannot be shown back to its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Inviter,
    Joiner,
}

impl Card {
    /// This device's own card. What a name may not hold is left out of it.
    pub fn own(keys: &DeviceKeys, tag: DeviceTag, name: &str, address: FullJid) -> Card {
        let shown: String = name.chars().filter(|letter| !is_deceptive(*letter)).collect();
        let name = cut(&shown, MAX_NAME).to_owned();
        Card { keys: keys.public(), tag, name, address }
    }

    /// The card as the next message of a handshake says it, with a proof that the signing key is ours too.
    pub(crate) fn show(&self, own: &DeviceKeys, role: Role, handshake: &Handshake) -> Vec<u8> {
        let proof = own.sign(Signed::Card, &role.claim(&handshake.transcript()));
        let fields = Writer::default().field(KEYS, &self.keys.to_bytes()).field(TAG, self.tag.as_bytes());
        fields.field(NAME, self.name.as_bytes()).field(PROOF, &proof).done()
    }

    /// Reads the other side's card. `transcript`: from before its message; its channel key must be the one that the
    /// handshake proved.
    pub(crate) fn read(
        bytes: &[u8],
        role: Role,
        transcript: &[u8],
        handshake: &Handshake,
        address: FullJid,
    ) -> Result<Card, PairingError> {
        let fields = Reader::new(bytes)?;
        let keys = PublicKeys::from_bytes(&fields.array(KEYS)?).map_err(|_| PairingError::Untrustworthy)?;
        let proven = handshake.proven_key() == Some(*keys.channel())
            && keys.verify(Signed::Card, &role.claim(transcript), &fields.array(PROOF)?);
        if !proven {
            return Err(PairingError::Untrustworthy);
        }
        let tag = DeviceTag::from_bytes(fields.array(TAG)?);
        Ok(Card { keys, tag, name: fields.text(NAME, MAX_NAME)?, address })
    }
}

impl Role {
    fn claim(self, transcript: &[u8]) -> Vec<u8> {
        let role: &[u8] = match self {
            Role::Inviter => b"inviter\0",
            Role::Joiner => b"joiner\0",
        };
        [role, transcript].concat()
    }
}
