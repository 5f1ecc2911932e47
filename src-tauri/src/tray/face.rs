//! What the tray shows of a snapshot: a pure reading of it, bounded, with no list that grows.

use tributary_status::{FolderState, Snapshot};

/// Folders named in the menu; the rest are in the window.
pub const MOST_FOLDERS: usize = 4;
/// Longest text in a menu, characters: hosts cut longer ones where they like.
const LONGEST: usize = 80;

/// What the tray shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Face {
    /// The worst state of all.
    pub state: FolderState,
    /// It in one sentence.
    pub sentence: String,
    /// The first folders.
    pub folders: Vec<FolderEntry>,
    /// How many problems there are.
    pub problems: usize,
    /// Whether anything is paused, so that it can go on.
    pub paused: bool,
    /// Whether anything runs, so that it can be paused.
    pub running: bool,
}

/// A folder in the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderEntry {
    /// Its path, to open it.
    pub path: String,
    /// Its name and sentence.
    pub label: String,
}

impl Face {
    /// What to show before the engine has said anything.
    pub fn starting() -> Self {
        Self {
            state: FolderState::Working,
            sentence: "Starting…".into(),
            folders: Vec::new(),
            problems: 0,
            paused: false,
            running: false,
        }
    }

    /// What to show when the engine could not be opened, or is gone.
    pub fn broken(reason: &str) -> Self {
        Self { state: FolderState::NeedsYou, sentence: line(reason), ..Self::starting() }
    }

    /// What to show of this snapshot.
    pub fn of(snapshot: &Snapshot) -> Self {
        let folders = snapshot.folders.iter().take(MOST_FOLDERS).map(|folder| FolderEntry {
            path: folder.path.clone(),
            label: line(&format!("{}: {}", name(&folder.path), folder.sentence)),
        });
        Self {
            state: snapshot.state,
            sentence: line(&snapshot.sentence),
            folders: folders.collect(),
            problems: snapshot.problems.len()
                + snapshot.folders.iter().map(|f| f.problems.len()).sum::<usize>(),
            paused: snapshot.folders.iter().any(|f| f.paused_until.is_some()),
            running: snapshot.folders.iter().any(|f| f.paused_until.is_none()),
        }
    }
}

/// A state as people call it.
pub fn word(state: FolderState) -> &'static str {
    match state {
        FolderState::UpToDate => "Up to date",
        FolderState::Waiting => "Waiting",
        FolderState::Working => "Working",
        FolderState::Paused => "Paused",
        FolderState::NeedsYou => "Needs you",
    }
}

/// The last part of a path: what a folder is called.
pub fn name(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(path)
}

/// One line of bounded length: file names may hold newlines and be as long as they like.
fn line(text: &str) -> String {
    let mut characters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut line: String = characters.by_ref().take(LONGEST).collect();
    if characters.next().is_some() {
        line.pop();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_one_short_line() {
        let text = line(&format!("a\nb\u{1b}[0m{}", "é".repeat(500)));
        assert_eq!(text.chars().count(), LONGEST, "the menu must not grow with a name");
        assert!(!text.contains('\n') && text.ends_with('…'));
    }

    #[test]
    fn a_folder_is_called_by_its_last_part() {
        assert_eq!(name("/home/ann/Sync/"), "Sync");
        assert_eq!(name("/"), "/");
    }
}
