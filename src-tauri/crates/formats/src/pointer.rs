//! Annexed files as git sees them: pointers (unlocked) and link targets (locked).

use crate::key::Key;

/// The largest file or blob that can be a pointer, in bytes. Larger ones need not be read.
pub const MAX_POINTER_SIZE: usize = 32768;

const OBJECTS: &[u8] = b"/annex/objects/";

/// What a file's or blob's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pointer {
    /// A pointer to this key's content.
    Key(Key),
    /// Content of its own.
    NotPointer,
    /// A pointer's first line with other data after it: somebody appended to a file whose content
    /// was not there. Neither may be lost by treating it as one of the others.
    ContentAppended(Key),
}

impl Pointer {
    /// The key of an intact pointer.
    pub fn key(self) -> Option<Key> {
        match self {
            Pointer::Key(key) => Some(key),
            _ => None,
        }
    }
}

/// Reads a work-tree file or a blob of mode 100644 or 100755 (or a link's target, which reads the
/// same). Source: git-annex `doc/internals/pointer_file.mdwn`, and tried, 10.20261026.
pub fn parse_pointer(bytes: &[u8]) -> Pointer {
    if bytes.len() > MAX_POINTER_SIZE {
        return Pointer::NotPointer;
    }
    let end = bytes.iter().position(|&b| b == b'\n');
    let (line, rest) = match end {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &b""[..]),
    };
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let Some(key) = key_at_end(line) else {
        return Pointer::NotPointer;
    };
    // Later versions of git-annex may add lines; those have to look like this.
    let known =
        rest.split_inclusive(|&b| b == b'\n').all(|line| line.ends_with(b"\n") && contains(line, b"/annex/"));
    if known { Pointer::Key(key) } else { Pointer::ContentAppended(key) }
}

/// The pointer of a key: `/annex/objects/KEYFILE` and a newline.
pub fn format_pointer(key: &Key) -> Vec<u8> {
    [OBJECTS, &key.key_file(), b"\n"].concat()
}

/// The key that a symbolic link's target leads to, wherever the link lies. None for links that are
/// a person's own.
pub fn parse_link_target(target: &[u8]) -> Option<Key> {
    if target.len() > MAX_POINTER_SIZE {
        return None;
    }
    key_at_end(target)
}

fn key_at_end(line: &[u8]) -> Option<Key> {
    if !contains(line, OBJECTS) {
        return None;
    }
    Key::from_key_file(line.rsplit(|&b| b == b'/').next()?)
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = "SHA256E-s6--5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03.txt";

    fn hello() -> Key {
        Key::parse(HELLO.as_bytes()).unwrap()
    }

    fn blob_id(bytes: &[u8]) -> String {
        use sha1::Digest;
        let header = format!("blob {}\0", bytes.len());
        hex::encode(sha1::Sha1::digest([header.as_bytes(), bytes].concat()))
    }

    #[test]
    fn what_git_holds() {
        let pointer = format_pointer(&hello());
        assert_eq!(pointer, format!("/annex/objects/{HELLO}\n").as_bytes());
        assert_eq!(pointer.len(), 96);
        assert_eq!(blob_id(&pointer), "39b3ecb685e7d01850073c97ecc20aeeb699a30c");
        let target = hello().link_target(0);
        assert_eq!(blob_id(&target), "d5fb444d7fb5d277e8d9b87392a289b408a96be1");
        assert_eq!(parse_link_target(&target), Some(hello()));
    }

    #[test]
    fn accepted() {
        let file = format!("/annex/objects/{HELLO}");
        for text in [
            file.clone(),
            format!("{file}\n"),
            format!("{file}\r\n"),
            format!("anything {file}\n"),
            format!("../.git/annex/objects/mK/4w/{HELLO}/{HELLO}"),
            format!("{file}\n/annex/more\nand /annex/ more\n"),
        ] {
            assert_eq!(parse_pointer(text.as_bytes()), Pointer::Key(hello()), "{text:?}");
        }
    }

    #[test]
    fn refused() {
        for text in [
            String::new(),
            "hello\n".into(),
            HELLO.into(),
            format!("/annex/objects/{HELLO}/\n"),
            format!("/annex/objects/x\n/annex/objects/{HELLO}\n"),
            format!("/annex/objects/{HELLO} \n"),
            format!("\n/annex/objects/{HELLO}\n"),
            "/annex/objects/..\n".into(),
        ] {
            // A space at the end belongs to the extension, and makes it another key.
            if let Pointer::Key(key) = parse_pointer(text.as_bytes()) {
                assert_eq!(key.name().last(), Some(&b' '), "{text:?}");
            }
        }
        let padded = |len: usize| {
            let line = format!("/annex/objects/{HELLO}");
            [vec![b'x'; len - line.len()], line.into_bytes()].concat()
        };
        assert_eq!(parse_pointer(&padded(MAX_POINTER_SIZE)), Pointer::Key(hello()));
        assert_eq!(parse_pointer(&padded(MAX_POINTER_SIZE + 1)), Pointer::NotPointer);
    }

    #[test]
    fn appended_to() {
        for tail in ["more\n", "/annex/", "/annex/x\nmore\n", "\n"] {
            let text = format!("/annex/objects/{HELLO}\n{tail}");
            assert_eq!(parse_pointer(text.as_bytes()), Pointer::ContentAppended(hello()), "{tail:?}");
        }
    }

    #[test]
    fn links_of_ones_own() {
        for target in ["/etc/passwd", "../a", "", ".git/annex/objects/", ".git/annex/objects/x"] {
            assert_eq!(parse_link_target(target.as_bytes()), None, "{target}");
        }
    }
}
