//! The names under which both sides of a conflict are kept.
//!
//! `f.txt` becomes `f.variant-XXXX.txt`: X the first four hex digits of the MD5 of the key, the
//! extension from the last dot. Two repositories that resolve a conflict at the same time so come
//! to the same names. Source: git-annex `Annex/VariantFile`, by experiment, 10.20261026.

use md5::{Digest, Md5};

use crate::key::Key;
use crate::tree_path::TreePath;

const MARKER: &[u8] = b".variant-";
/// The longest file name that common file systems take, in bytes.
const MAX_NAME: usize = 255;

/// Where the version with this key goes when `path` is in conflict.
///
/// A path that has been a variant already gets the whole key file name instead of four digits. A
/// name that would pass 255 bytes is cut, before the marker; the same on every side.
pub fn variant_path(path: &TreePath, key: &Key) -> TreePath {
    variant(path, key.as_bytes(), &key.key_file())
}

/// Where a version that git itself holds goes: as [`variant_path`], by the blob's id in hex.
pub fn variant_path_of_blob(path: &TreePath, blob_hex: &str) -> TreePath {
    variant(path, blob_hex.as_bytes(), blob_hex.as_bytes())
}

/// The path that this one is a version of, when its name is one that [`variant_path`] gives; of a version of a version, the
/// first. Of a path that was cut for its length, what is left.
pub fn original_of(path: &[u8]) -> Option<TreePath> {
    let name = path.rsplit(|&byte| byte == b'/').next()?;
    let marked = |at: &usize| name[*at..].starts_with(MARKER);
    let first = (0..name.len()).find(marked)?;
    // Every version has four digits somewhere: where it was one of the path itself.
    if !(first..name.len()).filter(marked).any(|at| is_short_id(&name[at + MARKER.len()..])) {
        return None;
    }
    let rest = &name[first + MARKER.len()..];
    let dot = rest.iter().rposition(|&byte| byte == b'.').unwrap_or(rest.len());
    // What has no extension has the first mark in its place, once it is a version of a version.
    let extension = if rest[dot..].starts_with(MARKER) { &[] } else { &rest[dot..] };
    TreePath::new([&path[..path.len() - name.len()], &name[..first], extension].concat()).ok()
}

/// Whether four hex digits and nothing else come before the extension, or the end.
fn is_short_id(text: &[u8]) -> bool {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.split_at_checked(4).is_some_and(|(digits, rest)| {
        digits.iter().all(is_digit) && (rest.is_empty() || rest.starts_with(b"."))
    })
}

fn variant(path: &TreePath, identity: &[u8], whole: &[u8]) -> TreePath {
    let digest = hex::encode(Md5::digest(identity)).into_bytes();
    let is_variant = path.as_bytes().windows(MARKER.len()).any(|part| part == MARKER);
    let room = MAX_NAME - MARKER.len();
    let id = match is_variant {
        false => &digest[..4],
        true if whole.len() < room => whole,
        // Still unlike any other, and short enough.
        true => &digest,
    };

    let name = path.file_name();
    let dot = name.iter().rposition(|&b| b == b'.').unwrap_or(name.len());
    let (stem, extension) = name.split_at(dot);
    let room = room - id.len();
    let extension = cut(extension, room);
    let stem = cut(stem, room - extension.len());
    path.with_sound_file_name([stem, MARKER, id, extension].concat())
}

/// The longest start of `name` within `most` bytes that does not end inside a character.
fn cut(name: &[u8], most: usize) -> &[u8] {
    if name.len() <= most {
        return name;
    }
    let inside = |at: usize| at > 0 && name[at] & 0xc0 == 0x80;
    let start = (most.saturating_sub(3)..=most).rev().find(|&at| !inside(at));
    &name[..start.unwrap_or(most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "SHA256E-s4--2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806.txt";
    const TWO: &str = "SHA256E-s4--27dd8ed44a83ff94d557f9fd0412ed5a8cbca69ea04922d88c01184a07300a5a.txt";

    fn key(text: &str) -> Key {
        Key::parse(text.as_bytes()).unwrap()
    }

    fn named(path: &str, key_text: &str) -> String {
        variant_path(&TreePath::new(path).unwrap(), &key(key_text)).to_string()
    }

    fn original(path: &str) -> Option<String> {
        original_of(path.as_bytes()).map(|path| path.to_string())
    }

    #[test]
    fn a_version_tells_what_it_is_one_of() {
        for path in ["f.txt", "docs.d/f", "docs/a.tar.gz", ".hidden", "f.", "odd\\n.txt"] {
            assert_eq!(original(&named(path, ONE)).as_deref(), Some(path));
            let again = named(&named(path, ONE), TWO);
            assert_eq!(original(&again).as_deref(), Some(path), "a version of a version: {again}");
        }
        for path in [
            "f.txt",
            "f.variant-.txt",
            "f.variant-12.txt",
            "f.variant-12345.txt",
            "f.variant-WXYZ.txt",
            ".variant-5d43",
        ] {
            assert_eq!(original(path), None, "{path} is nobody's version");
        }
        assert_eq!(original("a.variant-5d43/f.txt"), None, "a folder's name says nothing of what is in it");
    }

    #[test]
    fn real_names() {
        assert_eq!(named("f.txt", ONE), "f.variant-5d43.txt");
        assert_eq!(named("f.txt", TWO), "f.variant-16e4.txt");
        let again = format!("f.variant-abcd.variant-{ONE}.txt");
        assert_eq!(named("f.variant-abcd.txt", ONE), again);
        let other = "SHA256E-s4--2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806";
        let digits = &hex::encode(Md5::digest(other))[..4];
        assert_eq!(named("noext", other), format!("noext.variant-{digits}"));
        assert_eq!(named("sub/deep.tar.gz", other), format!("sub/deep.tar.variant-{digits}.gz"));
        assert_eq!(named(".bashrc", other), format!(".variant-{digits}.bashrc"));
        assert_eq!(named("a.b/noext", other), format!("a.b/noext.variant-{digits}"));
    }

    #[test]
    fn of_blobs() {
        let id = "d5fb444d7fb5d277e8d9b87392a289b408a96be1";
        let digits = &hex::encode(Md5::digest(id))[..4];
        let path = variant_path_of_blob(&TreePath::new("a/f.txt").unwrap(), id);
        assert_eq!(path.to_string(), format!("a/f.variant-{digits}.txt"));
        let again = variant_path_of_blob(&path, id).to_string();
        assert_eq!(again, format!("a/f.variant-{digits}.variant-{id}.txt"));
    }

    #[test]
    fn long_names_still_fit() {
        for name in [
            "é".repeat(127),
            format!("{}.txt", "a".repeat(251)),
            format!("a.{}", "é".repeat(126)),
            format!("a.variant-1234.{}", "x".repeat(240)),
        ] {
            let one = variant_path(&TreePath::new(&name).unwrap(), &key(ONE));
            let two = variant_path(&TreePath::new(&name).unwrap(), &key(TWO));
            assert!(one.file_name().len() <= 255, "{one}");
            assert!(one.file_name().len() >= 250, "no more than needed is cut: {one}");
            assert!(std::str::from_utf8(one.as_bytes()).is_ok(), "{one:?}");
            assert_ne!(one, two);
        }
        let key = key(&format!("WORM--{}", "k".repeat(249)));
        let path = variant_path(&TreePath::new("f.variant-1.txt").unwrap(), &key);
        assert_eq!(path.file_name().len(), "f.variant-1.variant-.txt".len() + 32);
    }
}
