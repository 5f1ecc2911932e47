//! Introductions: a device vouches for another one, so that a new device meets all of a person's devices with one code.
//!
//! The new device gets an introduction of each of the others, and a letter about itself that it shows to them. It says
//! nothing to those who do not know the one who signed it.

use super::{PairingError, Seconds};
use crate::account::{DeviceTag, FullJid};
use crate::device::{DeviceId, DeviceKeys, PublicKeys, Signed};
use crate::fields::{Reader, Writer};

/// Longest introduction that is read.
pub(crate) const MAX_LENGTH: usize = 8192;
const MAX_NAME: usize = 100;
const MAX_ADDRESS: usize = 3071;

const BY: u8 = 1;
const KEYS: u8 = 2;
const TAG: u8 = 3;
const NAME: u8 = 4;
const ADDRESS: u8 = 5;
const PERSON: u8 = 6;
const FOLDER: u8 = 7;
const TIME: u8 = 8;

/// What one device says about another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// Who is introduced.
    pub keys: PublicKeys,
    /// The mark of its states.
    pub tag: DeviceTag,
    /// Its name.
    pub name: String,
    /// Where it was last.
    pub address: FullJid,
    /// Whose it is.
    pub person: Person,
    /// The one folder that it is about, as the introducer's repository UUID; empty for all that both have.
    pub folder: String,
    /// When it was said, in seconds since 1970.
    pub time: Seconds,
}

/// Whose device is introduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Person {
    /// The introducer's own.
    Same,
    /// A friend's, to whom a folder was given.
    Friend,
}

/// Why an introduction is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotIntroduced {
    /// Signed by a device that is not known here; this one claims to be it.
    #[error("introduced by a computer that is not known here")]
    Stranger(DeviceId),
    /// Altered, or never signed.
    #[error("the introduction is not genuine")]
    Forged,
}

impl Introduction {
    /// Signs it: 64 bytes signature, then the fields.
    pub fn sign(&self, by: &DeviceKeys) -> Vec<u8> {
        let person = match self.person {
            Person::Same => 0,
            Person::Friend => 1,
        };
        let fields = Writer::default()
            .field(BY, by.public().id().as_bytes())
            .field(KEYS, &self.keys.to_bytes())
            .field(TAG, self.tag.as_bytes())
            .field(NAME, self.name.as_bytes())
            .field(ADDRESS, self.address.as_str().as_bytes())
            .field(PERSON, &[person])
            .field(FOLDER, self.folder.as_bytes())
            .field(TIME, &self.time.to_be_bytes())
            .done();
        [by.sign(Signed::Introduction, &fields).as_slice(), &fields].concat()
    }

    /// Reads an introduction that one of the `known` devices signed.
    ///
    /// # Errors
    /// When none of them did.
    pub fn verify<'a>(
        bytes: &[u8],
        known: impl IntoIterator<Item = &'a PublicKeys>,
    ) -> Result<Introduction, NotIntroduced> {
        let (signature, signed) = bytes.split_first_chunk::<64>().ok_or(NotIntroduced::Forged)?;
        if bytes.len() > MAX_LENGTH {
            return Err(NotIntroduced::Forged);
        }
        let fields = Reader::new(signed).map_err(|_| NotIntroduced::Forged)?;
        let by = DeviceId::from_bytes(fields.array(BY).map_err(|_| NotIntroduced::Forged)?);
        let introducer = known.into_iter().find(|keys| keys.id() == by).ok_or(NotIntroduced::Stranger(by))?;
        if !introducer.verify(Signed::Introduction, signed, signature) {
            return Err(NotIntroduced::Forged);
        }
        read(&fields).map_err(|_| NotIntroduced::Forged)
    }
}

fn read(fields: &Reader<'_>) -> Result<Introduction, PairingError> {
    let untrustworthy = PairingError::Untrustworthy;
    Ok(Introduction {
        keys: PublicKeys::from_bytes(&fields.array(KEYS)?).map_err(|_| untrustworthy)?,
        tag: DeviceTag::from_bytes(fields.array(TAG)?),
        name: fields.text(NAME, MAX_NAME)?,
        address: fields.text(ADDRESS, MAX_ADDRESS)?.parse().map_err(|_| untrustworthy)?,
        person: match fields.array(PERSON)? {
            [0] => Person::Same,
            [1] => Person::Friend,
            _ => return Err(untrustworthy),
        },
        folder: fields.text(FOLDER, MAX_NAME)?,
        time: u64::from_be_bytes(fields.array(TIME)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_known_introduce() {
        let [alice, mallory, new] = [(); 3].map(|()| DeviceKeys::generate());
        let introduction = Introduction {
            keys: new.public(),
            tag: DeviceTag::random(),
            name: "Anna's tablet".to_owned(),
            address: "anna@p.test/trib-3".parse().unwrap(),
            person: Person::Same,
            folder: String::new(),
            time: 1_795_400_000,
        };
        let signed = introduction.sign(&alice);
        let known = [mallory.public(), alice.public()];
        assert_eq!(Introduction::verify(&signed, &known), Ok(introduction.clone()));
        let stranger = NotIntroduced::Stranger(alice.public().id());
        assert_eq!(Introduction::verify(&signed, &[mallory.public()]), Err(stranger));
        for at in 0..signed.len() {
            let mut altered = signed.clone();
            altered[at] ^= 1;
            assert!(Introduction::verify(&altered, &known).is_err(), "byte {at}");
            assert!(Introduction::verify(&signed[..at], &known).is_err());
        }
        let mut forged = introduction.sign(&mallory);
        forged[64 + 5..64 + 5 + 16].copy_from_slice(alice.public().id().as_bytes());
        assert_eq!(Introduction::verify(&forged, &known), Err(NotIntroduced::Forged), "in another's name");
    }
}
