//! Where a folder that is joined is put: its name comes from another computer, and names one folder here, never a way
//! out of it.

use std::path::{Path, PathBuf};

/// Longest name that file systems take, bytes.
const MAX_NAME: usize = 255;

/// A folder of this name in `home`. What a name cannot have here is replaced.
pub(crate) fn in_home(home: &Path, name: &str) -> PathBuf {
    let letters = name.chars().map(|letter| if letter == '/' || letter.is_control() { '-' } else { letter });
    let clean: String = letters.collect();
    // Hidden folders, `.` and `..` begin with a dot.
    let clean = clean.trim().trim_start_matches('.').trim();
    let mut end = clean.len().min(MAX_NAME);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    home.join(if end == 0 { "Shared" } else { &clean[..end] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_folder_in_the_home() {
        let home = Path::new("/home/ann");
        for (name, folder) in [
            ("Trip", "Trip"),
            ("Trip to Rome", "Trip to Rome"),
            ("../../etc", "-..-etc"),
            ("..", "Shared"),
            ("", "Shared"),
            (" . ", "Shared"),
            (".ssh", "ssh"),
            ("a/b\nc", "a-b-c"),
        ] {
            assert_eq!(in_home(home, name), home.join(folder), "{name:?}");
        }
        let long = in_home(home, &"ä".repeat(300));
        assert_eq!(long.file_name().unwrap().len(), MAX_NAME - 1, "cut between letters");
    }
}
