//! The bytes of git's index: `Documentation/gitformat-index.txt`, versions 2, 3 and 4, SHA-1 repositories.
//!
//! Extensions are caches that git makes again by itself, and are not kept; two of them change what the entries mean
//! and are refused.

use git2::Oid;
use sha1::{Digest, Sha1};

use super::{Entries, IndexConflict, IndexEntry, IndexError, IndexStat};
use crate::tree::{EntryMode, TreeEntry};

const SIGNATURE: &[u8; 4] = b"DIRC";
const HEADER_LEN: usize = 12;
/// Ten numbers of four bytes, the id, the flags.
const FIXED_LEN: usize = 40 + OID_LEN + 2;
const OID_LEN: usize = 20;

const FLAG_ASSUME_VALID: u16 = 0x8000;
const FLAG_EXTENDED: u16 = 0x4000;
const FLAG_STAGE: u16 = 0x3000;
const FLAG_NAME_LEN: u16 = 0x0fff;
const EXTENDED_SKIP_WORKTREE: u16 = 0x4000;
const EXTENDED_INTENT_TO_ADD: u16 = 0x2000;

/// Reads an index file. Also returns its version.
pub(super) fn parse(file: &[u8]) -> Result<(Entries, u32), IndexError> {
    let body = file
        .len()
        .checked_sub(OID_LEN)
        .filter(|len| *len >= HEADER_LEN)
        .ok_or(IndexError::Broken("it is too short"))?;
    let (body, sum) = file.split_at(body);
    // Zeros: written with `index.skipHash`.
    if sum.iter().any(|&b| b != 0) && Sha1::digest(body)[..] != *sum {
        return Err(IndexError::Broken("its checksum is wrong"));
    }
    let mut cursor = Cursor { data: body, at: 0 };
    if cursor.take(4)? != SIGNATURE {
        return Err(IndexError::Broken("it is not an index"));
    }
    let version = cursor.u32()?;
    if !(2..=4).contains(&version) {
        return Err(IndexError::Unsupported(format!("version {version}")));
    }
    let count = cursor.u32()?;
    let mut entries = Entries::default();
    let mut path = Vec::new();
    for _ in 0..count {
        read_entry(&mut cursor, version, &mut path, &mut entries)?;
    }
    while cursor.at < body.len() {
        let name: [u8; 4] = cursor.take(4)?.try_into().expect("four bytes were taken");
        let size = cursor.u32()? as usize;
        cursor.take(size)?;
        // A capital letter marks what may be ignored.
        if !name[0].is_ascii_uppercase() {
            return Err(IndexError::Unsupported(String::from_utf8_lossy(&name).into_owned()));
        }
    }
    Ok((entries, version))
}

/// `path` holds the path of the entry before, and then that of this one.
fn read_entry(
    cursor: &mut Cursor<'_>,
    version: u32,
    path: &mut Vec<u8>,
    entries: &mut Entries,
) -> Result<(), IndexError> {
    let start = cursor.at;
    let ctime = (cursor.u32()?, cursor.u32()?);
    let mtime = (cursor.u32()?, cursor.u32()?);
    let (dev, ino, bits) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
    let (uid, gid, size) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
    let oid = Oid::from_bytes(cursor.take(OID_LEN)?).expect("an id has twenty bytes");
    let flags = cursor.u16()?;
    let extended = if flags & FLAG_EXTENDED != 0 { cursor.u16()? } else { 0 };

    if version == 4 {
        let strip = cursor.offset()?;
        let keep = path.len().checked_sub(strip).ok_or(IndexError::Broken("a path is cut too short"))?;
        path.truncate(keep);
        path.extend_from_slice(cursor.until_nul()?);
    } else {
        path.clear();
        path.extend_from_slice(cursor.until_nul()?);
        // The NUL that ended the path is the first of one to eight bytes of padding.
        let len = cursor.at - 1 - start;
        let padded = (len + 8) & !7;
        cursor.take(padded - len - 1)?;
    }
    if path.is_empty() {
        return Err(IndexError::Broken("a path is empty"));
    }

    let Some(mode) = EntryMode::from_bits(bits) else {
        // A directory: only a sparse index has such entries.
        return Err(IndexError::Unsupported("sdir".to_owned()));
    };
    let entry = TreeEntry { mode, oid };
    match (flags & FLAG_STAGE) >> 12 {
        0 => {
            let stat = IndexStat { ctime, mtime, dev, ino, uid, gid, size };
            let entry = IndexEntry {
                entry,
                stat,
                skip_worktree: extended & EXTENDED_SKIP_WORKTREE != 0,
                intent_to_add: extended & EXTENDED_INTENT_TO_ADD != 0,
                assume_valid: flags & FLAG_ASSUME_VALID != 0,
            };
            entries.staged.insert(path.as_slice().into(), entry);
        }
        stage => {
            let conflict = entries.conflicts.entry(path.as_slice().into()).or_default();
            let side = match stage {
                1 => &mut conflict.base,
                2 => &mut conflict.ours,
                _ => &mut conflict.theirs,
            };
            *side = Some(entry);
        }
    }
    Ok(())
}

/// Writes an index file in the given version; 2 and 3 are chosen between by need, as git does.
pub(super) fn serialize(entries: &Entries, version: u32) -> Vec<u8> {
    let needs_extended = entries.staged.values().any(|entry| extended_flags(entry) != 0);
    let version = match version {
        4 => 4,
        _ if needs_extended => 3,
        _ => 2,
    };
    let rows = rows(entries);
    // Typical: 62 fixed bytes and a path of 60.
    let mut out = Vec::with_capacity(rows.len() * 128 + HEADER_LEN + OID_LEN);
    out.extend_from_slice(SIGNATURE);
    put(&mut out, version);
    put(&mut out, u32::try_from(rows.len()).expect("git counts the entries in 32 bits, too"));
    let mut previous: &[u8] = b"";
    for (path, stage, entry) in &rows {
        write_entry(&mut out, version, previous, path, *stage, entry);
        previous = path;
    }
    let sum = Sha1::digest(&out);
    out.extend_from_slice(&sum);
    out
}

/// Entries and the sides of conflicts, as git orders them: by path, then by stage.
fn rows(entries: &Entries) -> Vec<(&[u8], u16, IndexEntry)> {
    let mut rows: Vec<(&[u8], u16, IndexEntry)> =
        entries.staged.iter().map(|(path, entry)| (&**path, 0, *entry)).collect();
    for (path, IndexConflict { base, ours, theirs }) in &entries.conflicts {
        for (stage, side) in [(1, base), (2, ours), (3, theirs)] {
            let Some(entry) = side else { continue };
            let row = IndexEntry { skip_worktree: false, ..IndexEntry::not_placed(*entry) };
            rows.push((path, stage, row));
        }
    }
    if !entries.conflicts.is_empty() {
        rows.sort_by_key(|(path, stage, _)| (*path, *stage));
    }
    rows
}

fn extended_flags(entry: &IndexEntry) -> u16 {
    let skip = if entry.skip_worktree { EXTENDED_SKIP_WORKTREE } else { 0 };
    let intent = if entry.intent_to_add { EXTENDED_INTENT_TO_ADD } else { 0 };
    skip | intent
}

fn write_entry(
    out: &mut Vec<u8>,
    version: u32,
    previous: &[u8],
    path: &[u8],
    stage: u16,
    entry: &IndexEntry,
) {
    let start = out.len();
    let IndexStat { ctime, mtime, dev, ino, uid, gid, size } = entry.stat;
    let mode = entry.entry.mode.bits();
    for number in [ctime.0, ctime.1, mtime.0, mtime.1, dev, ino, mode, uid, gid, size] {
        put(out, number);
    }
    out.extend_from_slice(entry.entry.oid.as_bytes());
    let extended = extended_flags(entry);
    let name_len = u16::try_from(path.len()).unwrap_or(FLAG_NAME_LEN).min(FLAG_NAME_LEN);
    let flags = name_len
        | stage << 12
        | if entry.assume_valid { FLAG_ASSUME_VALID } else { 0 }
        | if extended != 0 { FLAG_EXTENDED } else { 0 };
    out.extend_from_slice(&flags.to_be_bytes());
    debug_assert_eq!(out.len() - start, FIXED_LEN, "the layout of an entry is fixed");
    if extended != 0 {
        out.extend_from_slice(&extended.to_be_bytes());
    }
    if version == 4 {
        let common = previous.iter().zip(path).take_while(|(a, b)| a == b).count();
        put_offset(out, previous.len() - common);
        out.extend_from_slice(&path[common..]);
        out.push(0);
    } else {
        out.extend_from_slice(path);
        let len = out.len() - start;
        out.resize(start + ((len + 8) & !7), 0);
    }
}

fn put(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_be_bytes());
}

/// Git's offset encoding: seven bits a byte, highest first, and each byte that is followed by another counts one more.
fn put_offset(out: &mut Vec<u8>, mut number: usize) {
    let mut bytes = vec![(number & 0x7f) as u8];
    number >>= 7;
    while number > 0 {
        number -= 1;
        bytes.push(0x80 | (number & 0x7f) as u8);
        number >>= 7;
    }
    out.extend(bytes.iter().rev());
}

struct Cursor<'d> {
    data: &'d [u8],
    at: usize,
}

impl<'d> Cursor<'d> {
    fn take(&mut self, len: usize) -> Result<&'d [u8], IndexError> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.data.len());
        let end = end.ok_or(IndexError::Broken("it ends in the middle of an entry"))?;
        let taken = &self.data[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, IndexError> {
        Ok(u16::from_be_bytes(self.take(2)?.try_into().expect("two bytes were taken")))
    }

    fn u32(&mut self) -> Result<u32, IndexError> {
        Ok(u32::from_be_bytes(self.take(4)?.try_into().expect("four bytes were taken")))
    }

    /// The bytes up to the next NUL, which is passed over.
    fn until_nul(&mut self) -> Result<&'d [u8], IndexError> {
        let rest = &self.data[self.at..];
        let len = rest.iter().position(|&b| b == 0).ok_or(IndexError::Broken("a path has no end"))?;
        self.at += len + 1;
        Ok(&rest[..len])
    }

    fn offset(&mut self) -> Result<usize, IndexError> {
        let mut byte = self.take(1)?[0];
        let mut number = usize::from(byte & 0x7f);
        while byte & 0x80 != 0 {
            byte = self.take(1)?[0];
            number = number
                .checked_add(1)
                .and_then(|n| n.checked_mul(128))
                .ok_or(IndexError::Broken("a number is too large"))?
                + usize::from(byte & 0x7f);
        }
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    use super::*;

    fn entry() -> impl Strategy<Value = IndexEntry> {
        let mode = prop_oneof![
            Just(EntryMode::File),
            Just(EntryMode::Executable),
            Just(EntryMode::Link),
            Just(EntryMode::Submodule)
        ];
        (mode, any::<[u8; 20]>(), any::<[u32; 9]>(), any::<[bool; 3]>()).prop_map(|(mode, oid, n, f)| {
            IndexEntry {
                entry: TreeEntry { mode, oid: Oid::from_bytes(&oid).unwrap() },
                stat: IndexStat {
                    ctime: (n[0], n[1]),
                    mtime: (n[2], n[3]),
                    dev: n[4],
                    ino: n[5],
                    uid: n[6],
                    gid: n[7],
                    size: n[8],
                },
                skip_worktree: f[0],
                intent_to_add: f[1],
                assume_valid: f[2],
            }
        })
    }

    fn path() -> impl Strategy<Value = Box<[u8]>> {
        proptest::collection::vec(1u8.., 1..300).prop_map(Vec::into_boxed_slice)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(staged in btree_map(path(), entry(), 0..20), v4 in any::<bool>()) {
            let entries = Entries { staged, ..Entries::default() };
            let bytes = serialize(&entries, if v4 { 4 } else { 2 });
            let (read, _) = parse(&bytes).unwrap();
            prop_assert_eq!(read, entries);
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            // A right checksum and header let the parser get further.
            let mut file = b"DIRC\0\0\0\x04\0\0\0\x02".to_vec();
            file.extend(bytes);
            file.extend([0; 20]);
            let _ = parse(&file);
        }
    }

    #[test]
    fn conflicts_stand_between_the_entries() {
        let side = |n| Some(TreeEntry { mode: EntryMode::File, oid: Oid::from_bytes(&[n; 20]).unwrap() });
        let mut entries = Entries::default();
        let conflict = IndexConflict { base: None, ours: side(2), theirs: side(3) };
        entries.conflicts.insert((*b"b").into(), conflict);
        for name in [*b"a", *b"c"] {
            entries.staged.insert(name.into(), IndexEntry::not_placed(side(1).unwrap()));
        }
        let (read, _) = parse(&serialize(&entries, 2)).unwrap();
        assert_eq!(read, entries);
    }

    #[test]
    fn damage_is_noticed() {
        let mut bytes = serialize(&Entries::default(), 2);
        bytes[5] ^= 1;
        assert!(matches!(parse(&bytes), Err(IndexError::Broken(_))));
    }
}
