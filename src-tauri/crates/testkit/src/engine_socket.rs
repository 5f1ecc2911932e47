//! The engine's socket, as programs use it: one JSON value a line.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

/// Number of the only request on a connection; each connection begins anew.
pub(crate) const WISH: u64 = 1;

/// Carries out a wish and gives its reply, however long that takes.
///
/// # Errors
/// The engine is not there, or hung up.
pub(crate) fn ask(socket: &Path, command: &Value) -> io::Result<Value> {
    let mut engine = UnixStream::connect(socket)?;
    writeln!(engine, "{}", json!({ "kind": "command", "id": WISH, "command": command }))?;
    reply(&mut BufReader::new(engine))
}

/// Goes on to the reply.
pub(crate) fn reply(lines: &mut impl BufRead) -> io::Result<Value> {
    while let Some(mut said) = next(lines)? {
        if said["kind"] == "reply" {
            return Ok(said["reply"].take());
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

pub(crate) fn next(lines: &mut impl BufRead) -> io::Result<Option<Value>> {
    let mut line = String::new();
    if lines.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&line)?))
}
