//! Which ssh is called, and how: without questions, and so that it notices when the network or the server is gone. A laptop
//! that is closed in the middle of an exchange leaves a connection of which nothing is heard any more, not even its end.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

/// OpenSSH's options for that: a server from which nothing was heard for a minute is given up. Written behind a person's
/// own options, since the first one counts.
const LIVELY: &str = "-o ConnectTimeout=60 -o ServerAliveInterval=15 -o ServerAliveCountMax=4";

/// The ssh that a person chose, or the usual one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ssh {
    /// OpenSSH's, as words for a shell.
    Open(OsString),
    /// Another one, as words for a shell.
    OtherLine(OsString),
    /// Another one, as a program.
    OtherProgram(OsString),
}

impl Ssh {
    /// Git's order: GIT_SSH_COMMAND, core.sshCommand (both for a shell), GIT_SSH (a program), ssh.
    pub(crate) fn of(git: &git2::Repository) -> Ssh {
        let config = git.config().ok();
        let configured = |name: &str| config.as_ref().and_then(|config| config.get_string(name).ok());
        let line =
            std::env::var_os("GIT_SSH_COMMAND").or_else(|| configured("core.sshCommand").map(OsString::from));
        let variant = std::env::var("GIT_SSH_VARIANT").ok().or_else(|| configured("ssh.variant"));
        Ssh::chosen(line, std::env::var_os("GIT_SSH"), variant.as_deref())
    }

    /// `variant`: what kind it is, in git's words, where a person said that.
    fn chosen(line: Option<OsString>, program: Option<OsString>, variant: Option<&str>) -> Ssh {
        let is_open = |word: Option<&str>| match variant {
            None | Some("auto") => word.is_some_and(is_called_ssh),
            Some(variant) => variant == "ssh",
        };
        match (line, program) {
            (Some(line), _) if is_open(first_word(&line)) => Ssh::open(line),
            (Some(line), _) => Ssh::OtherLine(line),
            (None, Some(program)) => match program.to_str() {
                Some(path) if is_open(Some(path)) => Ssh::open(quoted(path).into()),
                _ => Ssh::OtherProgram(program),
            },
            (None, None) => Ssh::open("ssh -o BatchMode=yes".into()),
        }
    }

    fn open(mut line: OsString) -> Ssh {
        line.push(" ");
        line.push(LIVELY);
        Ssh::Open(line)
    }

    /// Lets a git that is to be started call it.
    pub(crate) fn be_used_by(&self, command: &mut Command) {
        // Another one is found by git itself, where we found it.
        if let Ssh::Open(line) = self {
            command.env("GIT_SSH_COMMAND", line);
        }
    }

    /// Calls it by itself; options and words for it are to follow.
    pub(crate) fn command(&self) -> Command {
        match self {
            Ssh::Open(line) => {
                let mut command = in_a_shell(line);
                command.arg("-T");
                command
            }
            Ssh::OtherLine(line) => in_a_shell(line),
            Ssh::OtherProgram(program) => Command::new(program),
        }
    }
}

fn in_a_shell(line: &OsStr) -> Command {
    let mut script = line.to_owned();
    script.push(" \"$@\"");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).arg(line);
    shell
}

/// One word for a shell.
pub(crate) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The program of a line for a shell, as far as that can be told without one.
fn first_word(line: &OsStr) -> Option<&str> {
    let line = line.to_str()?.trim_start();
    match line.chars().next()? {
        quote @ ('\'' | '"') => line[1..].split(quote).next(),
        _ => line.split_whitespace().next(),
    }
}

/// Git takes a program with this name for OpenSSH's, too (`ssh.variant`).
fn is_called_ssh(path: &str) -> bool {
    Path::new(path).file_name() == Some(OsStr::new("ssh"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(line: &str) -> Ssh {
        Ssh::chosen(Some(line.into()), None, None)
    }

    #[test]
    fn openssh_is_told_to_notice_when_the_server_is_gone() {
        let open = |words: &str| Ssh::Open(format!("{words} {LIVELY}").into());
        assert_eq!(Ssh::chosen(None, None, None), open("ssh -o BatchMode=yes"));
        for words in ["ssh -i key", "/usr/bin/ssh", "\"/opt/my ssh/ssh\" -4", "ssh -o ServerAliveInterval=5"]
        {
            assert_eq!(line(words), open(words), "a person's own options stay, and come first");
        }
        assert_eq!(Ssh::chosen(None, Some("/opt/it's/ssh".into()), None), open(r"'/opt/it'\''s/ssh'"));
        assert_eq!(Ssh::chosen(Some("wrapper".into()), None, Some("ssh")), open("wrapper"));
    }

    #[test]
    fn another_program_is_called_as_it_is() {
        for words in ["plink -batch", "sshpass -e ssh", "ENV=1 ssh", "", "'"] {
            assert_eq!(line(words), Ssh::OtherLine(words.into()));
        }
        assert_eq!(
            Ssh::chosen(None, Some("/bin/plink".into()), None),
            Ssh::OtherProgram("/bin/plink".into())
        );
        assert_eq!(Ssh::chosen(Some("ssh".into()), None, Some("simple")), Ssh::OtherLine("ssh".into()));
    }

    #[test]
    fn it_is_given_the_words_that_follow_one_by_one() {
        let mut command = line("printf '%s|'").command();
        command.args(["a b", "$HOME"]);
        assert_eq!(command.output().unwrap().stdout, b"a b|$HOME|");
    }
}
