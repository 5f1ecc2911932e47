//! The configuration file: which folders, which account, which settings. No secret is in it.
//!
//! One JSON file, replaced as a whole: written beside, made durable, renamed over. An unreadable file is kept under
//! another name and said aloud, never overwritten in silence.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tributary_status::Settings;

/// What is kept between two runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Config {
    /// The folders, in the order in which they were added.
    pub folders: Vec<FolderConfig>,
    /// The XMPP account.
    pub account: Option<AccountConfig>,
    /// What the person chose.
    pub settings: Settings,
    /// This device's tag in XMPP: 16 hex digits, made at the first login.
    pub device_tag: Option<String>,
}

/// One folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FolderConfig {
    /// Where it is.
    #[serde(with = "path_text")]
    pub path: PathBuf,
    /// Until when it is paused, seconds since 1970; `Some(None)` until a person resumes it.
    #[serde(default, skip_serializing_if = "Pause::is_off")]
    pub pause: Pause,
    /// Whether its first sync was announced, so that it is announced once.
    #[serde(default)]
    pub first_sync_done: bool,
}

/// Whether a folder rests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Pause {
    /// It syncs.
    #[default]
    Off,
    /// It rests until this time, seconds since 1970.
    Until(i64),
    /// It rests until a person resumes it.
    UntilResumed,
}

impl Pause {
    fn is_off(&self) -> bool {
        *self == Self::Off
    }

    /// Whether it rests at this time, seconds since 1970.
    #[must_use]
    pub fn holds_at(self, now: i64) -> bool {
        match self {
            Self::Off => false,
            Self::Until(end) => now < end,
            Self::UntilResumed => true,
        }
    }
}

/// The XMPP account; its password is in the keyring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountConfig {
    /// `user@domain`.
    pub jid: String,
    /// `HOST:PORT` in place of a name lookup.
    #[serde(default)]
    pub server: Option<String>,
    /// The only certificate authorities that are trusted, PEM.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// SHA-256 of the one certificate that the person confirmed, hex.
    #[serde(default)]
    pub pin: Option<String>,
    /// This device's resource, made once: `trib-` and 8 hex digits.
    pub resource: String,
    /// The strongest login mechanism that this account's server ever offered; a weaker one is refused.
    #[serde(default)]
    pub strongest_mechanism: Option<String>,
}

/// Why the configuration could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is there and cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is there and is not what this program wrote.
    #[error("{path} is damaged; it was kept as {kept_as}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Its new name.
        kept_as: PathBuf,
        /// Where the text stops making sense.
        source: serde_json::Error,
    },
    /// The file cannot be written.
    #[error("{path} cannot be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Config {
    /// Reads the configuration; a missing file is an empty configuration.
    ///
    /// # Errors
    /// `Read` when the file cannot be read; `Damaged` when it is not ours, after it was moved aside.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(ConfigError::Read { path: path.into(), source }),
        };
        serde_json::from_slice(&text).map_err(|source| {
            let kept_as = path.with_extension("damaged.json");
            // If even the rename fails, the damaged file stays where it is, and the next save replaces it.
            fs::rename(path, &kept_as).ok();
            ConfigError::Damaged { path: path.into(), kept_as, source }
        })
    }

    /// Keeps the configuration: complete and durable, or as it was before.
    ///
    /// # Errors
    /// `Write` with the cause.
    pub fn save(&self, path: &Path) -> Result<(), ConfigError> {
        let text = serde_json::to_vec_pretty(self).expect("plain data always serialises");
        write_private(path, &text).map_err(|source| ConfigError::Write { path: path.into(), source })
    }
}

/// Replaces a file by one that only its owner can read (0600), durably and as a whole.
pub(crate) fn write_private(path: &Path, text: &[u8]) -> io::Result<()> {
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(dir)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    fs::File::open(dir)?.sync_all()
}

/// Paths as text where they are UTF-8, else as `base64:` and their bytes.
pub(crate) mod path_text {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    const MARK: &str = "base64:";

    pub(crate) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        match path.to_str() {
            Some(text) if !text.starts_with(MARK) => to.serialize_str(text),
            _ => to.serialize_str(&format!("{MARK}{}", STANDARD.encode(path.as_os_str().as_bytes()))),
        }
    }

    /// The base64 of a path that is not UTF-8.
    pub(crate) fn coded(path: &Path) -> Option<String> {
        path.to_str().is_none().then(|| STANDARD.encode(path.as_os_str().as_bytes()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        let text = String::deserialize(from)?;
        match text.strip_prefix(MARK) {
            None => Ok(text.into()),
            Some(coded) => {
                let bytes = STANDARD.decode(coded).map_err(D::Error::custom)?;
                Ok(OsString::from_vec(bytes).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn comes_back_as_it_was_kept() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.json");
        let odd = std::ffi::OsString::from_vec(b"/tmp/\xff\n x".to_vec());
        let folder =
            |path: PathBuf| FolderConfig { path, pause: Pause::Until(1_800_000_000), first_sync_done: true };
        let config = Config {
            folders: vec![folder("/home/ann/Sync".into()), folder(odd.into()), folder("base64:x".into())],
            ..Config::default()
        };
        config.save(&file).unwrap();
        assert_eq!(Config::load(&file).unwrap(), config);
    }

    #[test]
    fn a_damaged_file_is_kept_aside() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.json");
        fs::write(&file, "{\"folders\": [").unwrap();
        let Err(ConfigError::Damaged { kept_as, .. }) = Config::load(&file) else { panic!("half a file") };
        assert_eq!(fs::read(kept_as).unwrap(), b"{\"folders\": [", "the person may want it back");
        assert_eq!(Config::load(&file).unwrap(), Config::default());
    }
}
