//! Outlook: a folder's state and the one sentence that says it, as pure functions of numbers.

use tributary_status::FolderState;

/// The numbers that state and sentence are made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Files in the folder.
    pub files: u64,
    /// Local changes that are not everywhere they should be.
    pub pending: u64,
    /// Files whose new content is on its way here.
    pub arriving: u64,
    /// Of those, files that no place within reach has.
    pub nowhere: u64,
    /// Files that a person keeps only elsewhere.
    pub only_elsewhere: u64,
    /// Deletions that wait for a person.
    pub held: u64,
    /// Whether something moves or could move now.
    pub busy: bool,
    /// Until when it rests: `Some(None)` until a person resumes it.
    pub paused: Option<Option<String>>,
    /// The sentence of a problem for which a person is needed.
    pub needs: Option<String>,
    /// Places that have everything.
    pub complete: Vec<String>,
    /// Places that something waits for.
    pub awaited: Vec<String>,
    /// Whether there is any other place at all.
    pub alone: bool,
}

/// The state: what a person must know first wins.
#[must_use]
pub fn state(numbers: &Numbers) -> FolderState {
    if numbers.needs.is_some() || numbers.held > 0 {
        FolderState::NeedsYou
    } else if numbers.paused.is_some() {
        FolderState::Paused
    } else if numbers.busy {
        FolderState::Working
    } else if numbers.pending > 0 || numbers.arriving > 0 || !numbers.awaited.is_empty() {
        FolderState::Waiting
    } else {
        FolderState::UpToDate
    }
}

/// The state in one sentence that can be checked.
#[must_use]
pub fn sentence(numbers: &Numbers) -> String {
    if let Some(needs) = &numbers.needs {
        return needs.clone();
    }
    match state(numbers) {
        FolderState::NeedsYou => {
            format!(
                "{} deletions wait for your answer: put the files back, or delete them everywhere.",
                numbers.held
            )
        }
        FolderState::Paused => match &numbers.paused {
            Some(Some(until)) => format!("Paused until {until}."),
            _ => "Paused until you resume.".into(),
        },
        FolderState::Working => working(numbers),
        FolderState::Waiting => waiting(numbers),
        FolderState::UpToDate => up_to_date(numbers),
    }
}

fn working(numbers: &Numbers) -> String {
    match (numbers.pending, numbers.arriving) {
        (0, 0) => "Looking for changes.".into(),
        (0, arriving) => format!("{} arriving.", files(arriving)),
        (pending, 0) => format!("{} out.", on_their_way(pending)),
        (pending, arriving) => format!("{} out, {} arriving.", on_their_way(pending), files(arriving)),
    }
}

fn on_their_way(count: u64) -> String {
    format!("{} on {} way", files(count), if count == 1 { "its" } else { "their" })
}

fn waiting(numbers: &Numbers) -> String {
    if numbers.arriving > 0 {
        let count = files(numbers.arriving);
        return if numbers.nowhere > 0 {
            format!("{count} not here yet: no place within reach has the content.")
        } else {
            format!("{count} not here yet.")
        };
    }
    let places = list(&numbers.awaited);
    match (numbers.pending, places.is_empty()) {
        (0, _) => format!("Waiting for {places}."),
        (pending, true) => format!("{} {} to be sent.", files(pending), wait(pending)),
        (pending, false) => format!("{} {} for {places}.", files(pending), wait(pending)),
    }
}

fn up_to_date(numbers: &Numbers) -> String {
    if numbers.files == 0 {
        return "The folder is empty.".into();
    }
    if numbers.alone {
        return format!("{} here. Add a place, so that other computers can get them.", files(numbers.files));
    }
    if numbers.only_elsewhere > 0 {
        let here = grouped(numbers.files.saturating_sub(numbers.only_elsewhere));
        let head = format!("{here} of {} here, the rest only elsewhere", files(numbers.files));
        return if numbers.complete.is_empty() {
            format!("{head}.")
        } else {
            format!("{head}; all at {}.", list(&numbers.complete))
        };
    }
    let all = if numbers.files == 1 {
        "The only file is".into()
    } else {
        format!("All {} files are", grouped(numbers.files))
    };
    if numbers.complete.is_empty() {
        format!("{all} here.")
    } else {
        format!("{all} here and at {}.", list(&numbers.complete))
    }
}

/// `1 file`, `4,212 files`.
pub(crate) fn files(count: u64) -> String {
    if count == 1 { "1 file".into() } else { format!("{} files", grouped(count)) }
}

fn wait(count: u64) -> &'static str {
    if count == 1 { "waits" } else { "wait" }
}

/// `4,212`.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `a`, `a and b`, `a, b and c`.
fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_everything_is() {
        let numbers = Numbers {
            files: 4212,
            complete: vec!["desktop".into(), "drive".into(), "Home server".into()],
            ..Numbers::default()
        };
        assert_eq!(state(&numbers), FolderState::UpToDate);
        assert_eq!(sentence(&numbers), "All 4,212 files are here and at desktop, drive and Home server.");
    }

    #[test]
    fn what_is_kept_only_elsewhere_is_not_said_to_be_here() {
        let numbers = Numbers {
            files: 1200,
            only_elsewhere: 1199,
            complete: vec!["drive".into()],
            ..Numbers::default()
        };
        assert_eq!(sentence(&numbers), "1 of 1,200 files here, the rest only elsewhere; all at drive.");
    }

    #[test]
    fn what_a_person_must_know_first_wins() {
        let mut numbers = Numbers { files: 1, pending: 2, busy: true, ..Numbers::default() };
        assert_eq!(state(&numbers), FolderState::Working);
        numbers.paused = Some(None);
        assert_eq!(
            (state(&numbers), sentence(&numbers).as_str()),
            (FolderState::Paused, "Paused until you resume.")
        );
        numbers.held = 300;
        assert_eq!(state(&numbers), FolderState::NeedsYou);
    }

    #[test]
    fn one_file_is_not_many() {
        let numbers = Numbers { files: 3, pending: 1, busy: true, ..Numbers::default() };
        assert_eq!(sentence(&numbers), "1 file on its way out.");
        assert_eq!(
            sentence(&Numbers { pending: 2, arriving: 1, ..numbers }),
            "2 files on their way out, 1 file arriving."
        );
    }

    #[test]
    fn a_place_that_is_away_is_named() {
        let numbers = Numbers { files: 3, pending: 2, awaited: vec!["drive".into()], ..Numbers::default() };
        assert_eq!(
            (state(&numbers), sentence(&numbers).as_str()),
            (FolderState::Waiting, "2 files wait for drive.")
        );
        assert_eq!(sentence(&Numbers { pending: 1, ..numbers }), "1 file waits for drive.");
    }
}
