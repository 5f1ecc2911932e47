//! A desktop session without a screen: X server, session bus, window manager, keyring, notification daemon, and a panel
//! with a tray. All of them are the real programs, in a home and on a bus of their own.

mod buttons;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::deadline::{Deadline, eventually};
use crate::process::{Finished, Process, run_within};
use crate::sandbox::Sandbox;

/// Generous, as the machine may be busy with other tests.
const START_LIMIT: Duration = Duration::from_secs(30);
/// What one question on the bus, or a picture, may take.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// The keyring's own password; its contents live as long as the session.
const KEYRING_PASSWORD: &str = "keyring";
/// Where distributions put the files that say how to start what is asked for on the bus.
const SERVICES: &str = "/usr/share/dbus-1/services";
/// That of the panel's settings daemon.
const XFCONF: &str = "org.xfce.Xfconf.service";

/// A part of the session that can be left out, and come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DesktopPart {
    /// openbox.
    WindowManager,
    /// gnome-keyring, unlocked.
    Keyring,
    /// dunst.
    Notifications,
    /// xfce4-panel with nothing but a tray.
    Tray,
}

impl DesktopPart {
    /// All parts, in the order in which a session starts them.
    pub const ALL: [DesktopPart; 4] =
        [DesktopPart::WindowManager, DesktopPart::Keyring, DesktopPart::Notifications, DesktopPart::Tray];

    /// The name on the bus that says that it is up.
    fn bus_name(self) -> Option<&'static str> {
        match self {
            DesktopPart::WindowManager => None,
            DesktopPart::Keyring => Some("org.freedesktop.secrets"),
            DesktopPart::Notifications => Some("org.freedesktop.Notifications"),
            DesktopPart::Tray => Some("org.kde.StatusNotifierWatcher"),
        }
    }
}

/// A desktop session in a sandbox of its own; all its programs end with this value.
#[derive(Debug)]
pub struct Desktop {
    // In this order they end: first what hangs on the bus and the display, then those, then the folder.
    parts: BTreeMap<DesktopPart, Process>,
    monitor: Process,
    _bus: Process,
    _display: Process,
    sandbox: Sandbox,
}

/// A notification that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The program's name.
    pub app: String,
    /// The notification that it takes the place of; 0 for a new one.
    pub replaces: u32,
    /// The title.
    pub summary: String,
    /// The text.
    pub body: String,
    /// The identifiers and labels of its buttons, in turn.
    pub actions: Vec<String>,
    /// What else was said about it, such as `category` and `urgency`, as `busctl --json=short` gives it:
    /// `hints["urgency"]["data"]`.
    pub hints: Value,
}

impl Desktop {
    /// The programs it needs, for [`need_all`](crate::need_all).
    pub const NEEDS: &'static [&'static str] = &[
        "Xvfb",
        "dbus-daemon",
        "openbox",
        "gnome-keyring-daemon",
        "dunst",
        "xfce4-panel",
        "busctl",
        "gdbus",
        "secret-tool",
        "import",
        "xdotool",
    ];

    /// Starts the whole session.
    ///
    /// # Panics
    ///
    /// With the log of the program that does not come up.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(&DesktopPart::ALL)
    }

    /// Starts a session with some of its parts: without `Tray` there is no tray host, without `Keyring` nobody answers
    /// for secrets.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    #[track_caller]
    pub fn start_with(parts: &[DesktopPart]) -> Self {
        let mut sandbox = Sandbox::new();
        let display = start_display(&mut sandbox);
        let bus = start_bus(&mut sandbox);
        // A person's session says which desktop it is, and programs look.
        sandbox.set("XDG_CURRENT_DESKTOP", "XFCE").set("XDG_SESSION_TYPE", "x11");
        let monitor = start_monitor(&sandbox);
        let mut desktop = Desktop { parts: BTreeMap::new(), monitor, _bus: bus, _display: display, sandbox };
        for part in parts {
            desktop.add(*part);
        }
        desktop
    }

    /// Starts a part that does not run, and waits until it is up.
    ///
    /// # Panics
    ///
    /// With its log when it does not come up.
    #[track_caller]
    pub fn add(&mut self, part: DesktopPart) {
        assert!(!self.parts.contains_key(&part), "{part:?} runs already");
        let mut process = match part {
            DesktopPart::WindowManager => self.spawn("openbox", &["--sm-disable"]),
            DesktopPart::Keyring => self.start_keyring(),
            DesktopPart::Notifications => {
                buttons::write_menu(&self.sandbox);
                self.spawn("dunst", &[])
            }
            DesktopPart::Tray => {
                write_panel_layout(&self.sandbox);
                self.spawn("xfce4-panel", &["--disable-wm-check"])
            }
        };
        if let Some(name) = part.bus_name() {
            let deadline = Deadline::after(START_LIMIT);
            while !self.wait_for_name(name, Duration::from_secs(1)) {
                assert!(process.exited().is_none(), "{part:?} ended at its start");
                assert!(!deadline.passed(), "{part:?} does not come up");
            }
        }
        self.parts.insert(part, process);
    }

    /// Kills a part. Fine when it does not run.
    pub fn remove(&mut self, part: DesktopPart) {
        self.parts.remove(&part);
    }

    fn spawn(&self, program: &str, args: &[&str]) -> Process {
        let mut command = self.command(program);
        command.args(args);
        Process::spawn(program, command, &self.sandbox.join(format!("{program}.log")))
    }

    fn start_keyring(&self) -> Process {
        let mut command = self.command("gnome-keyring-daemon");
        command.args(["--foreground", "--unlock", "--components=secrets"]).stdin(Stdio::piped());
        let log = self.sandbox.join("gnome-keyring-daemon.log");
        let mut process = Process::spawn_with_input("gnome-keyring-daemon", &mut command, &log);
        let mut input = process.stdin().expect("its standard input is a pipe");
        input.write_all(KEYRING_PASSWORD.as_bytes()).expect("the keyring reads its password");
        process
    }

    /// Its sandbox, whose environment leads to display and bus.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// The variables that lead a program to display and bus, to be added to another sandbox: of a node, for example.
    pub fn variables(&self) -> Vec<(String, String)> {
        let names = ["DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_CURRENT_DESKTOP", "XDG_SESSION_TYPE"];
        let value = |name: &str| Some(self.sandbox.env().get(OsStr::new(name))?.to_str()?.to_owned());
        names.into_iter().filter_map(|name| Some((name.to_owned(), value(name)?))).collect()
    }

    /// A command in the session.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.sandbox.command(program)
    }

    /// Runs a program in the session that is to end soon.
    #[track_caller]
    pub fn run(&self, program: &str, args: &[&str]) -> Finished {
        let mut command = self.command(program);
        command.args(args);
        run_within(command, CALL_LIMIT)
    }

    /// Whether somebody owns this name on the bus, now or within `limit` (whole seconds).
    pub fn wait_for_name(&self, name: &str, limit: Duration) -> bool {
        let seconds = limit.as_secs().max(1).to_string();
        self.run("gdbus", &["wait", "--session", "--timeout", &seconds, name]).success()
    }

    /// The notifications sent since the session's start, oldest first; seen on the bus, whoever shows them.
    pub fn notifications(&self) -> Vec<Notification> {
        let log = self.monitor.log();
        let messages = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        messages
            .filter(|message| message["member"] == "Notify")
            .filter_map(|message| notification(&message))
            .collect()
    }

    /// Writes a picture of the whole screen to `file` (PNG).
    ///
    /// # Panics
    ///
    /// When it cannot be taken.
    #[track_caller]
    pub fn screenshot(&self, file: &Path) {
        if let Some(dir) = file.parent() {
            fs::create_dir_all(dir).unwrap_or_else(|cause| panic!("cannot make {}: {cause}", dir.display()));
        }
        let mut command = self.command("import");
        command.args(["-window", "root"]).arg(file);
        run_within(command, CALL_LIMIT).ok();
    }

    /// Puts a shell script on the session's `PATH`, before the machine's own program of that name.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    #[track_caller]
    pub fn add_program(&mut self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = self.sandbox.dir("bin");
        let file = dir.join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("our own folder can be written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("our own file can be changed");
        let path = self.sandbox.env().get(OsStr::new("PATH")).cloned();
        let path = path.or_else(|| std::env::var_os("PATH")).unwrap_or_default();
        let others = std::env::split_paths(&path).filter(|other| *other != dir);
        let path = std::env::join_paths(std::iter::once(dir.clone()).chain(others)).expect("no colon in it");
        self.sandbox.set("PATH", path);
    }

    /// How many notifications are on the screen. One that was sent takes a moment to get there.
    ///
    /// # Panics
    ///
    /// When the notification daemon does not answer.
    #[track_caller]
    pub fn notifications_shown(&self) -> usize {
        let answer = self.run("dunstctl", &["count", "displayed"]).ok().text();
        answer.trim().parse().unwrap_or_else(|_| panic!("no number: {answer:?}"))
    }

    /// Waits until a notification is on the screen and chooses the one on top, as with a click on it.
    ///
    /// # Panics
    ///
    /// When none comes, or the notification daemon does not answer.
    #[track_caller]
    pub fn choose_notification(&self) {
        eventually(CALL_LIMIT, "a notification is on the screen", || {
            (self.notifications_shown() > 0).then_some(())
        });
        self.run("dunstctl", &["action", "0"]).ok();
    }

    /// Takes all notifications from the screen.
    ///
    /// # Panics
    ///
    /// When the notification daemon does not answer.
    #[track_caller]
    pub fn close_notifications(&self) {
        self.run("dunstctl", &["close-all"]).ok();
    }

    /// Waits until a window with this title is on the screen, and until the window manager has made it the active one:
    /// keys that are pressed from then on are for it, those of the window manager (`alt+F4`) too.
    ///
    /// # Panics
    ///
    /// With the titles of all windows when none comes.
    #[track_caller]
    pub fn await_window(&self, title: &str, limit: Duration) {
        let search = ["search", "--onlyvisible", "--name", &format!("^{title}$")];
        let deadline = Deadline::after(limit);
        while !self.run("xdotool", &[&search[..], &["windowactivate", "--sync"]].concat()).success() {
            let all = ["search", "--onlyvisible", "--name", ".", "getwindowname", "%@"];
            assert!(!deadline.passed(), "no window {title:?}, but\n{}", self.run("xdotool", &all).text());
        }
    }

    /// Types on the keyboard, for the window that has it.
    ///
    /// # Panics
    ///
    /// When the X server does not take it.
    #[track_caller]
    pub fn type_text(&self, text: &str) {
        self.run("xdotool", &["type", "--", text]).ok();
    }

    /// Presses a key, by its X name (`Return`, `alt+F4`), for the window that has the keyboard.
    ///
    /// # Panics
    ///
    /// When the X server does not take it.
    #[track_caller]
    pub fn press_key(&self, key: &str) {
        self.run("xdotool", &["key", key]).ok();
    }

    /// The secret in the keyring with these attributes.
    #[track_caller]
    pub fn secret_lookup(&self, attributes: &[(&str, &str)]) -> Option<String> {
        let words = attributes.iter().flat_map(|(name, value)| [*name, *value]);
        let args: Vec<&str> = std::iter::once("lookup").chain(words).collect();
        let found = self.run("secret-tool", &args);
        found.success().then(|| found.text())
    }
}

/// The `Notify` call: application, id to replace, icon, summary, body, actions, hints, time.
fn notification(message: &Value) -> Option<Notification> {
    let data = message["payload"]["data"].as_array()?;
    let text = |number: usize| Some(data.get(number)?.as_str()?.to_owned());
    let actions = data.get(5)?.as_array()?.iter().filter_map(|action| Some(action.as_str()?.to_owned()));
    Some(Notification {
        app: text(0)?,
        replaces: u32::try_from(data.get(1)?.as_u64()?).ok()?,
        summary: text(3)?,
        body: text(4)?,
        actions: actions.collect(),
        hints: data.get(6)?.clone(),
    })
}

#[track_caller]
fn start_display(sandbox: &mut Sandbox) -> Process {
    let mut command = sandbox.command("Xvfb");
    // The server looks for a free number itself, and writes it once it is ready.
    command.args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"]);
    let log = sandbox.join("Xvfb.log");
    let mut process = Process::spawn("Xvfb", command, &log);
    let number = eventually(START_LIMIT, "the X server is ready", || {
        assert!(process.exited().is_none(), "the X server ended at its start");
        let written = process.log();
        let (complete, _) = written.rsplit_once('\n')?;
        complete.lines().find_map(|line| line.trim().parse::<u32>().ok())
    });
    sandbox.set("DISPLAY", format!(":{number}"));
    process
}

/// A bus that starts nothing by itself but the panel's settings daemon: what a test left out stays out.
#[track_caller]
fn start_bus(sandbox: &mut Sandbox) -> Process {
    let services = sandbox.dir("services");
    // Without the panel installed there is no such file, and nobody asks for it.
    let _ = fs::copy(Path::new(SERVICES).join(XFCONF), services.join(XFCONF));
    let socket = sandbox.join("run/bus");
    let config = format!(
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
         \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
         <busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
         <servicedir>{}</servicedir>\
         <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>\
         <allow own=\"*\"/></policy></busconfig>\n",
        socket.display(),
        services.display(),
    );
    let file = sandbox.join("bus.conf");
    fs::write(&file, config).expect("our own folder can be written");
    sandbox.set("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", socket.display()));
    let mut command = sandbox.command("dbus-daemon");
    command.arg("--nofork").arg("--config-file").arg(&file);
    let mut process = Process::spawn("dbus-daemon", command, &sandbox.join("dbus-daemon.log"));
    eventually(START_LIMIT, "the session bus is ready", || {
        assert!(process.exited().is_none(), "the session bus ended at its start");
        std::os::unix::net::UnixStream::connect(&socket).ok()
    });
    process
}

/// Listens to every notification, from before the first one can be sent.
#[track_caller]
fn start_monitor(sandbox: &Sandbox) -> Process {
    let mut command = sandbox.command("busctl");
    command.args(["--user", "--json=short", "--match"]);
    command
        .arg("type='method_call',interface='org.freedesktop.Notifications',member='Notify'")
        .arg("monitor");
    let process = Process::spawn("busctl monitor", command, &sandbox.join("notifications.log"));
    eventually(START_LIMIT, "the monitor listens", || process.log().contains("Monitoring bus").then_some(()));
    process
}

/// One panel with a tray at a fixed place, so that pictures are alike.
fn write_panel_layout(sandbox: &Sandbox) {
    let dir = sandbox.dir("home/.config/xfce4/xfconf/xfce-perchannel-xml");
    let layout = r#"<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="size" type="uint" value="28"/>
      <property name="plugin-ids" type="array">
        <value type="int" value="1"/>
        <value type="int" value="2"/>
      </property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="separator">
      <property name="expand" type="bool" value="true"/>
    </property>
    <property name="plugin-2" type="string" value="systray"/>
  </property>
</channel>
"#;
    fs::write(dir.join("xfce4-panel.xml"), layout).expect("our own folder can be written");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::need_all;

    #[test]
    fn keeps_secrets_shows_notifications_and_takes_pictures() {
        if !need_all(Desktop::NEEDS) {
            return;
        }
        let mut desktop = Desktop::start();
        let attributes = [("service", "test"), ("username", "alice")];
        assert_eq!(desktop.secret_lookup(&attributes), None);
        let store = "printf hidden | secret-tool store --label=test service test username alice";
        desktop.run("sh", &["-c", store]).ok();
        assert_eq!(desktop.secret_lookup(&attributes).as_deref(), Some("hidden"));

        let call = "gdbus call --session --dest org.freedesktop.Notifications \
                    --object-path /org/freedesktop/Notifications --method org.freedesktop.Notifications.Notify -- \
                    app 0 '' 'A title' \"line one\nline 'two'\" '[\"open\", \"Open\"]' '{\"urgency\": <byte 2>}' 5000";
        desktop.run("sh", &["-c", call]).ok();
        let notification =
            eventually(START_LIMIT, "the notification is seen", || desktop.notifications().pop());
        assert_eq!((notification.app.as_str(), notification.summary.as_str()), ("app", "A title"));
        assert_eq!(notification.body, "line one\nline 'two'");
        assert_eq!(notification.actions, ["open", "Open"]);
        assert_eq!(notification.hints["urgency"]["data"], 2);
        eventually(START_LIMIT, "the daemon shows it", || (desktop.notifications_shown() == 1).then_some(()));

        let picture = desktop.sandbox().join("pictures/screen.png");
        desktop.screenshot(&picture);
        let bytes = fs::read(&picture).expect("the picture is there");
        assert_eq!(&bytes[1..4], b"PNG");

        assert!(desktop.tray_items().is_empty());
        desktop.remove(DesktopPart::Tray);
        eventually(START_LIMIT, "the tray host is gone", || {
            (!desktop.wait_for_name("org.kde.StatusNotifierWatcher", Duration::from_secs(1))).then_some(())
        });
        desktop.add(DesktopPart::Tray);
    }

    #[test]
    fn what_was_left_out_stays_out() {
        if !need_all(Desktop::NEEDS) {
            return;
        }
        let desktop = Desktop::start_with(&[DesktopPart::WindowManager]);
        let none = desktop.run("secret-tool", &["lookup", "service", "test"]);
        assert!(!none.success() && none.stderr().contains("org.freedesktop.secrets"), "{none}");
    }
}
