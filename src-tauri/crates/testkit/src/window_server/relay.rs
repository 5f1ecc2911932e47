//! The engine's events, from its socket to a browser.

use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::json;

use crate::engine_socket::{WISH, next, reply};

/// Number of the subscription on a connection, beside that of the wish.
const SUBSCRIPTION: u64 = 2;

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
