//! Notices: what a paired device says of itself and of others over the secure channel, as bytes. A notice is the whole of
//! what holds now, so the newest one says everything and a lost one is made up for by the next. Source: this crate's
//! README, "Notices".

use tributary_formats::uuid::RepoUuid;
use zeroize::Zeroizing;

use crate::device::DeviceId;
use crate::fields::{Malformed, Reader, Writer};
use crate::hints::{HintKey, HintKeyId};
use crate::pairing::{Right, Seconds};

/// Longest notice, in bytes.
pub const MAX_NOTICE: usize = 256 * 1024;
/// Most folders in one.
const MAX_FOLDERS: usize = 64;
/// Most devices that are introduced, or were removed, for a folder.
const MAX_DEVICES: usize = 64;
/// Most keys of a folder that are named.
const MAX_KEYS: usize = 8;
/// Longest text of a repository's UUID.
const MAX_UUID: usize = 255;
/// What a field adds to its bytes.
const WRAPPING: usize = 5;
/// Longest introduction.
const MAX_INTRODUCTION: usize = crate::pairing::MAX_INTRODUCTION;

const HEARD: u8 = 1;
const FOLDER: u8 = 2;
const CONNECTED: u8 = 3;

const OURS: u8 = 1;
const THEIRS: u8 = 2;
const RIGHT: u8 = 3;
const KEY: u8 = 4;
const RENEWED: u8 = 5;
const KNOWN_KEY: u8 = 6;
const INTRODUCED: u8 = 7;
const REMOVED: u8 = 8;

/// What a device says to another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notice {
    /// The sender has opened a sealed hint of the other one.
    pub heard: bool,
    /// The sender counts the other one as connected: a hint and a tunnel went in both directions.
    pub connected: bool,
    /// The folders that both share; at most 64, what is over falls off the end.
    pub folders: Vec<SharedFolder>,
}

/// What it says of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedFolder {
    /// The sender's repository.
    pub ours: RepoUuid,
    /// The other one's, if that is known.
    pub theirs: Option<RepoUuid>,
    /// What the other one may do with the sender's.
    pub right: Right,
    /// The key that seals the folder's hints now.
    pub key: HintKey,
    /// When it was renewed, in seconds since 1970; the highest one counts. 0: it is the folder's first.
    pub renewed: Seconds,
    /// The keys that the sender can open hints with: by them a folder is recognised whose repositories are not known yet.
    pub known_keys: Vec<HintKeyId>,
    /// The signed introductions of others that have the folder, each with what the sender lets it do; at most 64.
    pub introduced: Vec<(Right, Vec<u8>)>,
    /// Those who were removed, and when, in seconds since 1970; at most 64.
    pub removed: Vec<(DeviceId, Seconds)>,
}

impl Notice {
    /// The notice as bytes, at most [`MAX_NOTICE`]. Folders and keys always fit; introductions that do not fit are left
    /// out, each folder's last ones first.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let folders = &self.folders[..self.folders.len().min(MAX_FOLDERS)];
        let mut room = MAX_NOTICE - 2 * (WRAPPING + 1);
        room -= folders.iter().map(|folder| WRAPPING + folder.encode(0).len()).sum::<usize>();
        let mut fitting = vec![0; folders.len()];
        for nth in 0..MAX_DEVICES {
            for (folder, fits) in folders.iter().zip(&mut fitting) {
                let Some((_, introduction)) = folder.introduced.get(nth) else { continue };
                let length = WRAPPING + 1 + introduction.len();
                if *fits == nth && length <= room {
                    *fits += 1;
                    room -= length;
                }
            }
        }
        let said = Writer::default()
            .field(HEARD, &[u8::from(self.heard)])
            .field(CONNECTED, &[u8::from(self.connected)]);
        let said = folders
            .iter()
            .zip(fitting)
            .fold(said, |said, (folder, introductions)| said.field(FOLDER, &folder.encode(introductions)));
        Zeroizing::new(said.done())
    }

    /// Reads a notice; `None` when it makes no sense.
    pub fn decode(bytes: &[u8]) -> Option<Notice> {
        if bytes.len() > MAX_NOTICE {
            return None;
        }
        read(bytes).ok()
    }
}

fn read(bytes: &[u8]) -> Result<Notice, Malformed> {
    let fields = Reader::new(bytes)?;
    let folders = fields.all(FOLDER).take(MAX_FOLDERS).map(SharedFolder::decode);
    Ok(Notice {
        heard: fields.array(HEARD)? == [1],
        connected: fields.array(CONNECTED)? == [1],
        folders: folders.collect::<Result<_, _>>()?,
    })
}

impl SharedFolder {
    /// With so many of its introductions.
    fn encode(&self, introductions: usize) -> Zeroizing<Vec<u8>> {
        let theirs = self.theirs.as_ref().map_or("", RepoUuid::as_str);
        let mut said = Writer::default()
            .field(OURS, self.ours.as_str().as_bytes())
            .field(THEIRS, theirs.as_bytes())
            .field(RIGHT, &[self.right.to_byte()])
            .field(KEY, self.key.expose())
            .field(RENEWED, &self.renewed.to_be_bytes());
        for key in self.known_keys.iter().take(MAX_KEYS) {
            said = said.field(KNOWN_KEY, &key.0);
        }
        for (right, introduction) in self.introduced.iter().take(introductions) {
            said = said.field(INTRODUCED, &[&[right.to_byte()], introduction.as_slice()].concat());
        }
        for (device, when) in self.removed.iter().take(MAX_DEVICES) {
            said = said.field(REMOVED, &[device.as_bytes().as_slice(), &when.to_be_bytes()].concat());
        }
        Zeroizing::new(said.done())
    }

    fn decode(bytes: &[u8]) -> Result<SharedFolder, Malformed> {
        let fields = Reader::new(bytes)?;
        let uuid = |text: &str| RepoUuid::parse(text).map_err(|_| Malformed);
        let right = |byte| Right::from_byte(byte).ok_or(Malformed);
        let theirs = fields.text(THEIRS, MAX_UUID)?;
        let known_key = |bytes: &[u8]| Ok(HintKeyId(bytes.try_into().map_err(|_| Malformed)?));
        let introduced = |bytes: &[u8]| {
            let (byte, introduction) = bytes.split_first_chunk::<1>().ok_or(Malformed)?;
            if introduction.len() > MAX_INTRODUCTION {
                return Err(Malformed);
            }
            Ok((right(*byte)?, introduction.to_vec()))
        };
        let removed = |bytes: &[u8]| {
            let (device, when) = bytes.split_first_chunk::<16>().ok_or(Malformed)?;
            let when = when.try_into().map_err(|_| Malformed)?;
            Ok((DeviceId::from_bytes(*device), u64::from_be_bytes(when)))
        };
        Ok(SharedFolder {
            ours: uuid(&fields.text(OURS, MAX_UUID)?)?,
            theirs: if theirs.is_empty() { None } else { Some(uuid(&theirs)?) },
            right: right(fields.array(RIGHT)?)?,
            key: HintKey::from_bytes(fields.array(KEY)?),
            renewed: u64::from_be_bytes(fields.array(RENEWED)?),
            known_keys: fields.all(KNOWN_KEY).take(MAX_KEYS).map(known_key).collect::<Result<_, _>>()?,
            introduced: fields.all(INTRODUCED).take(MAX_DEVICES).map(introduced).collect::<Result<_, _>>()?,
            removed: fields.all(REMOVED).take(MAX_DEVICES).map(removed).collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceKeys;

    fn folder(introduced: usize) -> SharedFolder {
        let key = HintKey::random();
        SharedFolder {
            ours: RepoUuid::parse("ours").unwrap(),
            theirs: Some(RepoUuid::parse("theirs").unwrap()),
            right: Right::ReadOnly,
            known_keys: vec![key.id(), HintKey::random().id()],
            key,
            renewed: 1_795_400_000,
            introduced: vec![(Right::Edit, vec![7; 4000]); introduced],
            removed: vec![(DeviceKeys::generate().public().id(), 1_795_400_001)],
        }
    }

    #[test]
    fn notices_come_back() {
        let unknown = SharedFolder { theirs: None, introduced: vec![], removed: vec![], ..folder(0) };
        for folders in [vec![], vec![folder(2), unknown]] {
            let notice = Notice { heard: !folders.is_empty(), connected: folders.len() > 1, folders };
            assert_eq!(Notice::decode(&notice.encode()), Some(notice));
        }
    }

    #[test]
    fn what_is_cut_or_makes_no_sense_is_refused_whole() {
        let whole = Notice { heard: true, connected: false, folders: vec![folder(1)] }.encode();
        for end in 0..whole.len() {
            // Without its folders it is a notice too.
            assert_eq!(
                Notice::decode(&whole[..end]).is_some(),
                end == 2 * (WRAPPING + 1),
                "cut after {end} bytes"
            );
        }
        let bad = |kind: u8, bytes: &[u8]| {
            let good = folder(0).encode(0);
            // The first field of a kind counts.
            let said = [Writer::default().field(kind, bytes).done().as_slice(), &good].concat();
            let notice =
                Writer::default().field(HEARD, &[1]).field(CONNECTED, &[1]).field(FOLDER, &said).done();
            Notice::decode(&notice).is_none()
        };
        assert!(bad(OURS, b"../../x y") && bad(OURS, b"") && bad(RIGHT, &[9]) && bad(KEY, b"short"));
        assert!(bad(KNOWN_KEY, b"") && bad(REMOVED, &[0; 17]) && bad(INTRODUCED, b""));
        assert!(bad(INTRODUCED, &[0; MAX_INTRODUCTION + 2]));
        assert_eq!(Notice::decode(&vec![0; MAX_NOTICE + 1]), None);
    }

    #[test]
    fn a_notice_fits_however_much_there_is_to_say() {
        let notice = Notice { heard: true, connected: true, folders: (0..100).map(|_| folder(64)).collect() };
        let bytes = notice.encode();
        let read = Notice::decode(&bytes).unwrap();
        assert!(
            bytes.len() <= MAX_NOTICE && read.folders.len() == MAX_FOLDERS,
            "keys go before introductions"
        );
        assert!(read.folders.iter().map(|folder| folder.introduced.len()).sum::<usize>() > 50);
    }
}
