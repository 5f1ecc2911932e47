//! The handshake of a pairing: Noise XXpsk0, three messages. Neither side knows the other's keys yet; that both know the
//! secret is in the first message, who they are in the second and third.

use snow::{Builder, HandshakeState, TransportState};

use super::packet::MAX_CONTENT;
use super::secret::PreShared;
use super::{PairingError, Slot};
use crate::account::FullJid;
use crate::device::DeviceKeys;

const PATTERN: &str = "Noise_XXpsk0_25519_ChaChaPoly_BLAKE2s";
/// What encryption and the keys add to a message, at most.
const OVERHEAD: usize = 128;
/// The most that fits into a message.
pub(crate) const MAX_PLAIN: usize = MAX_CONTENT - OVERHEAD;

/// Which invitation, between whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Between<'a> {
    pub(crate) slot: Slot,
    pub(crate) inviter: &'a FullJid,
    pub(crate) joiner: &'a FullJid,
}

/// One side.
pub(crate) struct Handshake(HandshakeState);

/// What follows: messages that only the other side can read.
pub(crate) struct Sealing(TransportState);

impl Handshake {
    /// The joiner, who speaks first.
    pub(crate) fn join(own: &DeviceKeys, secret: &PreShared, between: Between<'_>) -> Handshake {
        build(own, secret, between, |builder| builder.build_initiator())
    }

    /// The inviter.
    pub(crate) fn invite(own: &DeviceKeys, secret: &PreShared, between: Between<'_>) -> Handshake {
        build(own, secret, between, |builder| builder.build_responder())
    }

    /// The next message of this side.
    pub(crate) fn write(&mut self, plain: &[u8]) -> Result<Vec<u8>, PairingError> {
        let mut message = vec![0; plain.len() + OVERHEAD];
        let length = self.0.write_message(plain, &mut message).map_err(|_| PairingError::Untrustworthy)?;
        message.truncate(length);
        Ok(message)
    }

    /// Opens the next message of the other side.
    pub(crate) fn read(&mut self, message: &[u8]) -> Result<Vec<u8>, PairingError> {
        let mut plain = vec![0; message.len()];
        let length = self.0.read_message(message, &mut plain).map_err(|_| PairingError::Untrustworthy)?;
        plain.truncate(length);
        Ok(plain)
    }

    /// What was said so far, as both sides have it: signed with the keys that are not part of the handshake.
    pub(crate) fn transcript(&self) -> Vec<u8> {
        self.0.get_handshake_hash().to_vec()
    }

    /// The key that the other side has proven, once its message was read.
    pub(crate) fn proven_key(&self) -> Option<[u8; 32]> {
        self.0.get_remote_static()?.try_into().ok()
    }

    /// After the third message.
    pub(crate) fn finish(self) -> Result<Sealing, PairingError> {
        self.0.into_transport_mode().map(Sealing).map_err(|_| PairingError::Untrustworthy)
    }
}

impl Sealing {
    /// Seals a message.
    pub(crate) fn seal(&mut self, plain: &[u8]) -> Result<Vec<u8>, PairingError> {
        if plain.len() > MAX_PLAIN {
            return Err(PairingError::TooLarge);
        }
        let mut sealed = vec![0; plain.len() + OVERHEAD];
        let length = self.0.write_message(plain, &mut sealed).map_err(|_| PairingError::TooLarge)?;
        sealed.truncate(length);
        Ok(sealed)
    }

    /// Opens a message; each opens once, in its turn.
    pub(crate) fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, PairingError> {
        let mut plain = vec![0; sealed.len()];
        let length = self.0.read_message(sealed, &mut plain).map_err(|_| PairingError::Untrustworthy)?;
        plain.truncate(length);
        Ok(plain)
    }
}

fn build(
    own: &DeviceKeys,
    secret: &PreShared,
    between: Between<'_>,
    role: impl FnOnce(Builder<'_>) -> Result<HandshakeState, snow::Error>,
) -> Handshake {
    let Between { slot, inviter, joiner } = between;
    // Addresses have no zero byte in them.
    let prologue = format!("tributary pairing 1\0{slot}\0{}\0{}", inviter.as_str(), joiner.as_str());
    let builder = Builder::new(PATTERN.parse().expect("a pattern that snow knows"))
        .local_private_key(own.channel())
        .and_then(|builder| builder.psk(0, secret))
        .and_then(|builder| builder.prologue(prologue.as_bytes()));
    // Each was set once, and both keys have 32 bytes.
    Handshake(builder.and_then(role).expect("everything that the pattern needs is there"))
}
