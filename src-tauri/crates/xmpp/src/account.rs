//! Who logs in, where, and with which secret.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use rand::RngExt as _;
use xmpp_parsers::jid;
use zeroize::Zeroizing;

use crate::login::Mechanism;

/// An XMPP account of the person and this device's place in it.
#[derive(Debug, Clone)]
pub struct Account {
    /// The account.
    pub jid: BareJid,
    /// Host and port to use instead of what DNS says, for routers that drop SRV records.
    pub server: Option<(String, u16)>,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// Whether the password may be sent as it is (SASL PLAIN) where the server offers nothing better.
    pub allow_plain: bool,
    /// The strongest mechanism that this account was ever logged in with; a weaker offer is refused,
    /// because that is what somebody in the middle would make. `None` before the first login.
    pub strongest: Option<Mechanism>,
    /// The random mark of this device.
    pub device: DeviceTag,
    /// The resource to ask for: made once per device by [`new_resource`] and kept, because links name it.
    pub resource: String,
}

/// Makes a resource for a new device: `trib-` and 4 random bytes in hex.
pub fn new_resource() -> String {
    format!("trib-{}", hex::encode(rand::rng().random::<[u8; 4]>()))
}

/// Whose certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// The authorities that the system trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured).
    #[default]
    SystemRoots,
    /// Only the authorities in this PEM file.
    CaFile(PathBuf),
    /// Only the certificate with this SHA-256: what a person confirmed when asked.
    Pinned(Fingerprint),
}

/// SHA-256 of a certificate in DER, shown as upper-case pairs with colons between.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// The account's password. Never shown by `Debug`, and wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

/// 64 random bits that name a device to the others of its account; made at the first login and kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceTag([u8; 8]);

/// An account: `user@server`. `Display` is shortened for logs; [`BareJid::as_str`] is the whole.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BareJid(pub(crate) jid::BareJid);

/// A connected client: `user@server/resource`. `Display` is shortened for logs.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FullJid(pub(crate) jid::FullJid);

/// Why a text is no address, tag or fingerprint.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Not of the form `user@server`.
    #[error("not an XMPP address of the form user@server")]
    Address {
        /// What the address parser said.
        #[source]
        source: Option<jid::Error>,
    },
    /// A tag is 16 hex digits.
    #[error("a device tag is 16 hexadecimal digits")]
    Tag,
    /// A fingerprint is 64 hex digits, colons allowed.
    #[error("a certificate fingerprint is 64 hexadecimal digits")]
    Fingerprint,
}

impl Account {
    /// Makes the account of a new device: random tag and resource, system roots, no PLAIN.
    pub fn new(jid: BareJid) -> Account {
        Account {
            jid,
            server: None,
            trust: Trust::SystemRoots,
            allow_plain: false,
            strongest: None,
            device: DeviceTag::random(),
            resource: new_resource(),
        }
    }
}

impl Secret {
    /// Takes a password as it is: nothing is trimmed.
    pub fn new(password: String) -> Secret {
        Secret(Zeroizing::new(password))
    }

    /// The password itself, for the one place that proves it to the server, and for the keyring.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl DeviceTag {
    /// Makes a new tag.
    pub fn random() -> DeviceTag {
        DeviceTag(rand::rng().random())
    }

    /// Takes the tag's 8 bytes.
    pub fn from_bytes(bytes: [u8; 8]) -> DeviceTag {
        DeviceTag(bytes)
    }

    /// The tag's 8 bytes, as they enter a mark.
    pub fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for DeviceTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for DeviceTag {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<DeviceTag, ParseError> {
        // Only lower case, so that one tag has one node name.
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(ParseError::Tag);
        }
        let mut bytes = [0; 8];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseError::Tag)?;
        Ok(DeviceTag(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if at == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl FromStr for Fingerprint {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Fingerprint, ParseError> {
        let digits = text.replace(':', "");
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| ParseError::Fingerprint)?;
        Ok(Fingerprint(bytes))
    }
}

impl BareJid {
    /// The whole address.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The server's domain.
    pub fn domain(&self) -> &str {
        self.0.domain().as_str()
    }

    /// The part before the `@`, which every account has.
    pub fn user(&self) -> &str {
        self.0.node().map_or("", |node| node.as_str())
    }

    /// The address of a client of this account.
    ///
    /// # Errors
    /// When `resource` is empty, too long or holds what a resource must not.
    pub fn with_resource(&self, resource: &str) -> Result<FullJid, ParseError> {
        let full = self.0.with_resource_str(resource);
        full.map(FullJid).map_err(|source| ParseError::Address { source: Some(source) })
    }
}

impl FromStr for BareJid {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<BareJid, ParseError> {
        let jid = jid::BareJid::new(text).map_err(|source| ParseError::Address { source: Some(source) })?;
        // A server alone is a valid JID, but nobody can log in as one.
        if jid.node().is_none() {
            return Err(ParseError::Address { source: None });
        }
        Ok(BareJid(jid))
    }
}

impl fmt::Display for BareJid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…@{}", self.user().chars().next().unwrap_or('?'), self.domain())
    }
}

impl FullJid {
    /// The whole address.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The account.
    pub fn to_bare(&self) -> BareJid {
        BareJid(self.0.to_bare())
    }

    /// The part after the `/`.
    pub fn resource(&self) -> &str {
        self.0.resource().as_str()
    }
}

impl FromStr for FullJid {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<FullJid, ParseError> {
        jid::FullJid::new(text).map(FullJid).map_err(|source| ParseError::Address { source: Some(source) })
    }
}

impl fmt::Display for FullJid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Our own resources are random; other programs put host names into theirs.
        let shown = if self.resource().starts_with("trib-") { self.resource() } else { "…" };
        write!(f, "{}/{shown}", self.to_bare())
    }
}

/// `Debug` reaches logs too, so it shows what `Display` shows.
macro_rules! debug_as_display {
    ($($name:ident),+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )+};
}

debug_as_display!(BareJid, FullJid, DeviceTag, Fingerprint);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_do_not_show_who_it_is() {
        let jid: BareJid = "alice@p.test".parse().unwrap();
        let ours = jid.with_resource("trib-1a2b3c4d").unwrap();
        let phone = jid.with_resource("Alice's phone").unwrap();
        assert_eq!(format!("{jid} {ours} {phone}"), "a…@p.test a…@p.test/trib-1a2b3c4d a…@p.test/…");
        assert_eq!(format!("{jid:?} {phone:?}"), "a…@p.test a…@p.test/…");
        assert_eq!(jid.as_str(), "alice@p.test");
        let account = format!("{:?} {:?}", Account::new(jid), Secret::new("hunter2".to_owned()));
        assert!(!account.contains("alice") && !account.contains("hunter2"), "{account}");
    }

    #[test]
    fn only_accounts_can_log_in() {
        for text in ["p.test", "", "@p.test", "alice@", "alice@p.test/phone"] {
            assert!(text.parse::<BareJid>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn fingerprints_are_read_as_they_are_shown() {
        let fingerprint = Fingerprint([0xab; 32]);
        assert_eq!(fingerprint.to_string().parse::<Fingerprint>().unwrap(), fingerprint);
        assert!("ab:cd".parse::<Fingerprint>().is_err());
    }

    #[test]
    fn a_new_device_is_a_new_one() {
        assert_ne!(DeviceTag::random(), DeviceTag::random());
        assert_eq!(new_resource().len(), "trib-1a2b3c4d".len());
    }
}
