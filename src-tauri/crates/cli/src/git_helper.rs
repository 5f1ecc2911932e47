//! git's helper for the addresses of paired computers, which git looks for on its PATH.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The program that git starts.
const HELPER: &str = "git-remote-xmpp";

/// What to say to somebody who might use git by hand, when git would not find its helper.
pub(crate) fn hint() -> Option<String> {
    let beside = std::env::current_exe().ok()?.with_file_name(HELPER);
    missing(&beside, std::env::var_os("PATH").unwrap_or_default().as_os_str())
}

fn missing(beside: &Path, path: &OsStr) -> Option<String> {
    let on_path = |dir: PathBuf| dir.join(HELPER).is_file();
    if !beside.is_file() || std::env::split_paths(path).any(on_path) {
        return None;
    }
    Some(format!(
        "For git by hand (git clone xmpp::ACCOUNT/REPOSITORY) its helper has to be on your PATH:\n  ln -s '{}' ~/.local/bin/\n",
        beside.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_lacks_it_is_told() {
        let dir = tributary_testkit::Sandbox::new();
        let helper = dir.join(HELPER);
        let elsewhere = OsStr::new("/nowhere");
        assert_eq!(missing(&helper, elsewhere), None, "what is not built cannot be linked");
        std::fs::write(&helper, "").unwrap();
        assert!(missing(&helper, elsewhere).unwrap().contains(&*helper.to_string_lossy()));
        assert_eq!(missing(&helper, dir.path().as_os_str()), None, "git finds it");
    }
}
