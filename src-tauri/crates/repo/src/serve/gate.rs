//! The gate of a push: its list of wishes is read, and judged, before git hears a word of it.
//!
//! A push begins with lines `OLD NEW REF`, each behind its length in four hexadecimal digits, the first with
//! capabilities behind a zero byte, and an empty one at their end; then comes the pack. Source:
//! `gitprotocol-pack(5)`, "Reference Update Request", and `gitprotocol-common(5)`, git 2.47.

use std::collections::BTreeSet;
use std::io::Read;

use git2::Oid;

use super::{ANNEX, LEFT, SYNCED};

/// Branches in one push: ours have two.
const MAX_WISHES: usize = 64;
/// A line of ours has some 200 bytes.
const MAX_LINE: usize = 4096;
/// Longest name of a branch that anybody has.
const MAX_NAME: usize = 255;
/// Branches that others may leave here, all in all.
const MAX_LEFT: usize = 64;

/// What a guest wants that it may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A ref that is not for others to move.
    #[error("{0} is not for others to push to")]
    NotTheirs(String),
    /// A ref is to be deleted.
    #[error("{0} is not for others to delete")]
    Deletion(String),
    /// Many refs, or one more than are kept.
    #[error("these are more branches than are accepted")]
    TooMany,
    /// A kind of push that is not served: of a shallow clone, signed, or with options.
    #[error("this kind of push is not served")]
    Unserved,
    /// No push.
    #[error("this is not a push as git makes it")]
    Malformed,
}

/// One ref that is to move.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) name: String,
    pub(super) new: Oid,
}

/// Why a list of wishes was not read to its end.
#[derive(Debug)]
pub(super) enum GateError {
    Refused(Refusal),
    /// The guest hung up.
    Broken,
}

impl From<Refusal> for GateError {
    fn from(refusal: Refusal) -> Self {
        GateError::Refused(refusal)
    }
}

/// What is known of a repository when a push comes.
pub(super) struct Gate {
    branch: String,
    left: BTreeSet<String>,
}

impl Gate {
    /// Looks at the repository with this branch.
    pub(super) fn new(git: &git2::Repository, branch: &str) -> Result<Gate, git2::Error> {
        let mut left = BTreeSet::new();
        for below in [SYNCED, LEFT] {
            for reference in git.references_glob(&format!("{below}/*"))? {
                // One that is not UTF-8 cannot be pushed to.
                left.extend(reference?.name().ok().map(str::to_owned));
            }
        }
        Ok(Gate { branch: branch.to_owned(), left })
    }

    /// Reads the wishes, and returns them with the bytes that they were in.
    pub(super) fn read(&self, reader: &mut impl Read) -> Result<(Vec<Wish>, Vec<u8>), GateError> {
        let (mut wishes, mut said): (Vec<Wish>, Vec<u8>) = (Vec::new(), Vec::new());
        while let Some(line) = read_line(reader, &mut said)? {
            let wish = self.judge(&line, wishes.is_empty())?;
            if wishes.len() >= MAX_WISHES {
                return Err(Refusal::TooMany.into());
            }
            wishes.push(wish);
        }
        let new = wishes.iter().filter(|wish| wish.name != ANNEX && !self.left.contains(&wish.name)).count();
        if self.left.len() + new > MAX_LEFT.max(self.left.len()) {
            return Err(Refusal::TooMany.into());
        }
        Ok((wishes, said))
    }

    fn judge(&self, line: &[u8], first: bool) -> Result<Wish, Refusal> {
        if ["shallow ", "push-cert"].iter().any(|start| line.starts_with(start.as_bytes())) {
            return Err(Refusal::Unserved);
        }
        let (wish, capabilities) = match line.iter().position(|byte| *byte == 0) {
            Some(at) if first => (&line[..at], &line[at + 1..]),
            Some(_) => return Err(Refusal::Malformed),
            None => (line, &[][..]),
        };
        if capabilities.split(|byte| *byte == b' ').any(|one| one.trim_ascii() == b"push-options") {
            return Err(Refusal::Unserved);
        }
        let wish = std::str::from_utf8(wish).map_err(|_| Refusal::Malformed)?;
        let mut fields = wish.trim_end_matches('\n').splitn(3, ' ');
        let (Some(old), Some(new), Some(name)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(Refusal::Malformed);
        };
        let oid = |hex: &str| {
            let whole = hex.len() == 40;
            Oid::from_str(hex).ok().filter(|_| whole).ok_or(Refusal::Malformed)
        };
        oid(old)?;
        let new = oid(new)?;
        if !self.may_move(name) {
            return Err(Refusal::NotTheirs(shown(name)));
        }
        if new.is_zero() {
            return Err(Refusal::Deletion(shown(name)));
        }
        Ok(Wish { name: name.to_owned(), new })
    }

    /// `git-annex`, `synced/BRANCH`, and what git-annex's assistant uses when all else failed: `refs/synced/UUID/BRANCH`.
    fn may_move(&self, name: &str) -> bool {
        // A branch below the name of another would keep that one from ever being made.
        let branch = |name: &str| !name.is_empty() && (name == self.branch || !name.contains('/'));
        let below = |prefix: &str| name.strip_prefix(prefix)?.strip_prefix('/');
        let left = |rest: &str| rest.split_once('/').is_some_and(|(by, rest)| !by.is_empty() && branch(rest));
        let permitted = name == ANNEX || below(SYNCED).is_some_and(branch) || below(LEFT).is_some_and(left);
        permitted && name.len() <= MAX_NAME && git2::Reference::is_valid_name(name)
    }
}

/// A name as it can be said to a person: it came from outside.
fn shown(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(MAX_NAME).collect()
}

/// One line, and what it was in appended to `said`; `None` at the end of the list.
fn read_line(reader: &mut impl Read, said: &mut Vec<u8>) -> Result<Option<Vec<u8>>, GateError> {
    let mut length = [0; 4];
    reader.read_exact(&mut length).map_err(|_| GateError::Broken)?;
    said.extend_from_slice(&length);
    let digits = std::str::from_utf8(&length).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
    let length = digits.and_then(|hex| usize::from_str_radix(hex, 16).ok()).ok_or(Refusal::Malformed)?;
    match length {
        0 => return Ok(None),
        5..=MAX_LINE => {}
        _ => return Err(Refusal::Malformed.into()),
    }
    let mut line = vec![0; length - 4];
    reader.read_exact(&mut line).map_err(|_| GateError::Broken)?;
    said.extend_from_slice(&line);
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OID: &str = "1111111111111111111111111111111111111111";
    const NONE: &str = "0000000000000000000000000000000000000000";

    fn gate() -> Gate {
        Gate { branch: "work/main".into(), left: BTreeSet::new() }
    }

    fn line(text: &str) -> Vec<u8> {
        [format!("{:04x}", text.len() + 4).as_bytes(), text.as_bytes()].concat()
    }

    fn read(gate: &Gate, said: &[u8]) -> Result<usize, Refusal> {
        match gate.read(&mut &*said) {
            Ok((wishes, kept)) => {
                assert!(said.starts_with(&kept), "git hears what was said");
                Ok(wishes.len())
            }
            Err(GateError::Refused(refusal)) => Err(refusal),
            Err(GateError::Broken) => panic!("cut"),
        }
    }

    fn push(names: &[&str]) -> Vec<u8> {
        let mut said = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let capabilities = if at == 0 { "\0 report-status side-band-64k agent=git/2" } else { "" };
            said.extend(line(&format!("{NONE} {OID} {name}{capabilities}\n")));
        }
        [said, b"0000PACK".to_vec()].concat()
    }

    #[test]
    fn what_is_left_for_us_may_be_pushed() {
        let ours = [
            "refs/heads/git-annex",
            "refs/heads/synced/git-annex",
            "refs/heads/synced/master",
            "refs/heads/synced/work/main",
            "refs/synced/00000000-0000-0000-0000-000000000001/master",
        ];
        assert_eq!(read(&gate(), &push(&ours)), Ok(5));
        assert_eq!(read(&gate(), b"0000"), Ok(0), "nothing to push is no harm");
    }

    #[test]
    fn nothing_else_may() {
        for name in [
            "refs/heads/work/main",
            "refs/heads/master",
            "refs/heads/synced",
            "refs/heads/synced/",
            "refs/heads/synced/a/b",
            "refs/heads/synced/../master",
            "refs/heads/synced/a.lock",
            "refs/heads/synced/a b",
            "refs/heads/git-annex/x",
            "refs/synced/master",
            "refs/tags/v1",
            "refs/remotes/hub/master",
            "refs/annex/last-index",
            "HEAD",
            "../config",
            "",
        ] {
            let judged = read(&gate(), &push(&["refs/heads/synced/master", name]));
            assert_eq!(judged, Err(Refusal::NotTheirs(name.to_owned())), "{name}");
        }
        let long = format!("refs/heads/synced/{}", "x".repeat(MAX_NAME));
        assert!(matches!(read(&gate(), &push(&[&long])), Err(Refusal::NotTheirs(_))));
    }

    #[test]
    fn nothing_is_deleted_signed_or_optional() {
        let one = |text: String| read(&gate(), &[line(&text), b"0000".to_vec()].concat());
        let name = "refs/heads/synced/master";
        assert_eq!(one(format!("{OID} {NONE} {name}")), Err(Refusal::Deletion(name.into())));
        assert_eq!(one(format!("{NONE} {OID} {name}\0push-options atomic\n")), Err(Refusal::Unserved));
        assert_eq!(one(format!("shallow {OID}")), Err(Refusal::Unserved));
        assert_eq!(one("push-cert\0 atomic".into()), Err(Refusal::Unserved));
        for text in [
            "x".to_owned(),
            format!("{NONE} {OID}"),
            format!("{NONE} 11 {name}"),
            format!("{NONE} {}  {name}", "g".repeat(40)),
        ] {
            assert_eq!(one(text.clone()), Err(Refusal::Malformed), "{text}");
        }
        let second = [push(&[name])[..4 + 40].to_vec()].concat();
        assert!(matches!(gate().read(&mut &*second), Err(GateError::Broken)), "cut in a line");
        for said in ["0003", "0001", "00x0", "+004", "ffff"] {
            assert_eq!(read(&gate(), said.as_bytes()), Err(Refusal::Malformed), "{said}");
        }
        let twice =
            [line(&format!("{NONE} {OID} {name}")), line(&format!("{NONE} {OID} {name}\0x"))].concat();
        assert_eq!(read(&gate(), &twice), Err(Refusal::Malformed), "capabilities stand in the first line");
    }

    #[test]
    fn what_others_leave_does_not_pile_up() {
        let names: Vec<String> = (0..=MAX_WISHES).map(|n| format!("refs/heads/synced/b{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(read(&gate(), &push(&names)), Err(Refusal::TooMany));
        assert_eq!(read(&gate(), &push(&names[1..])), Ok(MAX_WISHES));
        let left = names[1..].iter().map(|name| (*name).to_owned()).collect();
        let full = Gate { left, ..gate() };
        assert_eq!(read(&full, &push(&names[..1])), Err(Refusal::TooMany), "one more than are kept");
        assert_eq!(read(&full, &push(&[names[1], ANNEX])), Ok(2), "those that are there go on");
    }

    proptest::proptest! {
        #[test]
        fn garbage_is_refused_or_cut_short(said in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..9000)) {
            let _ = gate().read(&mut &*said);
        }
    }
}
