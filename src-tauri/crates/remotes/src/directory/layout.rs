//! Where a key's content is, relative to the top.

use tributary_formats::Key;

/// The paths of one key, or of one chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// `LOWER/KEYFILE/KEYFILE`.
    pub file: Vec<u8>,
    /// How much of it is `LOWER/KEYFILE`.
    dir_len: usize,
    /// The length of KEYFILE.
    name_len: usize,
}

impl Layout {
    /// Where contents are written to, and looked for first.
    pub fn of(key: &Key) -> Self {
        Self::below(&key.hash_dir_lower(), key)
    }

    /// Where old data may be.
    pub fn mixed(key: &Key) -> Self {
        Self::below(&key.hash_dir_mixed(), key)
    }

    fn below(hash_dir: &str, key: &Key) -> Self {
        let name = key.key_file();
        let file = [hash_dir.as_bytes(), b"/", &name, b"/", &name].concat();
        Layout { dir_len: hash_dir.len() + 1 + name.len(), name_len: name.len(), file }
    }

    /// `LOWER/KEYFILE`.
    pub fn dir(&self) -> &[u8] {
        &self.file[..self.dir_len]
    }

    /// KEYFILE.
    pub fn name(&self) -> &[u8] {
        &self.file[self.file.len() - self.name_len..]
    }

    /// `LOWER` and its first part: what may have to be made first, or is removed when empty; the inner one first.
    pub fn parents(&self) -> [&[u8]; 2] {
        let inner = &self.file[..self.dir_len - self.name_len - 1];
        let slash = inner.iter().position(|byte| *byte == b'/').expect("hash directories have two levels");
        [inner, &inner[..slash]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_where_git_annex_puts_it() {
        let text = "SHA256E-s6--5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03.txt";
        let key = Key::parse(text.as_bytes()).expect("a key");
        let layout = Layout::of(&key);
        assert_eq!(layout.file, format!("d91/b11/{text}/{text}").into_bytes());
        assert_eq!(layout.dir(), format!("d91/b11/{text}").as_bytes());
        assert_eq!(layout.name(), text.as_bytes());
        assert_eq!(layout.parents(), [&b"d91/b11"[..], b"d91"]);
        assert_eq!(Layout::mixed(&key).parents(), [&b"mK/4w"[..], b"mK"]);
    }

    #[test]
    fn a_slash_in_a_key_leads_nowhere() {
        let key = Key::parse(b"URL--http://x/../../etc").expect("a key");
        assert_eq!(Layout::of(&key).name(), b"URL--http&c%%x%..%..%etc");
    }
}
