//! The shell's window through WebKitWebDriver: the keyboard, and what is on the page.
//!
//! Source: W3C WebDriver, sections 13 to 17; as much of it as the journeys need, over plain HTTP.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};
use tributary_testkit::{Process, eventually, free_port, within};

use crate::shell::{Computer, LIMIT, shot};

/// What one request may take; the first starts the program.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);
/// More stops than any view has.
const MOST_STOPS: usize = 60;

/// Keys without a character.
pub const TAB: char = '\u{E004}';
pub const ENTER: char = '\u{E007}';
pub const UP: char = '\u{E013}';
pub const DOWN: char = '\u{E015}';
pub const RIGHT: char = '\u{E014}';
pub const CONTROL: char = '\u{E009}';
pub const SPACE: char = ' ';

/// The window of a shell that the driver has started.
pub struct Window {
    _driver: Process,
    port: u16,
    session: String,
    /// The screens in which a person has acted, in turn.
    steps: RefCell<Vec<String>>,
    /// The one in which they acted last.
    last: RefCell<String>,
}

impl Window {
    /// Starts the shell with its window, as from the desktop's menu.
    #[track_caller]
    pub fn open(computer: &Computer) -> Self {
        Self::open_with(computer, &[])
    }

    /// The same with arguments, such as the link that was clicked.
    #[track_caller]
    pub fn open_with(computer: &Computer, args: &[&str]) -> Self {
        let port = free_port();
        let mut command = computer.command("WebKitWebDriver");
        command.args([&format!("--port={port}"), "--host=127.0.0.1"]).env("TAURI_WEBVIEW_AUTOMATION", "true");
        let log = computer.desktop.sandbox().join("tributary.log");
        let driver = Process::spawn("WebKitWebDriver", command, &log);
        eventually(LIMIT, "the driver listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok());
        let mut window = Window {
            _driver: driver,
            port,
            session: String::new(),
            steps: RefCell::default(),
            last: RefCell::default(),
        };
        let options = json!({ "binary": Computer::program(), "args": args });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "webkitgtk:browserOptions": options } } });
        let session = window.request("POST", "/session", Some(&wanted));
        window.session = session["sessionId"].as_str().expect("a session has a name").to_owned();
        window
    }

    /// Presses and lets go of keys, one after the other.
    #[track_caller]
    pub fn press(&self, keys: &str) {
        let strokes = keys.chars().flat_map(|key| [stroke("keyDown", key), stroke("keyUp", key)]);
        self.keyboard(strokes.collect());
    }

    /// Presses a key while Control is held.
    #[track_caller]
    pub fn press_with_control(&self, key: char) {
        let held = [("keyDown", CONTROL), ("keyDown", key), ("keyUp", key), ("keyUp", CONTROL)];
        self.keyboard(held.map(|(kind, key)| stroke(kind, key)).into());
    }

    /// The steps so far: the forms, dialogs and pages of a first run in which a key was pressed, each once while it stays.
    /// The main window leads to them and asks nothing.
    pub fn steps(&self) -> Vec<String> {
        self.steps.borrow().clone()
    }

    /// From here on steps are counted anew.
    pub fn forget_steps(&self) {
        self.steps.borrow_mut().clear();
        self.last.borrow_mut().clear();
    }

    #[track_caller]
    fn count_step(&self) {
        let screen = self.script(
            "const heading = document.querySelector('dialog[open] h2') ?? document.querySelector('.page h1');
             return heading?.innerText ?? ''",
        );
        if !screen.is_empty() && screen != *self.last.borrow() {
            self.steps.borrow_mut().push(screen.clone());
        }
        self.last.replace(screen);
    }

    #[track_caller]
    fn keyboard(&self, strokes: Vec<Value>) {
        self.count_step();
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] });
        self.in_session("actions", &actions);
    }

    /// The label, or the text, of what has the focus.
    #[track_caller]
    pub fn focused(&self) -> String {
        self.script(
            "const at = document.activeElement;
             return (at.labels?.[0] ?? at).innerText?.trim().split('\\n')[0] ?? ''",
        )
    }

    /// Goes on with Tab to the thing whose label starts so.
    ///
    /// # Panics
    ///
    /// With all that can be reached when it cannot be reached.
    #[track_caller]
    pub fn tab_to(&self, label: &str) {
        let mut seen = Vec::new();
        for _ in 0..MOST_STOPS {
            let focused = self.focused();
            if focused.starts_with(label) {
                return;
            }
            seen.push(focused);
            self.press(&TAB.to_string());
        }
        panic!("Tab does not lead to {label:?}, only to {seen:#?}");
    }

    /// Goes on with Tab to a line of text, and writes this in place of what is in it.
    #[track_caller]
    pub fn replace(&self, label: &str, text: &str) {
        self.tab_to(label);
        self.press_with_control('a');
        self.press(text);
    }

    /// Waits until an element's text contains `wanted`.
    #[track_caller]
    pub fn shows(&self, selector: &str, wanted: &str) {
        let script = format!("return document.querySelector({})?.innerText ?? ''", json!(selector));
        if within(LIMIT, || self.script(&script).contains(wanted).then_some(())).is_none() {
            let page = self.script("return document.body.innerText");
            panic!("{selector} does not come to show {wanted:?} but {:?} on:\n{page}", self.script(&script));
        }
    }

    /// Keeps a picture of the page.
    #[track_caller]
    pub fn photograph(&self, name: &str) {
        // What the page holds is drawn with the next frame: it is there when the one after that begins.
        let frames = "const done = arguments[0];
            requestAnimationFrame(() => requestAnimationFrame(() => done(null)))";
        self.in_session("execute/async", &json!({ "script": frames, "args": [] }));
        let picture = self.request("GET", &format!("/session/{}/screenshot", self.session), None);
        let picture = BASE64.decode(picture.as_str().expect("a picture is text")).expect("in base64");
        let file = shot(name);
        fs::create_dir_all(file.parent().expect("it is in a folder")).expect("a folder can be made");
        fs::write(file, picture).expect("the target folder can be written");
    }

    /// Gives the window a size.
    #[track_caller]
    pub fn resize(&self, width: u32, height: u32) {
        self.in_session("window/rect", &json!({ "width": width, "height": height }));
    }

    /// Runs a script on the page and gives the text that it returns.
    #[track_caller]
    pub fn script(&self, script: &str) -> String {
        let value = self.in_session("execute/sync", &json!({ "script": script, "args": [] }));
        value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
    }

    #[track_caller]
    fn in_session(&self, command: &str, body: &Value) -> Value {
        self.request("POST", &format!("/session/{}/{command}", self.session), Some(body))
    }

    /// Sends a request and gives the value of its answer.
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

impl Drop for Window {
    fn drop(&mut self) {
        // Ends the shell too; a panicking test has other worries than how that went.
        let _ = self.exchange("DELETE", &format!("/session/{}", self.session), "");
    }
}

fn stroke(kind: &str, key: char) -> Value {
    json!({ "type": kind, "value": key })
}
