//! The program's windows in a plain browser: the built front end on a loopback port, with a script in the shell's place that
//! relays to the socket of an engine which runs elsewhere.
//!
//! For journeys that need the windows of two computers beside each other. What a person gets is the shell's own window,
//! so this lives where nothing that ships can reach it. Who does not know the address, which holds a random word, gets
//! nothing: a page in somebody's browser on the same machine could otherwise give an engine orders.

mod http;
mod relay;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use self::http::{Answer, Request};
use crate::engine_socket;

/// What a page runs before its own code.
const BRIDGE: &str = include_str!("window_server/bridge.js");
/// Where it is loaded: a classic script, so it has run when the page's module starts.
const LOAD_BRIDGE: &str = "<head>\n    <script src=\"bridge.js\"></script>";

/// A server of one computer's windows; it takes no more connections when this value goes.
#[derive(Debug)]
pub struct WindowServer {
    port: u16,
    word: String,
    socket: PathBuf,
    stopped: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

/// What every connection needs.
struct Site {
    word: String,
    /// By name relative to the page.
    files: BTreeMap<String, Vec<u8>>,
    socket: PathBuf,
    shell: Box<Shell>,
}

/// Answers what a window asks of the shell and the engine knows nothing of, by the command's name and its arguments;
/// `None` for what it does not know.
type Shell = dyn Fn(&str, &Value) -> Option<Value> + Send + Sync;

impl WindowServer {
    /// Serves the built front end in `dist` for the engine that listens on `socket`; `shell` answers what the engine knows
    /// nothing of.
    ///
    /// # Panics
    ///
    /// When the front end is not built, or no port is free.
    #[track_caller]
    pub fn start(
        dist: &Path,
        socket: &Path,
        shell: impl Fn(&str, &Value) -> Option<Value> + Send + Sync + 'static,
    ) -> Self {
        let word = format!("{:032x}", rand::random::<u128>());
        let files = files_of(dist);
        let site = Site { word: word.clone(), files, socket: socket.to_owned(), shell: Box::new(shell) };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let stopped = Arc::new(AtomicBool::new(false));
        let told = stopped.clone();
        let accepting = std::thread::spawn(move || accept(&listener, &Arc::new(site), &told));
        WindowServer { port, word, socket: socket.to_owned(), stopped, accepting: Some(accepting) }
    }

    /// Carries out a wish as a window would, and gives the reply: for what the command line has no words for.
    ///
    /// # Panics
    ///
    /// When the engine does not answer.
    #[track_caller]
    pub fn wish(&self, command: &Value) -> Value {
        engine_socket::ask(&self.socket, command)
            .unwrap_or_else(|cause| panic!("the engine does not answer: {cause}"))
    }

    /// The page's address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/{}/", self.port, self.word)
    }
}

impl Drop for WindowServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // Who waits for a connection sees that at the next one. Connections end when the browser or the engine does.
        let woken = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok();
        if let Some(accepting) = self.accepting.take().filter(|_| woken) {
            let _ = accepting.join(); // That it panicked was printed, and a test that needed it has failed.
        }
    }
}

fn accept(listener: &TcpListener, site: &Arc<Site>, stopped: &AtomicBool) {
    for stream in listener.incoming() {
        if stopped.load(Ordering::Acquire) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let site = site.clone();
        std::thread::spawn(move || {
            // A browser hangs up when it likes to; what it missed it asks for again.
            let _ = site.attend(stream);
        });
    }
}

impl Site {
    fn attend(&self, mut stream: TcpStream) -> io::Result<()> {
        let request = http::read(&mut stream)?;
        let inside = request.path.strip_prefix('/').and_then(|path| path.strip_prefix(self.word.as_str()));
        let Some(inside) = inside.and_then(|path| path.strip_prefix('/')) else {
            return http::write(&mut stream, &Answer::missing(&request.path));
        };
        match (request.method.as_str(), inside) {
            ("GET", "events") => relay::events(&self.socket, stream),
            ("POST", "invoke") => http::write(&mut stream, &self.invoke(&request)?),
            ("GET", "bridge.js") => http::write(&mut stream, &Answer::file("bridge.js", BRIDGE.into())),
            ("GET", name) => {
                let name = if name.is_empty() { "index.html" } else { name };
                let answer = match self.files.get(name) {
                    Some(content) => Answer::file(name, content.clone()),
                    None => Answer::missing(name),
                };
                http::write(&mut stream, &answer)
            }
            (method, _) => http::write(&mut stream, &Answer::missing(method)),
        }
    }

    fn invoke(&self, request: &Request) -> io::Result<Answer> {
        let asked: Value = serde_json::from_slice(&request.body)?;
        let (command, args) = (asked["command"].as_str().unwrap_or_default(), &asked["args"]);
        if command == "command" {
            return engine_socket::ask(&self.socket, &args["command"]).map(|reply| Answer::json(&reply));
        }
        Ok(match (self.shell)(command, args) {
            Some(value) => Answer::json(&value),
            None => Answer::refusal(&json!(format!("{command} is no command of the shell"))),
        })
    }
}

/// The built front end, by name relative to its page, which loads the bridge.
#[track_caller]
fn files_of(dist: &Path) -> BTreeMap<String, Vec<u8>> {
    let page = dist.join("index.html");
    let page = fs::read_to_string(&page).unwrap_or_else(|cause| {
        panic!("build the windows first (npm run build): {}: {cause}", page.display())
    });
    assert!(page.contains("<head>"), "a page has a head, for the bridge to be loaded in");
    let page = page.replacen("<head>", LOAD_BRIDGE, 1);
    let assets = fs::read_dir(dist.join("assets")).expect("a built front end has assets");
    let assets = assets.map(|entry| {
        let entry = entry.expect("our own folder can be read");
        let name = entry.file_name().into_string().expect("vite gives plain names");
        (format!("assets/{name}"), fs::read(entry.path()).expect("our own file can be read"))
    });
    assets.chain([("index.html".to_owned(), page.into_bytes())]).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::Sandbox;

    /// A built front end of one page and one script.
    fn dist(sandbox: &Sandbox) -> PathBuf {
        let dist = sandbox.dir("dist");
        fs::write(dist.join("index.html"), "<html><head>\n</head></html>").expect("write");
        fs::write(sandbox.dir("dist/assets").join("index.js"), "start()").expect("write");
        fs::write(sandbox.join("secret"), "hidden").expect("write");
        dist
    }

    /// Sends a request and gives all of the answer.
    fn request(server: &WindowServer, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).expect("it listens");
        let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    #[test]
    fn serves_the_front_end_and_nothing_else() {
        let sandbox = Sandbox::new();
        let server = WindowServer::start(&dist(&sandbox), &sandbox.join("none"), |_, _| None);
        let at = |path: &str| request(&server, "GET", &format!("/{}/{path}", server.word), "");
        assert!(at("").contains("bridge.js"), "the page loads what stands in for the shell");
        assert!(at("bridge.js").contains("__TAURI_INTERNALS__"));
        let script = at("assets/index.js");
        assert!(script.ends_with("start()") && script.contains("text/javascript"), "{script}");
        for path in ["../secret", "assets/../../secret", "%2e%2e/secret", "secret"] {
            assert!(at(path).starts_with("HTTP/1.1 404"), "{path} is not served");
        }
        assert!(
            request(&server, "GET", "/assets/index.js", "").starts_with("HTTP/1.1 404"),
            "not without its word"
        );
    }

    #[test]
    fn relays_wishes_and_events() {
        let sandbox = Sandbox::new();
        let socket = sandbox.join("socket");
        let engine = UnixListener::bind(&socket).expect("a socket can be bound");
        let server = WindowServer::start(&dist(&sandbox), &socket, |command, args| {
            (command == "look_at_point").then(|| json!({ "path": args["path"] }))
        });
        let line = |lines: &mut BufReader<std::os::unix::net::UnixStream>| -> Value {
            let mut line = String::new();
            lines.read_line(&mut line).expect("a line");
            serde_json::from_str(&line).expect("of JSON")
        };
        let attend = std::thread::spawn(move || {
            let mut wish = BufReader::new(engine.accept().expect("a wish comes").0);
            let asked = line(&mut wish);
            assert_eq!((&asked["kind"], &asked["command"]["type"]), (&json!("command"), &json!("pause")));
            // An event of somebody else's may come before the answer.
            let said = json!({ "kind": "event", "event": { "number": 1 } });
            let reply = json!({ "kind": "reply", "id": asked["id"], "reply": { "type": "done" } });
            writeln!(wish.get_mut(), "{said}\n{reply}").expect("it listens");

            let mut listener = BufReader::new(engine.accept().expect("a listener comes").0);
            assert_eq!(line(&mut listener)["kind"], "subscribe");
            let look = line(&mut listener);
            let reply = json!({ "kind": "reply", "id": look["id"], "reply": {} });
            let event = json!({ "kind": "event", "event": { "number": 2 } });
            writeln!(listener.get_mut(), "{reply}\n{event}").expect("it listens");
        });

        let invoke = format!("/{}/invoke", server.word);
        let wish = json!({ "command": "command", "args": { "command": { "type": "pause" } } });
        let done = request(&server, "POST", &invoke, &wish.to_string());
        assert!(done.ends_with(r#"{"type":"done"}"#), "{done}");
        let events = request(&server, "GET", &format!("/{}/events", server.word), "");
        assert!(
            events.contains("text/event-stream") && events.ends_with("data: {\"number\":2}\n\n"),
            "{events}"
        );
        attend.join().expect("the engine was asked what it expects");

        let look = json!({ "command": "look_at_point", "args": { "path": "/media" } });
        assert!(request(&server, "POST", &invoke, &look.to_string()).ends_with(r#"{"path":"/media"}"#));
        let odd = request(&server, "POST", &invoke, &json!({ "command": "odd", "args": {} }).to_string());
        assert!(odd.starts_with("HTTP/1.1 400") && odd.contains("odd is no command"), "{odd}");
    }
}
