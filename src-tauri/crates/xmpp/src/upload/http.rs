//! One file over HTTP 1.1 with TLS, put or fetched: one connection, one request, no redirection, no proxy.
//!
//! Source: RFC 9110, 9112; XEP-0363, section 7 (a put is done with 201; servers in use also say 200).

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use hyper::http::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{UploadError, address};
use crate::account::Trust;
use crate::connect::tls;

/// How long an address may take to answer, and TLS to stand.
const CONNECTING: Duration = Duration::from_secs(10);
/// Addresses of a host that are tried.
const MAX_ADDRESSES: usize = 4;
/// The headers of an answer together, in bytes.
const MAX_HEADERS: usize = 32 << 10;
/// Bytes that are read from the disk together.
const PIECE: usize = 64 << 10;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Where a file is.
#[derive(Debug)]
pub(super) struct Link {
    host: String,
    port: u16,
    authority: String,
    path: String,
}

impl Link {
    /// Reads a link: https, a host, and nobody's name and password.
    pub(super) fn parse(text: &str) -> Result<Link, UploadError> {
        let no = UploadError::NotAllowed;
        let uri: Uri = text.parse().map_err(|_| no("it is no link"))?;
        if uri.scheme_str() != Some("https") {
            return Err(no("it is not an https link"));
        }
        let authority = uri.authority().ok_or(no("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(no("it has a name and a password in it"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        // A port that is none is not taken for one that is left out.
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => 443,
            Some(port) => port.strip_prefix(':').and_then(|port| port.parse().ok()).unwrap_or(0),
            None => 0,
        };
        if host.is_empty() || port == 0 {
            return Err(no("it names no host"));
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Link { host: host.to_owned(), port, authority: authority.to_string(), path: path.to_owned() })
    }
}

/// A connection for one request.
pub(super) struct Connection {
    requests: SendRequest<Body>,
    /// Carries it; ends with it.
    _carried: JoinSet<hyper::Result<()>>,
}

/// Connects to a link's host, if it is at an address from which things are fetched, and has a certificate that `trust`
/// believes for that host.
pub(super) async fn connect(
    link: &Link,
    trust: Trust,
    own_server: Option<IpAddr>,
) -> Result<Connection, UploadError> {
    let silent = |_| UploadError::Silent;
    let found = timeout(CONNECTING, lookup_host((link.host.as_str(), link.port))).await.map_err(silent)??;
    let allowed = found.filter(|at| address::is_allowed(at.ip(), own_server));
    let mut failed = UploadError::NotAllowed("its host is at no public address");
    for at in allowed.take(MAX_ADDRESSES) {
        // Connected to the very address that was looked at: a name can be answered in another way the next time.
        match timeout(CONNECTING, TcpStream::connect(at)).await {
            Ok(Ok(tcp)) => {
                let tls =
                    timeout(CONNECTING, tls::secure(tcp, &link.host, trust)).await.map_err(silent)??;
                let mut builder = http1::Builder::new();
                let built = builder.max_buf_size(MAX_HEADERS).handshake(TokioIo::new(tls)).await?;
                let (requests, connection) = built;
                let mut carried = JoinSet::new();
                carried.spawn(connection);
                return Ok(Connection { requests, _carried: carried });
            }
            Ok(Err(cause)) => failed = cause.into(),
            Err(_) => failed = UploadError::Silent,
        }
    }
    Err(failed)
}

impl Connection {
    /// Puts a file of this size.
    pub(super) async fn put(
        mut self,
        link: &Link,
        headers: &[(&'static str, String)],
        size: u64,
        file: File,
        moved: &watch::Sender<u64>,
    ) -> Result<(), UploadError> {
        let moved = moved.clone();
        let pieces = stream::try_unfold((file, moved), async |(mut file, moved)| {
            let mut piece = vec![0; PIECE];
            let read = file.read(&mut piece).await?;
            piece.truncate(read);
            moved.send_modify(|bytes| *bytes += read as u64);
            Ok((read > 0).then(|| (Frame::data(Bytes::from(piece)), (file, moved))))
        });
        let request = Request::put(&link.path)
            .header(HOST, &link.authority)
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, size);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let request = request.body(StreamBody::new(pieces.boxed()).boxed_unsync());
        let answer = self.requests.send_request(request.map_err(io::Error::other)?).await?;
        match answer.status() {
            StatusCode::CREATED | StatusCode::OK => Ok(()),
            other => Err(UploadError::Answer(other.as_u16())),
        }
    }

    /// Fetches a file of this size.
    pub(super) async fn get(
        mut self,
        link: &Link,
        size: u64,
        into: &mut File,
        moved: &watch::Sender<u64>,
    ) -> Result<(), UploadError> {
        let request = Request::get(&link.path).header(HOST, &link.authority);
        let nothing = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let request = request.body(nothing).map_err(io::Error::other)?;
        let answer = self.requests.send_request(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(UploadError::Answer(answer.status().as_u16()));
        }
        let mut body = answer.into_body();
        let mut left = size;
        while let Some(frame) = body.frame().await {
            let Ok(piece) = frame?.into_data() else { continue };
            left = left.checked_sub(piece.len() as u64).ok_or(UploadError::Wrong)?;
            into.write_all(&piece).await?;
            moved.send_modify(|bytes| *bytes += piece.len() as u64);
        }
        if left > 0 {
            return Err(UploadError::Wrong);
        }
        Ok(into.flush().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_https_with_a_host_and_nothing_more() {
        let link = Link::parse("https://upload.example:5281/a/b%20c?d").unwrap();
        assert_eq!((link.host.as_str(), link.port), ("upload.example", 5281));
        assert_eq!((link.authority.as_str(), link.path.as_str()), ("upload.example:5281", "/a/b%20c?d"));
        let plain = Link::parse("https://upload.example").unwrap();
        assert_eq!((plain.port, plain.path.as_str()), (443, "/"));
        assert_eq!(Link::parse("https://[2001:db8::1]:8/").unwrap().host, "2001:db8::1");
        for text in [
            "",
            "a",
            "/a",
            "http://upload.example/a",
            "HTTP://upload.example/a",
            "ftp://upload.example/a",
            "https://",
            "https:///a",
            "https://user:word@upload.example/a",
            "https://upload.example@127.0.0.1/a",
            "https://upload.example:0/a",
            "https://upload.example:99999/a",
            "https://upload.example/a b",
            "https://upload.example/a\r\nHost: b",
        ] {
            assert!(matches!(Link::parse(text), Err(UploadError::NotAllowed(_))), "{text:?}");
        }
    }
}
