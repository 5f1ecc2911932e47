//! What a path means as a transfer point, looked up while a person types it; nothing is changed.
//!
//! People name the drive, git names the repository on it: for a folder that is no repository, the point is one inside.

use std::path::Path;

use serde::Serialize;

/// Longest list of repositories in a folder that is shown.
const MOST: usize = 20;

/// What is at a path.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Point {
    kind: Kind,
    /// Where the transfer point is, or would be made.
    path: String,
    /// The repositories in the folder that was named; empty when the path itself is one.
    others: Vec<String>,
}

/// Whether there is a transfer point.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    /// It is there.
    Found,
    /// It is not there, but the folder that it would be in is.
    New,
    /// Not even that folder is there: a drive that is not plugged in, or a slip of the pen.
    Missing,
}

/// Looks what `typed` means for a folder that is called `name`. Blocks for as long as the disk does.
pub fn look(typed: &str, name: &str) -> Point {
    let path = Path::new(typed);
    if is_repository(path) {
        return Point { kind: Kind::Found, path: typed.into(), others: vec![] };
    }
    if !path.is_dir() {
        let there = path.symlink_metadata().is_err() && path.parent().is_some_and(Path::is_dir);
        let kind = if there { Kind::New } else { Kind::Missing };
        return Point { kind, path: typed.into(), others: vec![] };
    }
    let inside = path.join(format!("{name}.git"));
    let kind = if is_repository(&inside) { Kind::Found } else { Kind::New };
    Point { kind, path: inside.display().to_string(), others: repositories(path) }
}

/// A bare repository, or one with a work tree. As git judges a folder: it holds `HEAD`, `objects` and `refs`.
fn is_repository(path: &Path) -> bool {
    let bare = |path: &Path| {
        path.join("HEAD").is_file() && path.join("objects").is_dir() && path.join("refs").is_dir()
    };
    bare(path) || bare(&path.join(".git"))
}

fn repositories(folder: &Path) -> Vec<String> {
    let Ok(entries) = folder.read_dir() else { return vec![] };
    // A window can only send back what is UTF-8.
    let paths = entries.filter_map(|entry| entry.ok()?.path().into_os_string().into_string().ok());
    let mut found: Vec<_> = paths.filter(|path| is_repository(Path::new(path))).take(MOST).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_drive_is_as_good_as_the_repository_on_it() {
        let drive = tempfile::tempdir().unwrap();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let [top, named] = [text(drive.path()), text(&drive.path().join("Sync.git"))];
        let point = |kind, path: &str, others| Point { kind, path: path.into(), others };
        assert_eq!(look(&top, "Sync"), point(Kind::New, &named, vec![]), "made on the drive");
        assert_eq!(look(&named, "Sync"), point(Kind::New, &named, vec![]));

        let other = text(&drive.path().join("Trip.git"));
        for repository in [&named, &other] {
            for part in ["objects", "refs"] {
                fs::create_dir_all(Path::new(repository).join(part)).unwrap();
            }
            fs::write(Path::new(repository).join("HEAD"), "ref: refs/heads/master\n").unwrap();
        }
        assert_eq!(look(&top, "Sync"), point(Kind::Found, &named, vec![named.clone(), other.clone()]));
        assert_eq!(look(&other, "Sync"), point(Kind::Found, &other, vec![]), "what is named is meant");

        let file = text(&drive.path().join("notes.txt"));
        fs::write(&file, "").unwrap();
        assert_eq!(look(&file, "Sync"), point(Kind::Missing, &file, vec![]), "a file is no place");
        let away = text(&drive.path().join("away/Sync.git"));
        assert_eq!(look(&away, "Sync"), point(Kind::Missing, &away, vec![]));
    }
}
