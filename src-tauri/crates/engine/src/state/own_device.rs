//! What this device keeps secret for pairing: the keys of shared folders' hints, and the links that are open; and its own
//! keys at hand (`device_keys.rs` keeps those).
//!
//! One secret in the store of `secrets.rs`, read at each login and replaced as a whole. What changed counts once the
//! store has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};
use tributary_formats::uuid::RepoUuid;
use tributary_xmpp::device::DeviceKeys;
use tributary_xmpp::hints::HintKey;
use tributary_xmpp::pairing::{Link, Right};

use crate::secrets::{Password, SecretError, SecretStore};

/// The name of the secret. No account has it: addresses have an `@`.
pub(super) const NAME: &str = "pairing";

/// Keys of one folder that open hints: those of others who have not heard of the newest one, too.
const MOST_KEYS: usize = 4;

/// The secrets, at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Secrets {
    /// The device's keys.
    pub(crate) keys: Arc<DeviceKeys>,
    /// By repository of ours, newest first: the first one seals.
    pub(crate) hint_keys: BTreeMap<RepoUuid, Vec<HintKey>>,
    /// When the one that seals was renewed, in seconds since 1970. None: it is the folder's first, or was handed over.
    pub(crate) renewed: BTreeMap<RepoUuid, u64>,
    /// The links that were made and not used.
    pub(crate) links: Vec<OpenLink>,
}

/// A link that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenLink {
    pub(crate) link: Link,
    /// The repository of ours that it invites to.
    pub(crate) ours: RepoUuid,
    pub(crate) right: Right,
    /// Whether its holder is let in without a further question.
    pub(crate) accept: bool,
}

/// The secrets, shared by the threads that use them. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnDevice {
    /// Where they are kept; `None` before the first login.
    store: Arc<Mutex<Option<SecretStore>>>,
    secrets: Arc<watch::Sender<Option<Arc<Secrets>>>>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Kept {
    hint_keys: BTreeMap<RepoUuid, Vec<String>>,
    renewed: BTreeMap<RepoUuid, u64>,
    links: Vec<KeptLink>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeptLink {
    link: String,
    ours: RepoUuid,
    read_only: bool,
    accept: bool,
}

impl OwnDevice {
    /// The secrets; `None` while they could not be read.
    pub(crate) fn now(&self) -> Option<Arc<Secrets>> {
        self.secrets.borrow().clone()
    }

    /// Follows the changes.
    pub(crate) fn changes(&self) -> watch::Receiver<Option<Arc<Secrets>>> {
        self.secrets.subscribe()
    }

    /// Reads the secrets, if that was not done.
    pub(crate) async fn unlock(&self, keys: Arc<DeviceKeys>, store: &SecretStore) -> Result<(), SecretError> {
        let mut known = self.store.lock().await;
        if known.is_none() {
            let secrets = read(keys, store).await?;
            *known = Some(store.clone());
            self.secrets.send_replace(Some(Arc::new(secrets)));
        }
        Ok(())
    }

    /// Takes the secrets to another store, which the person chose.
    pub(crate) async fn move_to(&self, store: &SecretStore) -> Result<(), SecretError> {
        let mut known = self.store.lock().await;
        if let (Some(_), Some(secrets)) = (&*known, self.now()) {
            write(store, &secrets).await?;
            *known = Some(store.clone());
        }
        Ok(())
    }

    /// Changes the secrets, in the store first.
    pub(crate) async fn change<T>(&self, change: impl FnOnce(&mut Secrets) -> T) -> Result<T, SecretError> {
        let store = self.store.lock().await;
        let (Some(store), Some(now)) = (&*store, self.now()) else { return Err(SecretError::Locked) };
        let mut secrets = (*now).clone();
        let value = change(&mut secrets);
        write(store, &secrets).await?;
        self.secrets.send_replace(Some(Arc::new(secrets)));
        Ok(value)
    }
}

impl Secrets {
    /// No secrets but the device's keys.
    fn new(keys: Arc<DeviceKeys>) -> Self {
        Self { keys, hint_keys: BTreeMap::new(), renewed: BTreeMap::new(), links: Vec::new() }
    }

    /// The key that seals a folder's hints.
    pub(crate) fn hint_key(&self, ours: &RepoUuid) -> Option<&HintKey> {
        self.hint_keys.get(ours)?.first()
    }

    /// The keys that open a folder's hints.
    pub(crate) fn opening(&self, ours: &RepoUuid) -> &[HintKey] {
        self.hint_keys.get(ours).map_or(&[], Vec::as_slice)
    }

    /// Gives a folder the key that seals from now on.
    pub(crate) fn seal_with(&mut self, ours: &RepoUuid, key: HintKey) {
        let keys = self.hint_keys.entry(ours.clone()).or_default();
        keys.retain(|known| *known != key);
        keys.insert(0, key);
        keys.truncate(MOST_KEYS);
    }

    /// The folder's key, made when it has none. `now`: not before the last time that somebody was removed from it.
    pub(crate) fn hint_key_or_new(&mut self, ours: &RepoUuid, now: u64) -> HintKey {
        if self.hint_key(ours).is_none() {
            self.renew(ours, now);
        }
        self.hint_key(ours).expect("it was made if there was none").clone()
    }

    /// When the folder's key was renewed; 0 when it was not.
    pub(crate) fn renewed(&self, ours: &RepoUuid) -> u64 {
        self.renewed.get(ours).copied().unwrap_or_default()
    }

    /// Gives the folder a key that nobody else has. It counts more than the last one wherever it is told.
    pub(crate) fn renew(&mut self, ours: &RepoUuid, now: u64) {
        let at = now.max(self.renewed(ours).saturating_add(1));
        self.seal_with(ours, HintKey::random());
        self.renewed.insert(ours.clone(), at);
    }

    /// Another device of the folder says which key seals: the one that was renewed last counts, and of two at once the
    /// one with the higher number, so that all end with the same. Gives whether something changed.
    pub(crate) fn hear(&mut self, ours: &RepoUuid, key: &HintKey, renewed: u64) -> bool {
        let now = (self.renewed(ours), self.hint_key(ours).map(HintKey::expose));
        if (renewed, Some(key.expose())) <= now {
            return false;
        }
        self.seal_with(ours, key.clone());
        self.renewed.insert(ours.clone(), renewed);
        true
    }

    /// Forgets the keys of a folder.
    pub(crate) fn forget(&mut self, ours: &RepoUuid) {
        self.hint_keys.remove(ours);
        self.renewed.remove(ours);
    }
}

async fn read(keys: Arc<DeviceKeys>, store: &SecretStore) -> Result<Secrets, SecretError> {
    let Some(text) = store.get(NAME).await? else { return Ok(Secrets::new(keys)) };
    let damaged = || SecretError::Other("the secrets of pairings are damaged, or of a newer version".into());
    let kept: Kept = serde_json::from_str(text.expose()).map_err(|_| damaged())?;
    kept.meant(keys).ok_or_else(damaged)
}

async fn write(store: &SecretStore, secrets: &Secrets) -> Result<(), SecretError> {
    let text = serde_json::to_string(&Kept::of(secrets)).expect("plain data always serialises");
    store.set(NAME, &Password::new(text)).await
}

impl Kept {
    fn of(secrets: &Secrets) -> Self {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        let keys = |keys: &Vec<HintKey>| keys.iter().map(|key| STANDARD.encode(key.expose())).collect();
        let link = |open: &OpenLink| KeptLink {
            link: open.link.to_string(),
            ours: open.ours.clone(),
            read_only: open.right == Right::ReadOnly,
            accept: open.accept,
        };
        Self {
            hint_keys: secrets.hint_keys.iter().map(|(ours, of)| (ours.clone(), keys(of))).collect(),
            renewed: secrets.renewed.clone(),
            links: secrets.links.iter().map(link).collect(),
        }
    }

    fn meant(self, keys: Arc<DeviceKeys>) -> Option<Secrets> {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        let key = |text: &String| Some(HintKey::from_bytes(STANDARD.decode(text).ok()?.try_into().ok()?));
        let link = |kept: KeptLink| {
            let right = if kept.read_only { Right::ReadOnly } else { Right::Edit };
            Some(OpenLink { link: kept.link.parse().ok()?, ours: kept.ours, right, accept: kept.accept })
        };
        let of = |(ours, keys): (RepoUuid, Vec<String>)| {
            Some((ours, keys.iter().map(key).collect::<Option<Vec<_>>>()?))
        };
        Some(Secrets {
            keys,
            hint_keys: self.hint_keys.into_iter().map(of).collect::<Option<_>>()?,
            renewed: self.renewed,
            links: self.links.into_iter().map(link).collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uuid(text: &str) -> RepoUuid {
        RepoUuid::parse(text).unwrap()
    }

    #[tokio::test]
    async fn secrets_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = SecretStore::File(dir.path().join("secrets.json"));
        let device = OwnDevice::default();
        let keys = Arc::new(DeviceKeys::generate());
        assert!(device.change(|_| ()).await.is_err(), "before a login nobody knows where they are kept");
        device.unlock(keys.clone(), &store).await.unwrap();
        let (first, second) = (HintKey::random(), HintKey::random());
        device
            .change(|secrets| {
                secrets.seal_with(&uuid("f"), first.clone());
                secrets.seal_with(&uuid("f"), second.clone());
            })
            .await
            .unwrap();
        let again = OwnDevice::default();
        again.unlock(keys, &store).await.unwrap();
        let secrets = again.now().unwrap();
        assert_eq!(secrets.opening(&uuid("f")), [second.clone(), first], "the newest seals, both open");
        let other = SecretStore::File(dir.path().join("other.json"));
        again.move_to(&other).await.unwrap();
        assert_eq!(other.get(NAME).await.unwrap(), store.get(NAME).await.unwrap());
        again.change(|secrets| secrets.hint_keys.clear()).await.unwrap();
        assert_ne!(other.get(NAME).await.unwrap(), store.get(NAME).await.unwrap(), "it counts there now");
    }

    #[test]
    fn old_keys_do_not_pile_up() {
        let mut secrets = Secrets::new(Arc::new(DeviceKeys::generate()));
        let first = secrets.hint_key_or_new(&uuid("f"), 5);
        assert!(secrets.hint_key_or_new(&uuid("f"), 6) == first, "it is made once");
        for _ in 0..10 {
            secrets.seal_with(&uuid("f"), HintKey::random());
        }
        assert_eq!(secrets.opening(&uuid("f")).len(), MOST_KEYS);
    }

    #[test]
    fn of_two_renewals_all_end_with_the_same() {
        let mut devices = [(); 3].map(|()| Secrets::new(Arc::new(DeviceKeys::generate())));
        let folder = uuid("f");
        let first = HintKey::random();
        for device in &mut devices {
            device.seal_with(&folder, first.clone());
        }
        // Two remove somebody in the same second.
        devices[0].renew(&folder, 100);
        devices[1].renew(&folder, 100);
        for _ in 0..2 {
            for (from, to) in [(0, 1), (1, 2), (2, 0), (0, 2), (2, 1), (1, 0)] {
                let (key, renewed) =
                    (devices[from].hint_key(&folder).unwrap().clone(), devices[from].renewed(&folder));
                devices[to].hear(&folder, &key, renewed);
            }
        }
        let key = devices[0].hint_key(&folder).unwrap().clone();
        assert!(devices.iter().all(|device| device.hint_key(&folder) == Some(&key)) && key != first);
        assert!(
            devices.iter().all(|device| device.opening(&folder).contains(&first)),
            "what was sealed before is read"
        );
        let settled = devices[0].clone();
        assert!(!devices[0].hear(&folder, &first, 0) && !devices[0].hear(&folder, &key, 100));
        assert_eq!(devices[0].hint_keys, settled.hint_keys);
        devices[0].renew(&folder, 50);
        assert!(devices[0].renewed(&folder) > 100, "a clock that was set back renews nothing older");
    }

    #[tokio::test]
    async fn damaged_secrets_are_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let store = SecretStore::File(dir.path().join("secrets.json"));
        store.set(NAME, &Password::new("{\"links\":\"?\"}".into())).await.unwrap();
        let device = OwnDevice::default();
        let keys = Arc::new(DeviceKeys::generate());
        assert!(device.unlock(keys, &store).await.is_err() && device.change(|_| ()).await.is_err());
        assert_eq!(store.get(NAME).await.unwrap().unwrap().expose(), "{\"links\":\"?\"}");
    }
}
