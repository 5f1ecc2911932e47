//! Hashing content into keys, and checking content against them.

mod aside;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};
use skein::{Skein256_256, Skein512_512};
use xxhash_rust::xxh3::Xxh3;

use self::aside::Aside;
use crate::backend::{Backend, HashAlgorithm};
use crate::extension::ExtensionRule;
use crate::key::Key;

/// A content that is longer than this is hashed on a thread of its own from there on, bytes. Starting one costs as much
/// as hashing a hundredth of it.
const LARGE: u64 = 16 << 20;

/// Takes content in pieces and makes its key, or says whether it is a key's content.
#[derive(Clone)]
pub struct KeyHasher {
    backend: Backend,
    work: Work,
    /// Bytes taken so far.
    taken: u64,
}

/// Where the hashing goes on.
enum Work {
    Here(State),
    Aside(Aside),
}

#[derive(Clone)]
enum State {
    Md5(Md5),
    Sha1(Sha1),
    Sha224(Sha224),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
    Sha3_224(Sha3_224),
    Sha3_256(Sha3_256),
    Sha3_384(Sha3_384),
    Sha3_512(Sha3_512),
    Skein256(Box<Skein256_256>),
    Skein512(Box<Skein512_512>),
    Blake2b(Box<blake2b_simd::State>),
    Blake2bp(Box<blake2b_simd::blake2bp::State>),
    Blake2s(Box<blake2s_simd::State>),
    Blake2sp(Box<blake2s_simd::blake2sp::State>),
    Blake3(Box<blake3::Hasher>),
    Xxh3(Box<Xxh3>),
}

impl KeyHasher {
    /// Starts on a content. None for backends that do not hash content, and external ones.
    pub fn new(backend: &Backend) -> Option<KeyHasher> {
        let Backend::Hash { algorithm, .. } = backend else {
            return None;
        };
        Some(KeyHasher { backend: backend.clone(), work: Work::Here(State::new(*algorithm)), taken: 0 })
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let before = self.taken;
        self.taken += bytes.len() as u64;
        if (before..self.taken).contains(&LARGE) {
            self.work.go_aside();
        }
        self.work.update(bytes);
    }

    /// How many bytes were taken.
    pub fn bytes_taken(&self) -> u64 {
        self.taken
    }

    /// The key of what was taken, for a file of this name (a path will do), with the extension
    /// rule that git-annex has when nothing is configured.
    pub fn finish(self, file_name: &[u8]) -> Key {
        self.finish_with(file_name, &ExtensionRule::default())
    }

    /// As [`KeyHasher::finish`], with another extension rule.
    pub fn finish_with(self, file_name: &[u8], rule: &ExtensionRule) -> Key {
        let (backend, size) = (self.backend.clone(), self.taken);
        let mut name = hex::encode(self.work.end().digest()).into_bytes();
        if backend.has_extension() {
            name.extend(rule.extension_of(file_name));
        }
        Key::from_parts(backend, Some(size), None, &name)
            .expect("a digest with a bounded extension is short and plain")
    }

    /// Whether what was taken is the content of `key`: the digest, and the size if the key has one.
    pub fn matches(self, key: &Key) -> bool {
        let Backend::Hash { algorithm, .. } = key.backend() else {
            return false;
        };
        let same_hash = matches!(&self.backend, Backend::Hash { algorithm: ours, .. } if ours == algorithm);
        same_hash
            && key.chunk().is_none()
            && key.size().is_none_or(|size| size == self.taken)
            && hex::encode(self.work.end().digest()).as_bytes() == key.digest_hex()
    }
}

impl Key {
    /// A hasher whose [`KeyHasher::matches`] can verify content of this key. None where content
    /// cannot be verified by hashing: WORM, URL, external backends, and chunks.
    pub fn verifier(&self) -> Option<KeyHasher> {
        if self.chunk().is_some() {
            return None;
        }
        KeyHasher::new(self.backend())
    }
}

impl Work {
    fn go_aside(&mut self) {
        if let Work::Here(state) = self
            && let Some(aside) = Aside::start(state)
        {
            *self = Work::Aside(aside);
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Work::Here(state) => state.update(bytes),
            Work::Aside(aside) => aside.update(bytes),
        }
    }

    fn end(self) -> State {
        match self {
            Work::Here(state) => state,
            Work::Aside(aside) => aside.end(),
        }
    }
}

impl Clone for Work {
    fn clone(&self) -> Work {
        match self {
            Work::Here(state) => Work::Here(state.clone()),
            Work::Aside(aside) => Work::Here(aside.state()),
        }
    }
}

impl State {
    fn new(algorithm: HashAlgorithm) -> State {
        use HashAlgorithm as A;
        let bits = algorithm.digest_len();
        let blake2b = || State::Blake2b(Box::new(blake2b_simd::Params::new().hash_length(bits).to_state()));
        let blake2s = || State::Blake2s(Box::new(blake2s_simd::Params::new().hash_length(bits).to_state()));
        match algorithm {
            A::Md5 => State::Md5(Md5::new()),
            A::Sha1 => State::Sha1(Sha1::new()),
            A::Sha224 => State::Sha224(Sha224::new()),
            A::Sha256 => State::Sha256(Sha256::new()),
            A::Sha384 => State::Sha384(Sha384::new()),
            A::Sha512 => State::Sha512(Sha512::new()),
            A::Sha3_224 => State::Sha3_224(Sha3_224::new()),
            A::Sha3_256 => State::Sha3_256(Sha3_256::new()),
            A::Sha3_384 => State::Sha3_384(Sha3_384::new()),
            A::Sha3_512 => State::Sha3_512(Sha3_512::new()),
            A::Skein256 => State::Skein256(Box::new(Skein256_256::new())),
            A::Skein512 => State::Skein512(Box::new(Skein512_512::new())),
            A::Blake2b160 | A::Blake2b224 | A::Blake2b256 | A::Blake2b384 | A::Blake2b512 => blake2b(),
            A::Blake2s160 | A::Blake2s224 | A::Blake2s256 => blake2s(),
            A::Blake2bp512 => {
                State::Blake2bp(Box::new(blake2b_simd::blake2bp::Params::new().hash_length(bits).to_state()))
            }
            A::Blake2sp224 | A::Blake2sp256 => {
                State::Blake2sp(Box::new(blake2s_simd::blake2sp::Params::new().hash_length(bits).to_state()))
            }
            A::Blake3_256 => State::Blake3(Box::default()),
            A::Xxh3 => State::Xxh3(Box::new(Xxh3::new())),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            State::Md5(s) => s.update(bytes),
            State::Sha1(s) => s.update(bytes),
            State::Sha224(s) => s.update(bytes),
            State::Sha256(s) => s.update(bytes),
            State::Sha384(s) => s.update(bytes),
            State::Sha512(s) => s.update(bytes),
            State::Sha3_224(s) => s.update(bytes),
            State::Sha3_256(s) => s.update(bytes),
            State::Sha3_384(s) => s.update(bytes),
            State::Sha3_512(s) => s.update(bytes),
            State::Skein256(s) => s.update(bytes),
            State::Skein512(s) => s.update(bytes),
            State::Blake2b(s) => drop(s.update(bytes)),
            State::Blake2bp(s) => drop(s.update(bytes)),
            State::Blake2s(s) => drop(s.update(bytes)),
            State::Blake2sp(s) => drop(s.update(bytes)),
            State::Blake3(s) => drop(s.update(bytes)),
            State::Xxh3(s) => s.update(bytes),
        }
    }

    fn digest(self) -> Vec<u8> {
        match self {
            State::Md5(s) => s.finalize().to_vec(),
            State::Sha1(s) => s.finalize().to_vec(),
            State::Sha224(s) => s.finalize().to_vec(),
            State::Sha256(s) => s.finalize().to_vec(),
            State::Sha384(s) => s.finalize().to_vec(),
            State::Sha512(s) => s.finalize().to_vec(),
            State::Sha3_224(s) => s.finalize().to_vec(),
            State::Sha3_256(s) => s.finalize().to_vec(),
            State::Sha3_384(s) => s.finalize().to_vec(),
            State::Sha3_512(s) => s.finalize().to_vec(),
            State::Skein256(s) => s.finalize().to_vec(),
            State::Skein512(s) => s.finalize().to_vec(),
            State::Blake2b(s) => s.finalize().as_bytes().to_vec(),
            State::Blake2bp(s) => s.finalize().as_bytes().to_vec(),
            State::Blake2s(s) => s.finalize().as_bytes().to_vec(),
            State::Blake2sp(s) => s.finalize().as_bytes().to_vec(),
            State::Blake3(s) => s.finalize().as_bytes().to_vec(),
            State::Xxh3(s) => s.digest().to_be_bytes().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(backend: &str, content: &[u8], name: &str) -> Key {
        let mut hasher = KeyHasher::new(&Backend::parse(backend).unwrap()).unwrap();
        for piece in content.chunks(4) {
            hasher.update(piece);
        }
        hasher.finish(name.as_bytes())
    }

    #[test]
    fn keys_of_hello() {
        for (backend, name) in [
            ("SHA256E", "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03.txt"),
            ("SHA256", "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"),
            ("SHA1", "f572d396fae9206628714fb2ce00f72e94f2258f"),
            ("MD5E", "b1946ac92492d2347c6235b4d2611184.txt"),
            ("SHA3_256", "b314e28493eae9dab57ac4f0c6d887bddbbeb810e900d818395ace558e96516d"),
            ("BLAKE2B256E", "93becc6e9882211c3ec3708c95bcd69baab7bb59c7f4bc84ce637b88a534b783.txt"),
            ("BLAKE2B160", "d2f799bb9610968a2efa8f7682d5f2f1d45163d7"),
            ("BLAKE2S256", "3969b3926654065966b6f8d9a65789b0f76d56e1e2ab67dd94faa770959187ca"),
            ("SKEIN256", "960005f5dfd54a29fd8c2ed5514664d3d746c32a97db1b01505b32eae6bfe4ad"),
            ("BLAKE3_256", "8e4c7c1b99dbfd50e7a95185fead5ee1448fa904a2fdd778eaf5f2dbfd629a99"),
            ("XXH3", "99fc819aaba2462a"),
        ] {
            let key = key_of(backend, b"hello\n", "dir/hello.txt");
            assert_eq!(key.to_string(), format!("{backend}-s6--{name}"));
        }
    }

    #[test]
    fn verifies() {
        for algorithm in HashAlgorithm::ALL {
            for suffix in ["", "E"] {
                let backend = format!("{}{suffix}", algorithm.name());
                let key = key_of(&backend, b"some content", "a.b");
                assert_eq!(key.digest_hex().len(), 2 * algorithm.digest_len(), "{backend}");
                let check = |content: &[u8]| {
                    let mut hasher = key.verifier().unwrap();
                    hasher.update(content);
                    hasher.matches(&key)
                };
                assert!(check(b"some content"), "{backend}");
                assert!(!check(b"some c0ntent") && !check(b"some content "), "{backend}");
            }
        }
    }

    #[test]
    fn a_large_content_is_hashed_the_same_aside() {
        let content: Vec<u8> = (0..LARGE as usize + 3_000_000).map(|n| ((n * n) >> 7) as u8).collect();
        let backend = Backend::parse("SHA256").unwrap();
        let mut whole = KeyHasher::new(&backend).unwrap();
        // In one go it stays where it is up to its end.
        whole.update(&content[..LARGE as usize]);
        assert!(matches!(whole.work, Work::Here(_)));
        whole.update(&content[LARGE as usize..]);
        let key = whole.finish(b"");

        let mut hasher = key.verifier().unwrap();
        let mut copies = Vec::new();
        for piece in content.chunks(1_000_003) {
            hasher.update(piece);
            copies.push((hasher.bytes_taken() as usize, hasher.clone()));
        }
        assert!(hasher.matches(&key));
        for (taken, mut copy) in copies {
            copy.update(&content[taken..]);
            assert!(copy.matches(&key), "a copy at {taken} goes on by itself");
        }
        let mut dropped = key.verifier().unwrap();
        content.chunks(1 << 20).for_each(|piece| dropped.update(piece));
        dropped.update(b"more");
        assert!(!dropped.clone().matches(&key));
    }

    #[test]
    fn a_wrong_size_in_the_key_does_not_match() {
        let key = key_of("SHA1", b"x", "x");
        let lying = Key::from_parts(key.backend().clone(), Some(2), None, key.name()).unwrap();
        let mut hasher = lying.verifier().unwrap();
        hasher.update(b"x");
        assert!(!hasher.matches(&lying));
    }

    #[test]
    fn nothing_to_verify_by() {
        for key in ["WORM-s1-m1--a", "URL--http://a/", "XBLAKE3-s1--a", "SHA1-s9-S4-C1--a"] {
            assert!(Key::parse(key.as_bytes()).unwrap().verifier().is_none(), "{key}");
        }
    }
}
