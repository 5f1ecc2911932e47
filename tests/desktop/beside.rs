//! Both computers at once: their windows beside each other in one browser, each with its own engine. The steps are those of
//! the shell's windows; here it is seen that what happens on one side shows on the other while nobody touches that.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::{Value, json};
use tributary_shell::points;
use tributary_testkit::xmpp_servers::Prosody;
use tributary_testkit::{Desktop, DesktopPart, Node, WindowServer, eventually, need_all};

use crate::pairing_steps::{self as steps, Side};
use crate::shell::{Computer, LIMIT, Point, login};
use crate::web_driver::{ENTER, Session, Window};

const ANN: (&str, &str) = ("ann", "correct-horse-14");
const BEN: (&str, &str) = ("ben", "battery-staple-14");

/// Room for two windows of the size in which the shell opens one.
const PAGE: (u32, u32) = (1960, 760);

fn can_run() -> bool {
    need_all(&[&["git", "WebKitWebDriver"], Desktop::NEEDS, Prosody::NEEDS].concat())
}

/// A computer without a shell: an engine, a keyring for it, and what serves its windows.
struct Neighbour {
    server: WindowServer,
    node: Node,
    desktop: Desktop,
}

impl Neighbour {
    #[track_caller]
    fn start(name: &str, parts: &[DesktopPart]) -> Self {
        let desktop = Desktop::start_with(parts);
        let builder = Node::builder(&Computer::trib_program(), &desktop.sandbox().join("tributary"));
        let node = desktop
            .variables()
            .into_iter()
            .fold(builder, |node, (name, value)| node.env(name, value))
            .start();
        let home = node.machine().home();
        let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui/dist");
        let server =
            WindowServer::start(&dist, &node.socket(), move |command, args| answer(&home, command, args));
        // Both are on one machine, and called by its name otherwise.
        let named = server.wish(&json!({ "type": "setSettings", "settings": { "computerName": name } }));
        assert_eq!(named["type"], "done", "{named}");
        Neighbour { server, node, desktop }
    }

    /// The folder that is kept, where the window suggests it.
    fn folder(&self) -> PathBuf {
        self.node.machine().home().join("Papers")
    }

    fn write(&self, name: &str, content: &str) {
        fs::create_dir_all(self.folder()).expect("a folder can be made");
        fs::write(self.folder().join(name), content).expect("a file can be written");
    }

    /// Runs `trib VERB FOLDER ARGS…`, which must succeed.
    #[track_caller]
    fn tell(&self, verb: &[&str], folder: &Path, args: &[&str]) {
        let folder = folder.to_str().expect("a temporary folder's name is UTF-8");
        self.node.trib([verb, &[folder], args].concat()).ok();
    }

    #[track_caller]
    fn log_in(&self, prosody: &Prosody, (user, password): (&str, &str)) {
        self.node.trib(login(self.desktop.sandbox(), prosody, user, password)).ok();
        eventually(LIMIT, "the account is online", || {
            (self.node.json(["status"])["account"]["state"] == "online").then_some(())
        });
    }
}

/// What a window asks of the shell. What the shell only says about the machine is said about the neighbour's; nobody
/// chooses a file, and no invitation was clicked.
fn answer(home: &Path, command: &str, args: &Value) -> Option<Value> {
    match command {
        "suggestions" => Some(json!({ "home": home, "folder": home.join("Sync"), "computer": "computer" })),
        "look_at_point" => {
            let point = points::look(args["path"].as_str()?, args["name"].as_str()?);
            Some(serde_json::to_value(point).expect("plain data"))
        }
        "take_invitation" | "painted" => Some(Value::Null),
        "unpainted" => Some(json!(false)),
        _ => None,
    }
}

/// Two computers beside each other.
struct Beside {
    // Before what it shows.
    windows: [Window; 2],
    sides: [Neighbour; 2],
}

impl Beside {
    #[track_caller]
    fn start() -> Self {
        let sides = [
            Neighbour::start("laptop", &[DesktopPart::WindowManager, DesktopPart::Keyring]),
            Neighbour::start("desktop", &[DesktopPart::Keyring]),
        ];
        // The driver starts a browser of the same engine that the shell has.
        let driver = sides[0].desktop.command("WebKitWebDriver");
        let session = Session::start(driver, &sides[0].desktop.sandbox().join("browser.log"), &json!({}));
        session.tell("window/rect", &json!({ "x": 0, "y": 0, "width": PAGE.0, "height": PAGE.1 }));
        // A page of the loopback, of which there is none that is shown: frames of one that is nobody's, such as an empty
        // page, are not trusted with the clipboard.
        let frames = sides.each_ref().map(|side| side.server.url());
        session.tell("url", &json!({ "url": format!("{}beside", frames[0]) }));
        let script = "document.body.replaceChildren();
            document.body.style = 'display: flex; gap: 8px; margin: 0; height: 100vh';
            for (const [number, src] of [...arguments].entries()) {
                const title = number === 0 ? 'here' : 'there';
                const frame = Object.assign(document.createElement('iframe'), { src, title });
                frame.style = 'flex: 1; border: 0; min-width: 0';
                document.body.append(frame);
            }";
        session.tell("execute/sync", &json!({ "script": script, "args": frames }));
        let session = Rc::new(session);
        Beside { windows: [0, 1].map(|frame| Window::in_frame(session.clone(), frame)), sides }
    }
}

#[test]
fn a_second_computer_of_ones_own_is_seen_from_both() {
    if !can_run() {
        return;
    }
    let Beside { windows: [here, there], sides: [laptop, desktop] } = Beside::start();
    let prosody = Prosody::start("beside.example", &[ANN]);
    let drive = laptop.desktop.sandbox().dir("media/stick");
    laptop.write("letter.txt", "Dear Ben");
    let (ours, theirs) = (laptop.folder(), desktop.folder());
    let (first, second) = (Side { window: &here, folder: &ours }, Side { window: &there, folder: &theirs });
    steps::own_second_computer(first, second, &prosody, ANN, &drive);
    here.shows("dialog", "desktop joined Papers");
    there.shows("main", "laptop");
    there.photograph("beside-own");
}

#[test]
fn a_friend_and_that_he_goes_is_seen_from_both() {
    if !can_run() {
        return;
    }
    let Beside { windows: [here, there], sides: [ann, ben] } = Beside::start();
    let prosody = Prosody::start("beside.example", &[ANN, BEN]);
    let point = Point::make(ann.desktop.sandbox());
    let (ours, theirs) = (ann.folder(), ben.folder());
    ann.tell(&["add"], &ours, &[]);
    ann.tell(&["remote", "add"], &ours, &["names", &point.names]);
    ann.tell(&["remote", "add"], &ours, &["store", "type=directory", &point.directory(), "encryption=none"]);
    ann.write("letter.txt", "Dear Ben");
    ben.tell(&["add"], &ben.node.machine().home().join("Notes"), &[]);
    ann.log_in(&prosody, ANN);
    ben.log_in(&prosody, BEN);
    ann.node.wait(&ours, LIMIT);
    let (first, second) = (Side { window: &here, folder: &ours }, Side { window: &there, folder: &theirs });
    steps::friend(first, second, &prosody, ANN.0);
    here.shows("dialog", "desktop joined Papers");
    there.shows("main", "laptop");
    there.photograph("beside-friend");

    // She takes it back. He is told where he is, and has nothing to do but to read it.
    here.tab_to("Done");
    here.press(&ENTER.to_string());
    here.press_with_control('3');
    here.shows("main article", "Friend: ben@beside.example");
    here.tab_to("Remove…");
    here.press(&ENTER.to_string());
    here.shows("dialog", "no longer gets changes of Papers");
    here.tab_to("Remove");
    here.press(&ENTER.to_string());
    let gone = "return String(!document.querySelector('dialog') && !document.querySelector('main').innerText.includes('Friend:'))";
    eventually(LIMIT, "his card is gone", || (here.script(gone) == "true").then_some(()));
    there.press_with_control('5');
    there.shows("main", "laptop (ann@beside.example) does not share Papers with this computer any more.");
    there.look_at("left");
    there.tab_to("Dismiss");
    there.press(&ENTER.to_string());
    there.shows("main", "No problems");
}
