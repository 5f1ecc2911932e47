//! As much of HTTP/1.1 (RFC 9112) as a browser needs of a small server: one request on a connection, and its answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

/// Longest head of a request, bytes; a browser sends a few hundred.
const MAX_HEAD: u64 = 16 * 1024;
/// Longest body, bytes: more than any form of a window holds.
const MAX_BODY: usize = 1024 * 1024;

/// What was asked.
pub struct Request {
    pub method: String,
    pub path: String,
    pub body: Vec<u8>,
}

/// What is answered.
pub struct Answer {
    status: &'static str,
    kind: &'static str,
    body: Vec<u8>,
}

impl Answer {
    /// A file, whose name says what it holds.
    pub fn file(name: &str, body: Vec<u8>) -> Self {
        let kind = match name.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("png") => "image/png",
            _ => "application/octet-stream",
        };
        Answer { status: "200 OK", kind, body }
    }

    /// A value.
    pub fn json(value: &Value) -> Self {
        Answer { status: "200 OK", kind: "application/json", body: value.to_string().into_bytes() }
    }

    /// Why not.
    pub fn refusal(why: &Value) -> Self {
        Answer { status: "400 Bad Request", ..Answer::json(why) }
    }

    /// There is no such thing.
    pub fn missing(what: &str) -> Self {
        Answer { status: "404 Not Found", kind: "text/plain; charset=utf-8", body: what.into() }
    }
}

/// Reads the one request of a connection.
///
/// # Errors
/// It is cut short, longer than any browser's, or no request.
pub fn read(stream: &mut TcpStream) -> io::Result<Request> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut reader = BufReader::new(stream);
    let mut head = reader.by_ref().take(MAX_HEAD);
    let mut line = String::new();
    head.read_line(&mut line)?;
    let mut words = line.split_ascii_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Err(invalid("no request"));
    };
    let (method, path) = (method.to_owned(), path.split(['?', '#']).next().unwrap_or(path).to_owned());
    let mut length = 0;
    loop {
        let mut field = String::new();
        if head.read_line(&mut field)? == 0 {
            return Err(invalid("the head does not end"));
        }
        if field.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = field.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    if length > MAX_BODY {
        return Err(invalid("the body is too long"));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Request { method, path, body })
}

/// Writes an answer, after which the connection ends.
///
/// # Errors
/// The browser hung up.
pub fn write(stream: &mut TcpStream, answer: &Answer) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
        answer.status,
        answer.kind,
        answer.body.len()
    );
    stream.write_all(&[head.as_bytes(), &answer.body].concat())
}
