//! The program's window through WebKitWebDriver: the keyboard, and what is on the page.
//!
//! Source: W3C WebDriver, sections 13 to 17; as much of it as the journeys need.

mod session;

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Value, json};
use tributary_testkit::{eventually, within};

pub use self::session::Session;
use crate::shell::{Computer, LIMIT, shot};

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

/// A window that the driver holds: of the shell, or a frame of a browser's page.
pub struct Window {
    session: Rc<Session>,
    frame: Option<u16>,
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
        let mut driver = computer.command("WebKitWebDriver");
        driver.env("TAURI_WEBVIEW_AUTOMATION", "true");
        let log = computer.desktop.sandbox().join("tributary.log");
        let options = json!({ "binary": Computer::program(), "args": args });
        let session = Session::start(driver, &log, &json!({ "webkitgtk:browserOptions": options }));
        Window { session: Rc::new(session), frame: None, steps: RefCell::default(), last: RefCell::default() }
    }

    /// The window that is shown in a frame of a browser's page.
    pub fn in_frame(session: Rc<Session>, frame: u16) -> Self {
        Window { session, frame: Some(frame), steps: RefCell::default(), last: RefCell::default() }
    }

    /// Whether it shares its page with others, and has the room there that it was given.
    pub fn is_framed(&self) -> bool {
        self.frame.is_some()
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
        if self.is_framed() {
            // A page has one keyboard. Who used the neighbour last has it, or what got the focus back there.
            let focus = "window.focus(); return String(document.hasFocus())";
            eventually(LIMIT, "the keyboard is here", || (self.script(focus) == "true").then_some(()));
        }
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
        self.session.turn_to(self.frame);
        self.session.photograph(&shot(name));
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
        self.session.turn_to(self.frame);
        self.session.tell(command, body)
    }
}

fn stroke(kind: &str, key: char) -> Value {
    json!({ "type": kind, "value": key })
}
