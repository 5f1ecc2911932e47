//! Where a password comes from: standard input, a command, or a terminal without echo. Never an argument.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::{Command as Process, Stdio};

use anyhow::{Context as _, bail};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use tributary_status::{Command, KeyringChoice, LoginForm, SecretSource};

use crate::arguments::Keyring;
use crate::ask::usage;

/// Longest password that is read, bytes.
const MAX_PASSWORD: u64 = 4096;

/// The command for a login.
#[allow(clippy::too_many_arguments, reason = "they are the command line's")]
pub(crate) fn command(
    jid: String,
    from_stdin: bool,
    from_command: Option<String>,
    server: Option<String>,
    ca: Option<PathBuf>,
    pin: Option<String>,
    keyring: Option<Keyring>,
) -> anyhow::Result<Command> {
    let password = match from_command {
        Some(command) => from_program(&command)?,
        None if from_stdin => from_reader(&mut std::io::stdin().lock())?,
        None => from_terminal(&jid)?,
    };
    let ca_file = match ca {
        Some(path) => {
            let path = std::path::absolute(&path)?;
            Some(path.to_str().context("the path of the certificate file is not UTF-8")?.to_owned())
        }
        None => None,
    };
    Ok(Command::Login(LoginForm {
        jid,
        password: SecretSource::Typed { password },
        server,
        ca_file,
        pin,
        keyring: keyring.map(|choice| match choice {
            Keyring::System => KeyringChoice::System,
            Keyring::File => KeyringChoice::File,
        }),
    }))
}

fn from_program(command: &str) -> anyhow::Result<String> {
    let mut child = Process::new("sh")
        .args(["-c", command])
        .stdin(Stdio::inherit())
        .stdout(Stdio::piped())
        .spawn()
        .context("the password command could not be started")?;
    let output = child.stdout.take().context("the password command has no output")?;
    let password = from_reader(&mut std::io::BufReader::new(output));
    // Why it failed comes first: then it printed nothing, or half of it.
    let status = child.wait()?;
    if !status.success() {
        bail!("the password command failed ({status})");
    }
    password
}

/// All that is there, less one trailing newline.
fn from_reader(reader: &mut dyn std::io::BufRead) -> anyhow::Result<String> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    reader.take(MAX_PASSWORD + 1).read_to_end(&mut bytes).context("the password could not be read")?;
    if bytes.len() as u64 > MAX_PASSWORD {
        bail!("the password is longer than {MAX_PASSWORD} bytes");
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    if bytes.is_empty() {
        bail!("the password is empty");
    }
    String::from_utf8(bytes).ok().context("the password is not UTF-8")
}

fn from_terminal(jid: &str) -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(usage(
            "no password: say --password-stdin or --password-command, or run it in a terminal",
        ));
    }
    write!(std::io::stderr(), "Password of {jid}: ")?;
    let before = tcgetattr(&stdin)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Flush, &silent)?;
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    tcsetattr(&stdin, OptionalActions::Flush, &before)?;
    writeln!(std::io::stderr())?;
    read?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    if password.is_empty() {
        bail!("the password is empty");
    }
    Ok(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_at_the_end_is_not_the_passwords() {
        let read = |text: &str| from_reader(&mut text.as_bytes()).unwrap();
        assert_eq!(read("hunter2\n"), "hunter2");
        assert_eq!(read("hunter2"), "hunter2");
        assert_eq!(read(" hunter2 \n\n"), " hunter2 \n");
        assert!(from_reader(&mut "\n".as_bytes()).is_err());
    }
}
