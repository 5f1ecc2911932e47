//! Real files of many sizes with odd names.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};

use crate::snapshot::{Entry, Snapshot};

/// The longest name that file systems allow, in bytes.
const LONGEST_NAME: usize = 255;
/// Names of this length leave room on a path for the folders around them.
const FOLDER_NAME: usize = 60;

/// A kind of odd name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OddName {
    /// Letters, digits and an extension.
    Plain,
    /// Spaces: inside, at the start, at the end.
    Spaces,
    /// A line break.
    Newline,
    /// Letters beyond ASCII, composed and decomposed.
    Utf8,
    /// Bytes that are no UTF-8.
    InvalidUtf8,
    /// A dash first, as an option has it.
    LeadingDash,
    /// 255 bytes, the most a file system allows.
    Longest,
    /// Quotes, backslashes, glob and shell characters.
    Shell,
    /// A dot first.
    Hidden,
}

impl OddName {
    /// All kinds.
    pub const ALL: [OddName; 9] = [
        OddName::Plain,
        OddName::Spaces,
        OddName::Newline,
        OddName::Utf8,
        OddName::InvalidUtf8,
        OddName::LeadingDash,
        OddName::Longest,
        OddName::Shell,
        OddName::Hidden,
    ];

    /// A name of this kind, unlike those of every other `number`.
    fn make(self, number: usize, longest: usize) -> Vec<u8> {
        match self {
            OddName::Plain => format!("file{number}.txt").into_bytes(),
            OddName::Spaces => format!(" a name {number} .dat ").into_bytes(),
            OddName::Newline => format!("two\nlines {number}\n.txt").into_bytes(),
            // The same letter composed and decomposed, another script, one outside the basic plane.
            OddName::Utf8 => format!("é-e\u{301}-日本語-🦀-{number}.ñ").into_bytes(),
            OddName::InvalidUtf8 => {
                [b"\xff\xfe latin-1 \xe9 ".as_slice(), number.to_string().as_bytes()].concat()
            }
            OddName::LeadingDash => format!("--force -rf {number}.sh").into_bytes(),
            OddName::Longest => format!("{number}-{}", "x".repeat(longest)).into_bytes()[..longest].to_vec(),
            OddName::Shell => {
                format!("$(x) `y` 'a' \"b\" *?[c]{{d}} \\ ;&|<>#!~%:, {number}\t.gz").into_bytes()
            }
            OddName::Hidden => format!(".hidden{number}").into_bytes(),
        }
    }
}

/// A maker of files, the same for the same seed.
#[derive(Debug, Clone)]
pub struct OddFiles {
    seed: u64,
    count: usize,
    largest: u64,
    kinds: Vec<OddName>,
}

impl OddFiles {
    /// `count` files with names of every kind, of 0 bytes to 1 MiB, most of them small.
    pub fn new(seed: u64, count: usize) -> Self {
        OddFiles { seed, count, largest: 1024 * 1024, kinds: OddName::ALL.to_vec() }
    }

    /// Leaves a kind of name out: for a judge that goes wrong with it.
    pub fn without(mut self, kind: OddName) -> Self {
        self.kinds.retain(|have| *have != kind);
        self
    }

    /// Sets the size of the largest file.
    pub fn largest(mut self, bytes: u64) -> Self {
        self.largest = bytes;
        self
    }

    /// Writes the files below `dir` (made when missing), in nested folders with odd names too, some of them
    /// executable, some with equal contents, and gives what was written.
    ///
    /// # Panics
    ///
    /// When a file cannot be written, or every kind of name was left out.
    #[track_caller]
    pub fn write(&self, dir: &Path) -> Snapshot {
        let mut rng = StdRng::seed_from_u64(self.seed);
        let mut written = Snapshot::new();
        let mut last = Vec::new();
        let folders = self.folders(&mut rng);
        for number in 0..self.count {
            // The first files have one name of each kind, so that a small count leaves none out.
            let kind = match self.kinds.get(number) {
                Some(kind) => *kind,
                None => *self.kinds.choose(&mut rng).expect("some kind of name is left"),
            };
            let folder = folders.choose(&mut rng).expect("the top is a folder");
            let path = [folder, kind.make(number, LONGEST_NAME).as_slice()].concat();
            if !rng.random_bool(0.05) {
                last = vec![0; self.size(&mut rng)];
                rng.fill_bytes(&mut last);
            }
            let executable = rng.random_bool(0.1);
            put(&dir.join(OsStr::from_bytes(&path)), &last, executable);
            written.insert(path, Entry::file(&last, executable));
        }
        written
    }

    /// The top (empty) and some folders in it, each as a prefix that ends in `/`.
    fn folders(&self, rng: &mut StdRng) -> Vec<Vec<u8>> {
        let mut folders = vec![Vec::new()];
        // Numbers that no file has: a folder and a file cannot have the same name.
        for number in (self.count..).take(self.count / 10) {
            let parent = folders.choose(rng).expect("the top is a folder");
            // Deeper than this, a path with long names would pass the system's limit.
            if parent.iter().filter(|byte| **byte == b'/').count() < 8 {
                let kind = self.kinds.choose(rng).expect("some kind of name is left");
                let name = [b"dir ", kind.make(number, FOLDER_NAME).as_slice()].concat();
                let name = if *kind == OddName::LeadingDash { &name[4..] } else { &name };
                folders.push([parent, name, b"/"].concat());
            }
        }
        folders
    }

    /// Mostly small, some empty, a few up to the largest.
    fn size(&self, rng: &mut StdRng) -> usize {
        let upper = match rng.random_range(0..100) {
            0..5 => 0,
            5..75 => 4 * 1024,
            75..97 => 64 * 1024,
            _ => self.largest,
        };
        let size = rng.random_range(0..=upper.min(self.largest));
        usize::try_from(size).expect("a test's file fits memory")
    }
}

#[track_caller]
fn put(path: &Path, content: &[u8], executable: bool) {
    let write = || {
        fs::create_dir_all(path.parent().expect("a file has a folder"))?;
        fs::write(path, content)?;
        let mode = if executable { 0o755 } else { 0o644 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    };
    write().unwrap_or_else(|cause| panic!("cannot write {}: {cause}", path.display()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{differences, snapshot};

    #[test]
    fn writes_what_it_says_and_the_same_again() {
        let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let files = OddFiles::new(7, 200).largest(100_000);
        let said = files.write(one.path());
        assert_eq!(said.len(), 200, "no name twice");
        assert_eq!(differences(&said, &snapshot(one.path())), "", "what it says is what stands there");
        assert_eq!(differences(&said, &files.write(two.path())), "", "a seed gives the same files");
        assert_ne!(said, OddFiles::new(8, 200).write(two.path()), "another seed gives others");
    }

    #[test]
    fn names_are_of_every_kind_but_those_left_out() {
        let dir = tempfile::tempdir().expect("a folder");
        let names: Vec<_> = OddFiles::new(1, 40).write(dir.path()).into_keys().collect();
        let file_name =
            |path: &Vec<u8>| path.rsplit(|byte| *byte == b'/').next().expect("a last part").to_vec();
        assert!(names.iter().any(|name| std::str::from_utf8(name).is_err()));
        assert!(names.iter().any(|name| file_name(name).contains(&b'\n')));
        assert!(names.iter().any(|name| file_name(name).starts_with(b"--")));
        assert!(names.iter().any(|name| file_name(name).len() == 255));
        let dir = tempfile::tempdir().expect("a folder");
        let text = OddFiles::new(1, 40).without(OddName::InvalidUtf8).write(dir.path());
        assert!(text.keys().all(|name| std::str::from_utf8(name).is_ok()));
    }
}
