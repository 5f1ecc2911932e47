//! What a person does to a folder that has many files.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tributary_testkit::snapshot;

/// One in so many files is edited, moved, deleted, marked, in each round. Fewer deletions than a person is asked about.
const EVERY: usize = 25;
/// What a moved file keeps of its name, so that the new one is not too long, bytes.
const LONGEST_END: usize = 200;

/// Edits, renames and deletes some files; moves a folder, and adds a file. `who` makes the names and contents unlike
/// another's.
pub fn change(folder: &Path, who: &str) {
    let paths: Vec<Vec<u8>> = snapshot(folder).into_keys().collect();
    let place = |path: &[u8]| folder.join(OsStr::from_bytes(path));
    for some in paths.chunks(EVERY) {
        let [edited, grown, renamed, deleted, ..] = some else { break };
        fs::write(place(edited), format!("edited in {who}")).expect("edit");
        let mut content = fs::read(place(grown)).expect("read");
        content.extend(b"and some more");
        fs::write(place(grown), content).expect("edit");
        fs::rename(place(renamed), place(&moved_by(who, renamed))).expect("rename");
        fs::remove_file(place(deleted)).expect("delete");
    }
    let whole = fs::read_dir(folder)
        .expect("list")
        .map(|entry| entry.expect("list"))
        .find(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()) && entry.file_name() != ".git")
        .expect("some of the files are in a folder");
    fs::rename(whole.path(), folder.join(format!("folder of {who}"))).expect("rename");
    let new = folder.join("new/in");
    fs::create_dir_all(&new).expect("mkdir");
    fs::write(new.join(who), "new").expect("write");
}

/// Marks some files as executable, or no longer so.
pub fn mark(folder: &Path) {
    let paths: Vec<Vec<u8>> = snapshot(folder).into_keys().collect();
    for marked in paths.iter().step_by(EVERY) {
        let marked = folder.join(OsStr::from_bytes(marked));
        let mode = fs::metadata(&marked).expect("stat").permissions().mode();
        fs::set_permissions(&marked, fs::Permissions::from_mode(mode ^ 0o111)).expect("chmod");
    }
}

/// Another name in the same folder. Its end stays, and with it the extension that is a part of the key: without that,
/// git-annex would have another key for the same content when it looks at the file anew.
fn moved_by(who: &str, path: &[u8]) -> Vec<u8> {
    let (folder, name) = path.split_at(path.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1));
    let end = &name[name.len().saturating_sub(LONGEST_END)..];
    [folder, b"moved by ", who.as_bytes(), b" ", end].concat()
}
