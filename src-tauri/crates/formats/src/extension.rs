//! Which part of a file's name an `E` backend keeps in the key.
//!
//! Source: git-annex `annex.maxextensionlength` and `annex.maxextensions`, 10.20261026.

/// The most bytes that a key may hold from the first dot of its name on, whatever is configured.
pub const MAX_KEY_EXTENSION: usize = 64;

/// The limits within which a part of a file's name counts as extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtensionRule {
    /// The longest part, in bytes (`annex.maxextensionlength`).
    pub max_length: usize,
    /// The most parts (`annex.maxextensions`).
    pub max_count: usize,
}

impl Default for ExtensionRule {
    fn default() -> Self {
        Self { max_length: 4, max_count: 2 }
    }
}

impl ExtensionRule {
    /// The extension of a file, each part with its dot; empty when it has none. A path is taken by
    /// its last component. Case is kept.
    pub fn extension_of(&self, file_name: &[u8]) -> Vec<u8> {
        let base = file_name.rsplit(|&b| b == b'/').next().expect("a split yields at least one part");
        let first = base.iter().position(|&b| b != b'.').unwrap_or(base.len());
        let visible = &base[first..];
        let Some(dot) = visible.iter().position(|&b| b == b'.') else {
            return Vec::new();
        };

        let fits = |part: &&[u8]| part.iter().all(|&b| b.is_ascii_alphanumeric() || b >= 0x80);
        let mut parts: Vec<&[u8]> = visible[dot..]
            .rsplit(|&b| b == b'.')
            .take_while(|part| part.len() <= self.max_length)
            .filter(fits)
            .take(self.max_count)
            .filter(|part| !part.is_empty())
            .collect();
        parts.reverse();

        let extension: Vec<u8> = parts.iter().flat_map(|part| [b".", *part].concat()).collect();
        // Only reachable with raised limits. The key would be refused by every reader.
        if extension.len() > MAX_KEY_EXTENSION {
            return Vec::new();
        }
        extension
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_git_annex_does() {
        for (name, extension) in [
            ("x.tar.gz", ".tar.gz"),
            ("page.xhtml", ""),
            ("x.longext.gz", ".gz"),
            (".foo", ""),
            (".foo.bar", ".bar"),
            (".tar.gz", ".gz"),
            ("a.b.c.d.e", ".d.e"),
            ("v1.2.3", ".2.3"),
            ("my.file.with.many.dots.txt", ".dots.txt"),
            ("file.tar.gz~", ".tar"),
            ("file.gz~", ""),
            ("backup.2023-01-01.tar", ".tar"),
            ("a.b-c.txt", ".txt"),
            ("a.b-c", ""),
            ("foo.bar..gz", ".gz"),
            ("x.TAR.GZ", ".TAR.GZ"),
            ("naïve.é", ".é"),
            ("foo.ééé.txt", ".txt"),
            ("x.tar.gz.gpg", ".gz.gpg"),
            ("x.tar.lzma", ".tar.lzma"),
            ("x.日本語", ""),
            ("dir.d/plain", ""),
            ("dir/a.txt", ".txt"),
            ("", ""),
            ("...", ""),
            ("a.", ""),
        ] {
            let got = ExtensionRule::default().extension_of(name.as_bytes());
            assert_eq!(String::from_utf8(got).unwrap(), extension, "{name}");
        }
    }

    #[test]
    fn limits_can_be_set() {
        let three = ExtensionRule { max_count: 3, ..Default::default() };
        assert_eq!(three.extension_of(b"a.b.c.d"), b".b.c.d");
        let long = ExtensionRule { max_length: 7, ..Default::default() };
        assert_eq!(long.extension_of(b"x.longext.gz"), b".longext.gz");
        let huge = ExtensionRule { max_length: 100, ..Default::default() };
        assert_eq!(huge.extension_of(&[b"a.".to_vec(), vec![b'x'; 64]].concat()), b"");
        assert_eq!(huge.extension_of(&[b"a.".to_vec(), vec![b'x'; 63]].concat()).len(), 64);
    }
}
