//! A device's long-term keys, and what others know it by.
//!
//! Two keys, made once and kept in the keyring by the caller: X25519 for the secure channel, Ed25519 for what others
//! read later (hints, introductions). Nothing here does I/O. Source: this crate's README, "Device keys".

mod fingerprint;
mod stored;

use std::fmt;
use std::str::FromStr;

use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::traits::IsIdentity as _;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

pub use stored::StoredKeysError;

/// A device's own keys. Never shown by `Debug`, and wiped when dropped.
pub struct DeviceKeys {
    channel: Zeroizing<[u8; 32]>,
    signing: SigningKey,
}

/// What a device is known by to those who paired with it: both public keys, checked to be of use.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKeys {
    channel: [u8; 32],
    signing: [u8; 32],
}

/// The short name of a pair of keys: the first 16 bytes of SHA-256 over both. `Display` is 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId([u8; 16]);

/// What is signed, so that a signature made for one purpose says nothing for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signed {
    /// A sealed hint.
    Hint,
    /// An introduction of another device.
    Introduction,
    /// That the signing key belongs to the device that a handshake proved.
    Card,
}

/// These bytes are no public keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these are no public keys of a device")]
pub struct NotKeys;

/// A text is no device id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a device id is 32 hexadecimal digits")]
pub struct NotAnId;

impl DeviceKeys {
    /// Makes the keys of a new device.
    pub fn generate() -> DeviceKeys {
        let secrets: Zeroizing<[u8; 64]> = Zeroizing::new(rand::random());
        DeviceKeys::from_secrets(&secrets)
    }

    fn from_secrets(secrets: &[u8; 64]) -> DeviceKeys {
        let (channel, signing) = secrets.split_at(32);
        let half = |bytes: &[u8]| Zeroizing::new(<[u8; 32]>::try_from(bytes).expect("half of 64 bytes"));
        DeviceKeys { channel: half(channel), signing: SigningKey::from_bytes(&half(signing)) }
    }

    /// What others know this device by.
    pub fn public(&self) -> PublicKeys {
        PublicKeys {
            channel: MontgomeryPoint::mul_base_clamped(*self.channel).to_bytes(),
            signing: self.signing.verifying_key().to_bytes(),
        }
    }

    /// The key of the secure channel.
    pub(crate) fn channel(&self) -> &[u8; 32] {
        &self.channel
    }

    /// Signs a message for one purpose: 64 bytes.
    pub(crate) fn sign(&self, purpose: Signed, message: &[u8]) -> [u8; 64] {
        self.signing.sign(&purpose.apart(message)).to_bytes()
    }
}

impl PublicKeys {
    /// Bytes of both keys.
    pub const LENGTH: usize = 64;

    /// Takes both keys, channel first. Refuses keys with which everybody would reach the same secret, or under which
    /// one signature fits many messages.
    ///
    /// # Errors
    /// When they are not of that kind.
    pub fn from_bytes(bytes: &[u8; PublicKeys::LENGTH]) -> Result<PublicKeys, NotKeys> {
        let (channel, signing) = bytes.split_at(32);
        let half = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).expect("half of 64 bytes");
        let keys = PublicKeys { channel: half(channel), signing: half(signing) };
        // Any scalar does: points of low order become the identity under every clamped one.
        let shared = MontgomeryPoint(keys.channel).mul_clamped([1; 32]);
        let verifying = VerifyingKey::from_bytes(&keys.signing).map_err(|_| NotKeys)?;
        if shared.is_identity() || verifying.is_weak() {
            return Err(NotKeys);
        }
        Ok(keys)
    }

    /// Both keys, channel first.
    pub fn to_bytes(&self) -> [u8; PublicKeys::LENGTH] {
        [self.channel, self.signing].concat().try_into().expect("two halves")
    }

    /// The short name.
    pub fn id(&self) -> DeviceId {
        let hash = Sha256::digest(self.to_bytes());
        DeviceId(hash[..16].try_into().expect("a hash has 32 bytes"))
    }

    /// The key of the secure channel.
    pub(crate) fn channel(&self) -> &[u8; 32] {
        &self.channel
    }

    /// Whether this device signed this message for this purpose.
    pub(crate) fn verify(&self, purpose: Signed, message: &[u8], signature: &[u8; 64]) -> bool {
        let Ok(key) = VerifyingKey::from_bytes(&self.signing) else { return false };
        key.verify_strict(&purpose.apart(message), &Signature::from_bytes(signature)).is_ok()
    }
}

impl Signed {
    /// The message with its purpose in front; no purpose is the beginning of another.
    fn apart(self, message: &[u8]) -> Vec<u8> {
        let purpose: &[u8] = match self {
            Signed::Hint => b"tributary hint 1\0",
            Signed::Introduction => b"tributary introduction 1\0",
            Signed::Card => b"tributary card 1\0",
        };
        [purpose, message].concat()
    }
}

impl DeviceId {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Takes the bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> DeviceId {
        DeviceId(bytes)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for DeviceId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<DeviceId, NotAnId> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NotAnId)?;
        Ok(DeviceId(bytes))
    }
}

impl fmt::Debug for DeviceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKeys({})", self.public().id())
    }
}

impl fmt::Debug for PublicKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKeys({})", self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_for_one_purpose_message_and_device() {
        let (keys, other) = (DeviceKeys::generate(), DeviceKeys::generate());
        let signature = keys.sign(Signed::Hint, b"look");
        let public = keys.public();
        assert!(public.verify(Signed::Hint, b"look", &signature));
        assert!(!public.verify(Signed::Introduction, b"look", &signature), "a hint introduces nobody");
        assert!(!public.verify(Signed::Hint, b"book", &signature));
        assert!(!other.public().verify(Signed::Hint, b"look", &signature));
    }

    #[test]
    fn keys_that_bind_nobody_are_refused() {
        let good = DeviceKeys::generate().public().to_bytes();
        assert_eq!(PublicKeys::from_bytes(&good).map(|keys| keys.to_bytes()), Ok(good));
        let with = |at: usize, half: [u8; 32]| {
            let mut bytes = good;
            bytes[at..at + 32].copy_from_slice(&half);
            PublicKeys::from_bytes(&bytes)
        };
        assert_eq!(with(0, [0; 32]), Err(NotKeys), "everybody reaches the same secret with it");
        let one: [u8; 32] = std::array::from_fn(|at| u8::from(at == 0));
        assert_eq!(with(0, one), Err(NotKeys), "a point of low order too");
        assert_eq!(with(32, one), Err(NotKeys), "the identity signs everything");
        let no_point: [u8; 32] = std::array::from_fn(|at| if at == 0 { 2 } else { 0 });
        assert_eq!(with(32, no_point), Err(NotKeys));
    }

    #[test]
    fn ids_are_read_as_they_are_shown() {
        let id = DeviceKeys::generate().public().id();
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "00", "zz", &"0".repeat(33)] {
            assert_eq!(text.parse::<DeviceId>(), Err(NotAnId));
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let keys = DeviceKeys::generate();
        let shown = format!("{keys:?}");
        assert!(!shown.contains(&hex::encode(&keys.channel()[..4])), "{shown}");
    }
}
