//! A session of WebKitWebDriver. Source: W3C WebDriver, sections 7 to 11, over plain HTTP.

use std::cell::Cell;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};
use tributary_testkit::{Process, eventually, free_port};

use crate::shell::LIMIT;

/// What one request may take; the first starts the program.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// A program with a web view that the driver has started, and that ends with this value.
pub struct Session {
    _driver: Process,
    port: u16,
    name: String,
    /// The frame that commands go to; `None` for the page itself.
    frame: Cell<Option<u16>>,
}

impl Session {
    /// Starts the driver with this command, and with it the program that the capabilities name, or its own browser.
    #[track_caller]
    pub fn start(mut driver: Command, log: &Path, capabilities: &Value) -> Self {
        let port = free_port();
        driver.args([&format!("--port={port}"), "--host=127.0.0.1"]);
        let driver = Process::spawn("WebKitWebDriver", driver, log);
        eventually(LIMIT, "the driver listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok());
        let mut session = Session { _driver: driver, port, name: String::new(), frame: Cell::new(None) };
        let wanted = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let begun = session.request("POST", "/session", Some(&wanted));
        session.name = begun["sessionId"].as_str().expect("a session has a name").to_owned();
        session
    }

    /// Sends a command and gives the value of its answer.
    #[track_caller]
    pub fn tell(&self, command: &str, body: &Value) -> Value {
        self.request("POST", &format!("/session/{}/{command}", self.name), Some(body))
    }

    /// Goes to a frame of the page, or to the page itself.
    #[track_caller]
    pub fn turn_to(&self, frame: Option<u16>) {
        if self.frame.replace(frame) == frame {
            return;
        }
        // Frames are numbered in the page, not in one another.
        self.tell("frame", &json!({ "id": null }));
        if frame.is_some() {
            self.tell("frame", &json!({ "id": frame }));
        }
    }

    /// Writes a picture of the page to `file` (PNG).
    #[track_caller]
    pub fn photograph(&self, file: &Path) {
        // What the page holds is drawn with the next frame: it is there when the one after that begins.
        let frames = "const done = arguments[0];
            requestAnimationFrame(() => requestAnimationFrame(() => done(null)))";
        self.tell("execute/async", &json!({ "script": frames, "args": [] }));
        let picture = self.request("GET", &format!("/session/{}/screenshot", self.name), None);
        let picture = BASE64.decode(picture.as_str().expect("a picture is text")).expect("in base64");
        fs::create_dir_all(file.parent().expect("it is in a folder")).expect("a folder can be made");
        fs::write(file, picture).expect("the target folder can be written");
    }

    #[track_caller]
    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let answer = self.exchange(method, path, &body.map(Value::to_string).unwrap_or_default());
        let mut answer = answer.unwrap_or_else(|cause| panic!("the driver does not answer {path}: {cause}"));
        let value = answer["value"].take();
        assert!(value.get("error").is_none(), "{path}: {value:#}");
        value
    }

    fn exchange(&self, method: &str, path: &str, body: &str) -> std::io::Result<Value> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(REQUEST_LIMIT))?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        let mut line = String::new();
        // The status line and the fields, up to the empty line; errors are told in the body.
        while reader.read_line(&mut line)? > 2 {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(std::io::Error::other)?;
            }
            line.clear();
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer)?;
        Ok(serde_json::from_slice(&answer)?)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Ends the program too; a panicking test has other worries than how that went.
        let _ = self.exchange("DELETE", &format!("/session/{}", self.name), "");
    }
}
