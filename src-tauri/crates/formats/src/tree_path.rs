//! Paths inside a folder, as git's trees hold them: bytes, `/` between components, from the top.
//!
//! Made only by checking, so that a path from somebody else's commit can be joined to a folder
//! without leaving it or touching its `.git`. The names refused are those git itself refuses
//! (`core.protectHFS`, `core.protectNTFS` and `git fsck`, git 2.47).

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest path that is taken, in bytes: Linux's `PATH_MAX` less the final NUL.
pub const MAX_PATH_LEN: usize = 4095;

/// A checked path relative to a folder's top. Need not be UTF-8. Ordered bytewise; cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath(Arc<[u8]>);

/// Why bytes are no path inside a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreePathError {
    /// The path, or one of its components, is empty; so are absolute paths and a final slash.
    #[error("a component of the path is empty")]
    EmptyComponent,
    /// A component is `.` or `..`.
    #[error("the path holds a `.` or `..` component")]
    DotComponent,
    /// A component is `.git`, or something a file system could take for it.
    #[error("the path holds a component that stands for .git")]
    DotGit,
    /// The path holds a NUL byte.
    #[error("the path holds a NUL byte")]
    Nul,
    /// The path is longer than [`MAX_PATH_LEN`].
    #[error("the path has {0} bytes, more than {MAX_PATH_LEN}")]
    TooLong(usize),
}

impl TreePath {
    /// Checks and takes a path.
    ///
    /// # Errors
    /// [`TreePathError`] says what is wrong with it.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, TreePathError> {
        let bytes = bytes.as_ref();
        if bytes.len() > MAX_PATH_LEN {
            return Err(TreePathError::TooLong(bytes.len()));
        }
        for component in bytes.split(|&b| b == b'/') {
            check_component(component)?;
        }
        Ok(Self(bytes.into()))
    }

    /// The path's bytes, without a slash at either end.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The last component.
    pub fn file_name(&self) -> &[u8] {
        match self.last_slash() {
            Some(slash) => &self.0[slash + 1..],
            None => &self.0,
        }
    }

    /// The directory it lies in; none for a path at the top.
    pub fn parent(&self) -> Option<TreePath> {
        self.last_slash().map(|slash| Self(self.0[..slash].into()))
    }

    /// This path with one more component (or several, `/` between them).
    ///
    /// # Errors
    /// As [`TreePath::new`].
    pub fn join(&self, name: &[u8]) -> Result<TreePath, TreePathError> {
        Self::new([&self.0[..], b"/", name].concat())
    }

    /// The same directory with another last component.
    ///
    /// # Errors
    /// As [`TreePath::new`].
    pub fn with_file_name(&self, name: &[u8]) -> Result<TreePath, TreePathError> {
        let dir = self.last_slash().map_or(0, |slash| slash + 1);
        Self::new([&self.0[..dir], name].concat())
    }

    /// As [`TreePath::with_file_name`], for a name known to be sound: one derived from this one's by
    /// adding to it. The result may be a little longer than [`MAX_PATH_LEN`].
    pub(crate) fn with_sound_file_name(&self, name: Vec<u8>) -> TreePath {
        debug_assert_eq!(check_component(&name), Ok(()));
        let dir = self.last_slash().map_or(0, |slash| slash + 1);
        Self([&self.0[..dir], &name].concat().into())
    }

    /// How many directories it lies in: 0 at the top.
    pub fn depth(&self) -> usize {
        self.0.iter().filter(|&&b| b == b'/').count()
    }

    /// The components, first to last.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&b| b == b'/')
    }

    /// Whether it is `dir` or lies somewhere below it.
    pub fn starts_with(&self, dir: &TreePath) -> bool {
        match self.0.strip_prefix(dir.as_bytes()) {
            Some(rest) => rest.is_empty() || rest[0] == b'/',
            None => false,
        }
    }

    /// For people: what is not UTF-8 is replaced.
    pub fn to_string_lossy(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }

    fn last_slash(&self) -> Option<usize> {
        self.0.iter().rposition(|&b| b == b'/')
    }
}

/// Says whether one name could stand for `.git` on some file system, and is refused for that.
pub fn is_dot_git(component: &[u8]) -> bool {
    is_ntfs_dot_git(component) || is_hfs_dot_git(component)
}

fn check_component(component: &[u8]) -> Result<(), TreePathError> {
    match component {
        b"" => Err(TreePathError::EmptyComponent),
        b"." | b".." => Err(TreePathError::DotComponent),
        _ if component.contains(&0) => Err(TreePathError::Nul),
        _ if is_dot_git(component) => Err(TreePathError::DotGit),
        _ => Ok(()),
    }
}

/// NTFS ignores case, trailing dots and spaces, has short names (`git~1`) and streams (`.git:x`).
fn is_ntfs_dot_git(component: &[u8]) -> bool {
    let rest = [&b".git"[..], b"git~1"].into_iter().find_map(|name| {
        let head = component.get(..name.len())?;
        head.eq_ignore_ascii_case(name).then(|| &component[name.len()..])
    });
    let Some(rest) = rest else { return false };
    match rest.iter().find(|&&b| b != b' ' && b != b'.') {
        None => true,
        Some(&b) => b == b':' || b == b'\\',
    }
}

/// HFS+ ignores case and some invisible characters.
fn is_hfs_dot_git(component: &[u8]) -> bool {
    let text = String::from_utf8_lossy(component);
    let visible = text.chars().filter(|c| !is_ignored_by_hfs(*c));
    visible.map(|c| c.to_ascii_lowercase()).eq(".git".chars())
}

fn is_ignored_by_hfs(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

impl AsRef<[u8]> for TreePath {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl std::borrow::Borrow<[u8]> for TreePath {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// For display: bytes that are not UTF-8 are replaced.
impl Serialize for TreePath {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&String::from_utf8_lossy(&self.0))
    }
}

impl<'de> Deserialize<'de> for TreePath {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        Self::new(text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::new(text).unwrap()
    }

    #[test]
    fn takes_odd_names() {
        for odd in [
            &b"a"[..],
            b" ",
            b"-rf",
            b"a\nb/c d",
            b"\xff\xfe/x",
            b"...",
            b".gitignore",
            b".github",
            b"git~2",
            b"a.git",
            b"..a",
            b"git",
        ] {
            assert_eq!(TreePath::new(odd).unwrap().as_bytes(), odd);
        }
    }

    #[test]
    fn refuses_ways_out() {
        use TreePathError::*;
        for (bad, why) in [
            (&b""[..], EmptyComponent),
            (b"/a", EmptyComponent),
            (b"a/", EmptyComponent),
            (b"a//b", EmptyComponent),
            (b".", DotComponent),
            (b"a/../b", DotComponent),
            (b"a\0b", Nul),
            (b".git/config", DotGit),
            (b"a/.GiT", DotGit),
            (b".git. .", DotGit),
            (b".git::$INDEX_ALLOCATION", DotGit),
            (b".git\\x", DotGit),
            (b"GIT~1/hooks", DotGit),
            (".g\u{200c}it".as_bytes(), DotGit),
            ("\u{feff}.Git".as_bytes(), DotGit),
        ] {
            assert_eq!(TreePath::new(bad), Err(why), "{}", bad.escape_ascii());
        }
        assert_eq!(TreePath::new(vec![b'a'; 4096]), Err(TooLong(4096)));
    }

    #[test]
    fn parts() {
        let p = path("a/b/c.txt");
        assert_eq!((p.depth(), p.file_name(), p.parent()), (2, &b"c.txt"[..], Some(path("a/b"))));
        assert_eq!((path("x").depth(), path("x").parent(), path("x").file_name()), (0, None, &b"x"[..]));
        assert_eq!(path("a").join(b"b").unwrap(), path("a/b"));
        assert_eq!(path("a").join(b".."), Err(TreePathError::DotComponent));
        assert_eq!(p.with_file_name(b"d").unwrap(), path("a/b/d"));
        assert!(p.starts_with(&path("a/b")) && p.starts_with(&p));
        assert!(!path("ab").starts_with(&path("a")));
    }
}
