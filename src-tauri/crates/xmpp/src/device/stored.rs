//! The keys as the keyring keeps them: one line of text.

use zeroize::Zeroizing;

use super::DeviceKeys;

/// In front of the secrets: what it is, and the version of its layout.
const MARK: &str = "tributary-device-1:";

/// Why what the keyring had are no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoredKeysError {
    /// Kept by a newer version of the program, which has to be used to read them.
    #[error("the device keys were kept by a newer version")]
    Newer,
    /// Cut or altered: the device has to get new keys and to be paired again.
    #[error("the device keys in the keyring are damaged")]
    Damaged,
}

impl DeviceKeys {
    /// The text to keep: `tributary-device-1:`, then both secrets in hex, that of the channel first.
    pub fn to_stored(&self) -> Zeroizing<String> {
        let secrets = Zeroizing::new([self.channel.as_slice(), self.signing.as_bytes()].concat());
        let mut text = Zeroizing::new(String::with_capacity(MARK.len() + 2 * secrets.len()));
        text.push_str(MARK);
        let digits = Zeroizing::new(hex::encode(secrets.as_slice()));
        text.push_str(&digits);
        text
    }

    /// Reads what was kept.
    ///
    /// # Errors
    /// When it is not what [`to_stored`](Self::to_stored) wrote.
    pub fn from_stored(text: &str) -> Result<DeviceKeys, StoredKeysError> {
        let Some(digits) = text.trim_end().strip_prefix(MARK) else {
            let newer = text.starts_with("tributary-device-");
            return Err(if newer { StoredKeysError::Newer } else { StoredKeysError::Damaged });
        };
        let mut secrets = Zeroizing::new([0; 64]);
        hex::decode_to_slice(digits, secrets.as_mut_slice()).map_err(|_| StoredKeysError::Damaged)?;
        Ok(DeviceKeys::from_secrets(&secrets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back() {
        let keys = DeviceKeys::generate();
        let text = keys.to_stored();
        assert_eq!(DeviceKeys::from_stored(&text).map(|keys| keys.public()), Ok(keys.public()));
        assert_eq!(DeviceKeys::from_stored(&text[..text.len() - 1]).err(), Some(StoredKeysError::Damaged));
        assert_eq!(DeviceKeys::from_stored("").err(), Some(StoredKeysError::Damaged));
        let newer = text.replacen('1', "2", 1);
        assert_eq!(DeviceKeys::from_stored(&newer).err(), Some(StoredKeysError::Newer));
    }
}
