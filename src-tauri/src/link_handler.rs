//! The desktop entry by which a clicked invitation finds this program. A package installs its own, and then there is
//! nothing to do here; a program that was built from source writes one for the person who runs it.
//!
//! Source: Desktop Entry Specification 1.5; Association between MIME types and applications 1.0.1
//! (`x-scheme-handler/…`), through `xdg-mime`.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::invited::SCHEME;

/// The entry's file; its stem is the program's name on the desktop.
const ENTRY: &str = "org.tributary.Tributary.desktop";
/// What the package calls its entry (`productName` in tauri.conf.json).
const PACKAGED: &str = "Tributary.desktop";
/// Where the specification looks when nothing is said.
const DATA_FOLDERS: &str = "/usr/local/share:/usr/share";

/// Makes clicked invitations open this program, if nothing that is installed does. Blocks.
///
/// A node with a home of its own is one of several, and a click is not meant for it: it leaves the desktop as it is.
///
/// # Errors
/// The entry could not be written, or the desktop did not take it.
pub fn offer() -> Result<()> {
    if std::env::var_os("TRIBUTARY_HOME").is_some_and(|home| !home.is_empty()) {
        return Ok(());
    }
    let program = std::env::current_exe().context("finding this program")?;
    let own = data_home().context("there is no home folder")?.join("applications");
    let text = entry(&program).context("the program's path cannot stand in a desktop entry")?;
    if is_packaged() || fs::read_to_string(own.join(ENTRY)).is_ok_and(|there| there == text) {
        return Ok(());
    }
    fs::create_dir_all(&own).and_then(|()| replace(&own.join(ENTRY), &text)).context("writing the entry")?;
    let kind = format!("x-scheme-handler/{SCHEME}");
    let status = Command::new("xdg-mime")
        .args(["default", ENTRY, &kind])
        .stdin(Stdio::null())
        .status()
        .context("starting xdg-mime")?;
    ensure!(status.success(), "xdg-mime ended with {status}");
    Ok(())
}

/// Puts a whole file there, never a part of one.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let fresh = file.with_extension("new");
    fs::write(&fresh, text)?;
    fs::rename(fresh, file)
}

/// `$XDG_DATA_HOME`, as the specification has it.
fn data_home() -> Option<PathBuf> {
    let named = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    named.or_else(|| Some(std::env::home_dir()?.join(".local/share")))
}

/// Whether a package has brought an entry.
fn is_packaged() -> bool {
    let folders = std::env::var_os("XDG_DATA_DIRS").filter(|folders| !folders.is_empty());
    let folders = folders.unwrap_or_else(|| OsString::from(DATA_FOLDERS));
    std::env::split_paths(&folders)
        .any(|folder| [ENTRY, PACKAGED].iter().any(|name| folder.join("applications").join(name).is_file()))
}

/// The entry; nothing when the path is not text. It has no place in menus: it is there for links alone.
fn entry(program: &Path) -> Option<String> {
    let program = quoted(program.to_str()?)?;
    Some(format!(
        "[Desktop Entry]\nType=Application\nName=Tributary\nComment=Keeps folders the same on your computers\n\
         Exec={program} %u\nTerminal=false\nNoDisplay=true\nStartupNotify=true\nMimeType=x-scheme-handler/{SCHEME};\n"
    ))
}

/// An argument of `Exec`: in quotes, its special characters escaped for the quotes, those escapes once more for the
/// string, and `%` doubled. A path with control characters has no place in a line.
fn quoted(argument: &str) -> Option<String> {
    if argument.chars().any(char::is_control) {
        return None;
    }
    let mut text = String::from("\"");
    for character in argument.chars() {
        match character {
            '"' | '`' | '$' => text.extend(["\\\\", character.encode_utf8(&mut [0; 4])]),
            '\\' => text.push_str("\\\\\\\\"),
            '%' => text.push_str("%%"),
            _ => text.push(character),
        }
    }
    text.push('"');
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_stands_in_the_entry() {
        assert_eq!(quoted("/opt/my apps/tributary").as_deref(), Some("\"/opt/my apps/tributary\""));
        assert_eq!(quoted("/a$b/c\"d/e\\f/100%").as_deref(), Some("\"/a\\\\$b/c\\\\\"d/e\\\\\\\\f/100%%\""));
        assert_eq!(quoted("/a\nExec=evil"), None, "a path adds no line");
    }

    #[test]
    fn a_package_s_entry_says_the_same() {
        let packaged = include_str!("../tributary.desktop.hbs");
        let own = entry(Path::new("/usr/bin/tributary")).expect("the path is text");
        for line in ["MimeType=x-scheme-handler/tributary;", "Name=Tributary", "Type=Application"] {
            for text in [packaged, &own] {
                assert!(
                    text.replace("{{name}}", "Tributary").lines().any(|there| there == line),
                    "{line}: {text}"
                );
            }
        }
        assert!(packaged.lines().any(|line| line == "Exec={{exec}} %u"), "{packaged}");
    }
}
