//! Backends: how a key is made from a file.
//!
//! Names as of git-annex 10.20261026. A name that is not known here is kept as it is: its keys can
//! be listed, fetched and sent, only not made or verified.

use std::fmt;
use std::sync::Arc;

/// How a key was made.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Backend {
    /// A hash of the content.
    Hash {
        /// Which one.
        algorithm: HashAlgorithm,
        /// Whether the file's extension follows the hash: the `E` at the end of the name.
        with_extension: bool,
    },
    /// Size, modification time and name of the file. Content cannot be verified.
    Worm,
    /// The address the content came from. Content cannot be verified.
    Url,
    /// The address, with hash keys that it turned out to hold noted in `.log.ek`.
    Vurl,
    /// An external backend, or one newer than this program.
    Other(Arc<str>),
}

macro_rules! hash_algorithms {
    ($($variant:ident $name:literal $digest_len:literal),+ $(,)?) => {
        /// The hashes that git-annex makes keys with, by the name of their backend without `E`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum HashAlgorithm {
            $(#[doc = $name] $variant,)+
        }

        impl HashAlgorithm {
            /// All of them.
            pub const ALL: &[HashAlgorithm] = &[$(HashAlgorithm::$variant),+];

            /// The backend's name without `E`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The digest's length in bytes; twice that in hex digits.
            pub fn digest_len(self) -> usize {
                match self { $(Self::$variant => $digest_len,)+ }
            }

            fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

hash_algorithms! {
    Sha1 "SHA1" 20, Md5 "MD5" 16,
    Sha224 "SHA224" 28, Sha256 "SHA256" 32, Sha384 "SHA384" 48, Sha512 "SHA512" 64,
    Sha3_224 "SHA3_224" 28, Sha3_256 "SHA3_256" 32, Sha3_384 "SHA3_384" 48, Sha3_512 "SHA3_512" 64,
    Skein256 "SKEIN256" 32, Skein512 "SKEIN512" 64,
    Blake2b160 "BLAKE2B160" 20, Blake2b224 "BLAKE2B224" 28, Blake2b256 "BLAKE2B256" 32,
    Blake2b384 "BLAKE2B384" 48, Blake2b512 "BLAKE2B512" 64, Blake2bp512 "BLAKE2BP512" 64,
    Blake2s160 "BLAKE2S160" 20, Blake2s224 "BLAKE2S224" 28, Blake2s256 "BLAKE2S256" 32,
    Blake2sp224 "BLAKE2SP224" 28, Blake2sp256 "BLAKE2SP256" 32,
    Blake3_256 "BLAKE3_256" 32, Xxh3 "XXH3" 8,
}

impl Backend {
    /// The default of git-annex, and of new folders: SHA-256 with the file's extension.
    pub const SHA256E: Backend = Backend::hash(HashAlgorithm::Sha256, true);
    /// SHA-256 without an extension.
    pub const SHA256: Backend = Backend::hash(HashAlgorithm::Sha256, false);

    /// The backend of a hash.
    pub const fn hash(algorithm: HashAlgorithm, with_extension: bool) -> Backend {
        Backend::Hash { algorithm, with_extension }
    }

    /// Reads a backend's name, as in `annex.backend` or at the start of a key. None when it could
    /// not stand in a key: it has to be of ASCII letters, digits and, after the first, `_` and `.`;
    /// 64 at most. (A leading `_` could not be told from a slash in the journal.)
    pub fn parse(name: &str) -> Option<Backend> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'.';
        let starts_plain = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !starts_plain || name.len() > 64 || !name.bytes().all(fits) {
            return None;
        }
        Some(match name {
            "WORM" => Backend::Worm,
            "URL" => Backend::Url,
            "VURL" => Backend::Vurl,
            _ => {
                let plain = HashAlgorithm::named(name).map(|a| Backend::hash(a, false));
                let extended = || {
                    let algorithm = HashAlgorithm::named(name.strip_suffix('E')?)?;
                    Some(Backend::hash(algorithm, true))
                };
                plain.or_else(extended).unwrap_or_else(|| Backend::Other(name.into()))
            }
        })
    }

    /// Whether the key's name goes on with the file's extension after the first dot. External
    /// backends follow the same custom of an `E` at the end.
    pub fn has_extension(&self) -> bool {
        match self {
            Backend::Hash { with_extension, .. } => *with_extension,
            Backend::Other(name) => name.ends_with('E'),
            _ => false,
        }
    }

    /// Whether two contents with one key are out of reach even for somebody who tries: what
    /// `annex.securehashesonly` and the term `securehash` ask for.
    pub fn is_secure(&self) -> bool {
        use HashAlgorithm::{Md5, Sha1, Xxh3};
        matches!(self, Backend::Hash { algorithm, .. } if !matches!(algorithm, Md5 | Sha1 | Xxh3))
    }

    /// Whether the same key always means the same bytes. Of others no chunks are made and no
    /// transfer is resumed.
    pub fn is_stable(&self) -> bool {
        !matches!(self, Backend::Url | Backend::Vurl)
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Backend::Hash { algorithm, with_extension } => {
                f.write_str(algorithm.name())?;
                f.write_str(if *with_extension { "E" } else { "" })
            }
            Backend::Worm => f.write_str("WORM"),
            Backend::Url => f.write_str("URL"),
            Backend::Vurl => f.write_str("VURL"),
            Backend::Other(name) => f.write_str(name),
        }
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        let extra = ["WORM", "URL", "VURL", "XBLAKE3", "XBLAKE3E", "GITBUNDLE"];
        let names = HashAlgorithm::ALL.iter().map(|a| a.name());
        for name in names.chain(extra) {
            for name in [name.to_owned(), format!("{name}E")] {
                assert_eq!(Backend::parse(&name).unwrap().to_string(), name);
            }
        }
        assert_eq!(Backend::parse("SHA256E"), Some(Backend::SHA256E));
        assert_eq!(Backend::parse("SHA257"), Some(Backend::Other("SHA257".into())));
    }

    #[test]
    fn refuses_what_cannot_start_a_key() {
        for bad in ["", "A B", "A-B", "A/B", "A%", "é", ".", "_A"] {
            assert_eq!(Backend::parse(bad), None, "{bad:?}");
        }
    }
}
