//! A window's wishes and the engine's events, between a browser and the engine's socket: one JSON value a line there.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

/// Numbers of the requests on a connection; each connection begins anew.
const WISH: u64 = 1;
const SUBSCRIPTION: u64 = 2;

/// Carries out a wish and gives its reply, however long that takes.
///
/// # Errors
/// The engine is not there, or hung up.
pub fn ask(socket: &Path, command: &Value) -> io::Result<Value> {
    let mut engine = UnixStream::connect(socket)?;
    writeln!(engine, "{}", json!({ "kind": "command", "id": WISH, "command": command }))?;
    reply(&mut BufReader::new(engine))
}

/// Sends events to a browser until it or the engine hangs up. Source: HTML Living Standard, 9.2 (server-sent events).
///
/// # Errors
/// One of them hung up.
pub fn events(socket: &Path, mut browser: TcpStream) -> io::Result<()> {
    let mut engine = UnixStream::connect(socket)?;
    writeln!(engine, "{}", json!({ "kind": "subscribe", "id": SUBSCRIPTION }))?;
    // Nobody answers a subscription. The answer to a wish that was sent after it says that it counts by now.
    let look = json!({ "type": "status", "folder": null });
    writeln!(engine, "{}", json!({ "kind": "command", "id": WISH, "command": look }))?;
    let mut lines = BufReader::new(engine);
    reply(&mut lines)?;
    browser.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
    )?;
    while let Some(said) = next(&mut lines)? {
        if said["kind"] == "event" {
            // One line: JSON has no line breaks of its own.
            write!(browser, "data: {}\n\n", said["event"])?;
        }
    }
    Ok(())
}

/// Goes on to the reply.
fn reply(lines: &mut impl BufRead) -> io::Result<Value> {
    while let Some(mut said) = next(lines)? {
        if said["kind"] == "reply" {
            return Ok(said["reply"].take());
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

fn next(lines: &mut impl BufRead) -> io::Result<Option<Value>> {
    let mut line = String::new();
    if lines.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&line)?))
}
