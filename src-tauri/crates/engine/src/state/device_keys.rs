//! This device's own keys, kept with the account's password: in the keyring, or in the file that the person chose.

use std::sync::Arc;

use tributary_xmpp::device::DeviceKeys;

use crate::secrets::{Password, SecretError, SecretStore};

/// The name under which they are kept, beside the passwords of accounts. No account is called so.
const NAME: &str = "device keys";

/// Reads the keys, or makes them: once for this device, whichever account it uses.
///
/// # Errors
/// When the store cannot be asked, or has something else under that name. Keys that are lost are made anew only when
/// the store says that there are none: those who are paired with the old ones would not know this device again.
pub async fn device_keys(store: &SecretStore) -> Result<Arc<DeviceKeys>, SecretError> {
    if let Some(kept) = store.get(NAME).await? {
        let read = DeviceKeys::from_stored(kept.expose());
        return read.map(Arc::new).map_err(|error| SecretError::Other(error.to_string()));
    }
    let keys = DeviceKeys::generate();
    store.set(NAME, &Password::new(keys.to_stored().to_string())).await?;
    Ok(Arc::new(keys))
}

/// Takes the keys, and what else pairing keeps secret, to another store, which has none.
///
/// # Errors
/// When one of both cannot be asked; then nothing was changed.
pub(crate) async fn take_along(from: &SecretStore, to: &SecretStore) -> Result<(), SecretError> {
    for name in [NAME, super::own_device::NAME] {
        if to.get(name).await?.is_none()
            && let Some(kept) = from.get(name).await?
        {
            to.set(name, &kept).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keys_are_made_once_and_damaged_ones_are_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let store = SecretStore::File(dir.path().join("secrets.json"));
        let made = device_keys(&store).await.unwrap().public();
        assert_eq!(device_keys(&store).await.unwrap().public(), made);
        let other = SecretStore::File(dir.path().join("other.json"));
        take_along(&store, &other).await.unwrap();
        assert_eq!(device_keys(&other).await.unwrap().public(), made, "a device stays who it is");
        store.set(NAME, &Password::new("nonsense".into())).await.unwrap();
        assert!(device_keys(&store).await.is_err());
        assert_eq!(store.get(NAME).await.unwrap().unwrap().expose(), "nonsense");
    }
}
