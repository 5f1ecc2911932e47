//! `git-remote-xmpp`: what git starts for `xmpp::ACCOUNT/REPOSITORY` URLs.
//!
//! It asks the engine that runs on this computer for a tunnel and then only passes bytes on; the engine holds account
//! and keys. Source: `gitremote-helpers(7)`, capability `connect`, git 2.47.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use tributary_engine::Home;
use tributary_engine::socket::reachable;
use tributary_status::{Reply, Request, Response};

/// Longest line that git says to a helper, bytes.
const MAX_COMMAND: usize = 4096;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(_remote), Some(address)) = (arguments.next(), arguments.next()) else {
        eprintln!("git-remote-xmpp is started by git: git clone xmpp::ACCOUNT/REPOSITORY");
        return ExitCode::from(2);
    };
    // Not locked: what follows the commands is read by another thread.
    match help(&address, &mut io::stdin()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("git-remote-xmpp: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Does what git says until it hangs up or has its connection.
fn help(address: &str, git: &mut impl Read) -> anyhow::Result<()> {
    while let Some(command) = read_command(git)? {
        match command.as_str() {
            "capabilities" => say("connect\n\n")?,
            "connect git-upload-pack" => return connect(address, false),
            "connect git-receive-pack" => return connect(address, true),
            // A service that is not served: git says what that means.
            other if other.starts_with("connect ") => say("fallback\n")?,
            "" => return Ok(()),
            other => bail!("git said {other:?}, which is not known here"),
        }
    }
    Ok(())
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("git hung up")
}

/// One line, read byte by byte: what follows the last one is not ours.
fn read_command(git: &mut impl Read) -> anyhow::Result<Option<String>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while git.read(&mut byte).context("git hung up")? == 1 {
        match byte[0] {
            b'\n' => return Ok(Some(String::from_utf8_lossy(&line).into_owned())),
            byte if line.len() < MAX_COMMAND => line.push(byte),
            _ => bail!("git said a line that is too long"),
        }
    }
    Ok(None)
}

/// Asks the engine for a tunnel, and passes bytes on until the far side is done.
fn connect(address: &str, push: bool) -> anyhow::Result<()> {
    let home = Home::from_environment()?;
    let mut socket =
        open(home.socket()).context("Tributary is not running; start it, or say `trib daemon`")?;
    let url = if address.starts_with("xmpp:") { address.to_owned() } else { format!("xmpp::{address}") };
    let mut request = serde_json::to_vec(&Request::Tunnel { id: 1, url, push })?;
    request.push(b'\n');
    socket.write_all(&request).context("Tributary hung up")?;
    let answer = read_answer(&mut socket)?;
    match serde_json::from_str(&answer) {
        Ok(Response::Reply { reply: Reply::Done { .. }, .. }) => {}
        Ok(Response::Reply { reply: Reply::Failed { failure }, .. }) => {
            bail!("{} {}", failure.sentence, failure.hint)
        }
        _ => bail!("the running program answered something unexpected; is it another version?"),
    }
    say("\n")?;
    let mut to_engine = socket.try_clone()?;
    std::thread::spawn(move || {
        // Git that has nothing more to say, and an engine that hung up, are both the end of it.
        let _ = pass_on(&mut io::stdin(), &mut to_engine);
        let _ = to_engine.shutdown(Shutdown::Write);
    });
    pass_on(&mut socket, &mut io::stdout().lock()).context("the tunnel broke")
}

/// Passes bytes on, each as soon as it is there. Not `io::copy`, which may splice, and flushes nothing.
fn pass_on(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => to.write_all(&buffer[..length]).and_then(|()| to.flush())?,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
}

fn open(path: PathBuf) -> io::Result<UnixStream> {
    UnixStream::connect(reachable(&path)?.path())
}

/// The engine's answer is one line; what follows is git's.
fn read_answer(socket: &mut UnixStream) -> anyhow::Result<String> {
    read_command(socket)?.context("Tributary hung up before it answered")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_and_nothing_behind_it() {
        let mut said = &b"connect git-upload-pack\n0032want"[..];
        assert_eq!(read_command(&mut said).unwrap().as_deref(), Some("connect git-upload-pack"));
        assert_eq!(said, b"0032want");
        assert_eq!(read_command(&mut &b"half"[..]).unwrap(), None, "git hung up");
        assert!(read_command(&mut &[b'x'; MAX_COMMAND + 1][..]).is_err());
    }

    #[test]
    fn what_git_may_not_say_is_an_error() {
        assert!(help("a@b/c", &mut &b"push refs/heads/x:refs/heads/x\n"[..]).is_err());
        assert!(help("a@b/c", &mut &b"\n"[..]).is_ok());
    }
}
