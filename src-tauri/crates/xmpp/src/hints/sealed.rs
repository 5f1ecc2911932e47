//! Sealed hints: what a device says about a folder to those who were given the folder's key, signed by the device.
//!
//! Every device of the folder can read it, only the publisher could have written it, and the server learns nothing.
//! Source: this crate's README, "Sealed hints".

use std::collections::BTreeMap;
use std::fmt;

use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};
use tributary_formats::uuid::RepoUuid;
use zeroize::Zeroizing;

use super::{Counter, FolderState, ObjectId, ReceivedState, Tips};
use crate::account::DeviceTag;
use crate::device::{DeviceId, DeviceKeys, PublicKeys, Signed};
use crate::fields::{Malformed, Reader, Writer};

/// A publisher's clock may be ahead of ours by this many seconds.
const CLOCK_SLACK: u64 = 2 * 24 * 3600;
/// Longest sealed hint that is opened, in bytes.
pub(crate) const MAX_SEALED: usize = 4096;
/// Longest text of a repository's UUID.
const MAX_UUID: usize = 255;
const NONCE: usize = 24;
const SIGNATURE: usize = 64;

const VERSION: u8 = 1;
const DEVICE: u8 = 2;
const EPOCH: u8 = 3;
const SEQ: u8 = 4;
const TIME: u8 = 5;
const FOLDER: u8 = 6;
const BRANCH: u8 = 7;
const ANNEX: u8 = 8;

/// The key of a folder's hints, which every device gets that gets the folder. Never shown by `Debug`, and wiped when
/// dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct HintKey(Zeroizing<[u8; 32]>);

/// The short name of a [`HintKey`], by which a reader finds the one that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HintKeyId(pub [u8; 8]);

/// A hint that only holders of its key can read.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedHint {
    /// Which key it is sealed with.
    pub key: HintKeyId,
    /// Nonce and ciphertext, at most 4,096 bytes.
    pub sealed: Vec<u8>,
}

/// Seals this device's states: its keys, and those of the folders that are shared with paired devices.
#[derive(Clone)]
pub struct Sealer {
    /// The device's keys.
    pub device: std::sync::Arc<DeviceKeys>,
    /// By this device's repository.
    pub folders: BTreeMap<RepoUuid, HintKey>,
}

/// What a sealed hint says, and who says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The publisher.
    pub device: DeviceId,
    /// The repository at the publisher.
    pub repository: RepoUuid,
    /// Its branches.
    pub tips: Tips,
    /// The publisher's counter: to be checked by [`Replays`].
    pub counter: Counter,
    /// When it was published, in seconds since 1970 by the publisher's clock.
    pub time: u64,
}

/// The last counters that were taken, so that nothing is taken twice. The caller keeps it on disk: a server can replay
/// after a restart too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replays(BTreeMap<(DeviceId, RepoUuid), Counter>);

impl HintKey {
    /// Makes the key of a folder that is shared for the first time, or after somebody was removed.
    pub fn random() -> HintKey {
        HintKey(Zeroizing::new(rand::random()))
    }

    /// Takes a key that was handed over.
    pub fn from_bytes(bytes: [u8; 32]) -> HintKey {
        HintKey(Zeroizing::new(bytes))
    }

    /// The key, for the keyring and for handing it over.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its short name.
    pub fn id(&self) -> HintKeyId {
        let hash =
            Sha256::new().chain_update(b"tributary hint key 1\0").chain_update(self.0.as_slice()).finalize();
        HintKeyId(hash[..8].try_into().expect("a hash has 32 bytes"))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.0.as_slice().into())
    }
}

impl Sealer {
    /// Seals what this device says about a folder; `None` when the folder has no key.
    pub(crate) fn seal(
        &self,
        tag: DeviceTag,
        folder: &FolderState,
        counter: Counter,
        time: u64,
    ) -> Option<SealedHint> {
        let key = self.folders.get(&folder.repository)?;
        let tip = |tip: &Option<ObjectId>| tip.as_ref().map_or(Vec::new(), |tip| tip.as_bytes().to_vec());
        let plain = Writer::default()
            .field(VERSION, &[1])
            .field(DEVICE, self.device.public().id().as_bytes())
            .field(EPOCH, &counter.epoch.to_be_bytes())
            .field(SEQ, &counter.seq.to_be_bytes())
            .field(TIME, &time.to_be_bytes())
            .field(FOLDER, folder.repository.as_str().as_bytes())
            .field(BRANCH, &tip(&folder.tips.branch))
            .field(ANNEX, &tip(&folder.tips.annex))
            .done();
        let signature = self.device.sign(Signed::Hint, &claim(tag, &plain));
        let nonce: [u8; NONCE] = rand::random();
        let signed = Zeroizing::new([signature.as_slice(), &plain].concat());
        // Fails only for messages of many gigabytes.
        let ciphertext = key.cipher().encrypt(XNonce::from_slice(&nonce), signed.as_slice()).ok()?;
        Some(SealedHint { key: key.id(), sealed: [nonce.as_slice(), &ciphertext].concat() })
    }
}

/// Opens those hints of a received state that one of `keys` fits and that its publisher signed; `publisher` is the paired
/// device whose tag the state has. Hints from more than two days ahead are dropped. What comes out is true, but may be
/// old: see [`Replays`].
pub fn open_sealed<'a>(
    state: &ReceivedState,
    publisher: &PublicKeys,
    keys: impl IntoIterator<Item = &'a HintKey>,
    now: u64,
) -> Vec<News> {
    let keys: BTreeMap<HintKeyId, &HintKey> = keys.into_iter().map(|key| (key.id(), key)).collect();
    let open = |hint: &SealedHint| {
        let news = open_one(hint, keys.get(&hint.key)?, state.device, publisher).ok()?;
        (news.time <= now.saturating_add(CLOCK_SLACK)).then_some(news)
    };
    state.sealed.iter().filter_map(open).collect()
}

fn open_one(
    hint: &SealedHint,
    key: &HintKey,
    tag: DeviceTag,
    publisher: &PublicKeys,
) -> Result<News, Malformed> {
    let (nonce, ciphertext) = hint.sealed.split_first_chunk::<NONCE>().ok_or(Malformed)?;
    let signed = key.cipher().decrypt(XNonce::from_slice(nonce), ciphertext).map_err(|_| Malformed)?;
    let (signature, plain) = signed.split_first_chunk::<SIGNATURE>().ok_or(Malformed)?;
    let fields = Reader::new(plain)?;
    let device = DeviceId::from_bytes(fields.array(DEVICE)?);
    let genuine = device == publisher.id() && publisher.verify(Signed::Hint, &claim(tag, plain), signature);
    if !genuine || fields.array(VERSION)? != [1] {
        return Err(Malformed);
    }
    let tip = |kind| match fields.get(kind)? {
        [] => Ok(None),
        bytes => ObjectId::from_bytes(bytes).map(Some).ok_or(Malformed),
    };
    Ok(News {
        device,
        repository: RepoUuid::parse(&fields.text(FOLDER, MAX_UUID)?).map_err(|_| Malformed)?,
        tips: Tips { branch: tip(BRANCH)?, annex: tip(ANNEX)? },
        counter: Counter {
            epoch: u64::from_be_bytes(fields.array(EPOCH)?),
            seq: u64::from_be_bytes(fields.array(SEQ)?),
        },
        time: u64::from_be_bytes(fields.array(TIME)?),
    })
}

/// What is signed: the node that it stands on, so that nobody moves it to another one, then the hint.
fn claim(tag: DeviceTag, plain: &[u8]) -> Vec<u8> {
    [crate::wire::state::node(tag).as_bytes(), b"\0", plain].concat()
}

impl Replays {
    /// Whether a hint is newer than all that were taken of its device about its folder; remembers it. A device that lost
    /// its counter goes on with a higher epoch.
    pub fn is_news(&mut self, news: &News) -> bool {
        let last = self.0.entry((news.device, news.repository.clone())).or_default();
        let newer = news.counter > *last;
        if newer {
            *last = news.counter;
        }
        newer
    }

    /// A device was removed: nothing of it is taken any more, so nothing has to be remembered.
    pub fn forget(&mut self, device: DeviceId) {
        self.0.retain(|(of, _), _| *of != device);
    }

    /// What has to be kept: device, repository, and the last counter.
    pub fn iter(&self) -> impl Iterator<Item = (DeviceId, &RepoUuid, Counter)> {
        self.0.iter().map(|((device, repository), counter)| (*device, repository, *counter))
    }
}

impl FromIterator<(DeviceId, RepoUuid, Counter)> for Replays {
    fn from_iter<I: IntoIterator<Item = (DeviceId, RepoUuid, Counter)>>(kept: I) -> Replays {
        Replays(
            kept.into_iter().map(|(device, repository, counter)| ((device, repository), counter)).collect(),
        )
    }
}

impl fmt::Debug for HintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HintKey(…)")
    }
}

impl fmt::Debug for SealedHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedHint({}, {} bytes)", hex::encode(self.key.0), self.sealed.len())
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({:?}, {} folders)", self.device, self.folders.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const NOW: u64 = 1_795_400_000;

    struct Publisher {
        sealer: Sealer,
        tag: DeviceTag,
        key: HintKey,
    }

    impl Publisher {
        fn new() -> Publisher {
            let key = HintKey::random();
            let folders = BTreeMap::from([(folder().repository, key.clone())]);
            let sealer = Sealer { device: Arc::new(DeviceKeys::generate()), folders };
            Publisher { sealer, tag: DeviceTag::random(), key }
        }

        fn publishes(&self, counter: Counter, time: u64) -> ReceivedState {
            let sealed = self.sealer.seal(self.tag, &folder(), counter, time).into_iter().collect();
            let from = "alice@p.test".parse().unwrap();
            ReceivedState { from, device: self.tag, counter, marks: Vec::new(), sealed }
        }

        fn opened(&self, state: &ReceivedState) -> Vec<News> {
            open_sealed(state, &self.sealer.device.public(), [&self.key], NOW)
        }
    }

    fn folder() -> FolderState {
        let tips = Tips { branch: ObjectId::from_bytes(&[1; 20]), annex: ObjectId::from_bytes(&[2; 32]) };
        FolderState { repository: RepoUuid::parse("11111111-a").unwrap(), tips }
    }

    fn at(epoch: u64, seq: u64) -> Counter {
        Counter { epoch, seq }
    }

    #[test]
    fn holders_of_the_key_read_what_the_device_said() {
        let alice = Publisher::new();
        let state = alice.publishes(at(5, 7), NOW);
        let expected = News {
            device: alice.sealer.device.public().id(),
            repository: folder().repository,
            tips: folder().tips,
            counter: at(5, 7),
            time: NOW,
        };
        assert_eq!(alice.opened(&state), [expected]);
        let size = state.sealed[0].sealed.len();
        assert!(size < 300, "{size} bytes: some twenty folders fit into 8 KiB");
    }

    #[test]
    fn nobody_else_reads_or_writes_it() {
        let (alice, mallory) = (Publisher::new(), Publisher::new());
        let state = alice.publishes(at(5, 7), NOW);
        let public = alice.sealer.device.public();
        assert!(open_sealed(&state, &public, [&mallory.key], NOW).is_empty(), "another folder's key");
        // Mallory was given the folder, and writes in Alice's name.
        let thief = Publisher {
            sealer: Sealer { device: mallory.sealer.device.clone(), folders: alice.sealer.folders.clone() },
            tag: alice.tag,
            key: alice.key.clone(),
        };
        assert!(alice.opened(&thief.publishes(at(9, 9), NOW)).is_empty(), "one peer cannot forge another");
        let mut moved = state.clone();
        moved.device = mallory.tag;
        assert!(alice.opened(&moved).is_empty(), "a hint is bound to the node it stands on");
        for byte in 0..state.sealed[0].sealed.len() {
            let mut altered = state.clone();
            altered.sealed[0].sealed[byte] ^= 1;
            assert!(alice.opened(&altered).is_empty(), "byte {byte}");
            altered.sealed[0].sealed.truncate(byte);
            assert!(alice.opened(&altered).is_empty());
        }
    }

    #[test]
    fn replays_are_dropped_after_a_restart_too() {
        let alice = Publisher::new();
        let news = |counter| alice.opened(&alice.publishes(counter, NOW)).remove(0);
        let mut replays = Replays::default();
        assert!(replays.is_news(&news(at(5, 1))) && replays.is_news(&news(at(5, 2))));
        assert!(!replays.is_news(&news(at(5, 2))) && !replays.is_news(&news(at(5, 1))));
        let kept: Vec<_> =
            replays.iter().map(|(device, of, counter)| (device, of.clone(), counter)).collect();
        let mut replays: Replays = kept.into_iter().collect();
        assert!(!replays.is_news(&news(at(5, 2))), "a server replays after a restart");
        assert!(replays.is_news(&news(at(6, 1))), "a device that lost its counter has a new epoch");
        assert!(!replays.is_news(&news(at(5, 99))), "and what it said before is old from then on");
        replays.forget(alice.sealer.device.public().id());
        assert_eq!(replays, Replays::default());
    }

    #[test]
    fn a_clock_may_be_two_days_ahead() {
        let alice = Publisher::new();
        assert_eq!(alice.opened(&alice.publishes(at(1, 1), NOW + CLOCK_SLACK)).len(), 1);
        assert!(alice.opened(&alice.publishes(at(1, 1), NOW + CLOCK_SLACK + 1)).is_empty());
        assert_eq!(alice.opened(&alice.publishes(at(1, 1), 0)).len(), 1, "a hint may wait for long");
    }

    #[test]
    fn folders_without_a_key_are_not_sealed() {
        let mut alice = Publisher::new();
        alice.sealer.folders.clear();
        assert!(alice.publishes(at(1, 1), NOW).sealed.is_empty());
    }
}
