//! Where a key lies: its file name, its hash directories, and the paths made of them.

use md5::{Digest, Md5};

use super::Key;

/// The digits of the mixed hash directories: no letter that a case-folding file system could take
/// for another of the same pair too often, as git-annex chose them.
const MIXED_DIGITS: &[u8; 32] = b"0123456789zqjxkmvwgpfZQJXKMVWGPF";

impl Key {
    /// The key as a file name (`KEYFILE`): `&` `%` `:` are escaped as `&a` `&s` `&c`, `/` as `%`.
    pub fn key_file(&self) -> Vec<u8> {
        let mut file = Vec::with_capacity(self.as_bytes().len());
        for &b in self.as_bytes() {
            match b {
                b'&' => file.extend(b"&a"),
                b'%' => file.extend(b"&s"),
                b':' => file.extend(b"&c"),
                b'/' => file.push(b'%'),
                _ => file.push(b),
            }
        }
        file
    }

    /// Reads [`Key::key_file`]'s form. None when it is not exactly what that writes.
    pub fn from_key_file(file: &[u8]) -> Option<Key> {
        let mut bytes = Vec::with_capacity(file.len());
        let mut rest = file.iter();
        while let Some(&b) = rest.next() {
            bytes.push(match b {
                b'&' => match rest.next()? {
                    b'a' => b'&',
                    b's' => b'%',
                    b'c' => b':',
                    _ => return None,
                },
                b'%' => b'/',
                b':' | b'/' => return None,
                _ => b,
            });
        }
        Key::parse(&bytes)
    }

    /// The directories of the git-annex branch, bare repositories and most special remotes:
    /// `d91/b11`. A chunk lies with its whole.
    pub fn hash_dir_lower(&self) -> String {
        let hash = hex::encode(&self.directory_hash()[..3]);
        format!("{}/{}", &hash[..3], &hash[3..])
    }

    /// The directories of `.git/annex/objects` and of link targets: `mK/4w`.
    pub fn hash_dir_mixed(&self) -> String {
        let hash = self.directory_hash();
        let word = u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]);
        // Five bits out of every six.
        let digit = |i: u32| char::from(MIXED_DIGITS[(word >> (6 * i)) as usize & 31]);
        format!("{}{}/{}{}", digit(1), digit(0), digit(3), digit(2))
    }

    /// The location log's path on the git-annex branch: `d91/b11/KEYFILE.log`.
    pub fn log_path(&self) -> Vec<u8> {
        self.log_path_with(b".log")
    }

    /// The path of another log of this key; `suffix` such as `.log.web`, `.log.cnk`, `.log.met`.
    pub fn log_path_with(&self, suffix: &[u8]) -> Vec<u8> {
        let dir = self.hash_dir_lower();
        [dir.as_bytes(), b"/", &self.key_file(), suffix].concat()
    }

    /// The object's path below `annex/objects` by the mixed hash: `mK/4w/KEYFILE/KEYFILE`.
    pub fn object_path_mixed(&self) -> Vec<u8> {
        self.object_path(&self.hash_dir_mixed())
    }

    /// The object's path by the lower-case hash: `d91/b11/KEYFILE/KEYFILE`.
    pub fn object_path_lower(&self) -> Vec<u8> {
        self.object_path(&self.hash_dir_lower())
    }

    /// What a locked file's symbolic link says, for a file `depth` directories below the top.
    pub fn link_target(&self, depth: usize) -> Vec<u8> {
        let mut target = b"../".repeat(depth);
        target.extend(b".git/annex/objects/");
        target.extend(self.object_path_mixed());
        target
    }

    /// The length of [`Key::key_file`].
    pub(super) fn key_file_len(&self) -> usize {
        let escaped = |b: &&u8| matches!(b, b'&' | b'%' | b':');
        self.as_bytes().len() + self.as_bytes().iter().filter(escaped).count()
    }

    fn object_path(&self, dir: &str) -> Vec<u8> {
        let file = self.key_file();
        [dir.as_bytes(), b"/", &file, b"/", &file].concat()
    }

    fn directory_hash(&self) -> [u8; 16] {
        Md5::digest(self.without_chunk().as_bytes()).into()
    }
}
