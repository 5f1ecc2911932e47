//! Syncthing: two instances that connect to each other over the loopback, tuned to wait 1 s instead of 10 after a
//! change.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::contestant::{Contestant, Pair, Restart, copy_over, left, two_folders};
use crate::checkout::on_path;
use crate::failure::{Context, Failure, Result};
use crate::process::{self, Running, logged, program};
use crate::warden::Warden;

/// Lets us ask; it listens on the loopback only.
const API_KEY: &str = "tributary-bench";

/// The shared folder's id.
const FOLDER: &str = "bench";

/// Between two questions: an answer costs it something as well.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// One answer on the loopback.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// The installed Syncthing.
pub struct Syncthing;

impl Syncthing {
    /// When it is installed.
    pub fn found() -> Option<Self> {
        on_path("syncthing").map(|_| Syncthing)
    }
}

impl Contestant for Syncthing {
    fn name(&self) -> &'static str {
        "Syncthing"
    }

    fn about(&self) -> String {
        let said = process::output(&mut program("syncthing", ["--version"])).unwrap_or_default();
        let version = said.split_whitespace().nth(1).unwrap_or("of an unknown version").to_owned();
        format!("{version}, fsWatcherDelayS=1, directly")
    }

    fn start(&self, folder: &Path, warden: &Warden) -> Result<Box<dyn Pair>> {
        let (here, there) = two_folders(folder)?;
        let mut here = Device::make(folder.join("a"), here)?;
        let mut there = Device::make(folder.join("b"), there)?;
        here.configure(&there)?;
        there.configure(&here)?;
        let deadline = Instant::now() + ANSWER_LIMIT;
        for device in [&mut here, &mut there] {
            device.run(warden)?;
        }
        let mut pair = Connected { here, there };
        pair.settle(deadline)?;
        Ok(Box::new(pair))
    }
}

/// One instance.
struct Device {
    base: PathBuf,
    folder: PathBuf,
    id: String,
    listen: SocketAddr,
    api: SocketAddr,
    running: Option<Running>,
}

impl Device {
    fn make(base: PathBuf, folder: PathBuf) -> Result<Self> {
        let home = base.join("home");
        let home_is = |flag: &str| {
            let mut argument = std::ffi::OsString::from(flag);
            argument.push(&home);
            argument
        };
        let mut generate = program("syncthing", ["generate", "--no-default-folder", "--skip-port-probing"]);
        process::output(generate.arg(home_is("--home=")).env("HOME", &base))?;
        let mut ask = program("syncthing", [home_is("--home=")]);
        let id = process::output(ask.arg("--device-id").env("HOME", &base))?.trim().to_owned();
        let free = || {
            TcpListener::bind(("127.0.0.1", 0))
                .and_then(|listener| listener.local_addr())
                .context(|| "could not find a free port".into())
        };
        // Both are held open until both are known, so that they differ.
        let (listen, api) = (free()?, free()?);
        Ok(Device { base, folder, id, listen, api, running: None })
    }

    /// Writes the settings: no discovery, relay or report, so that nothing but the loopback is used.
    fn configure(&self, other: &Device) -> Result<()> {
        let folder = self.folder.to_str().ok_or_else(|| Failure::new("the folder's path is no text"))?;
        let device = |device: &Device| {
            let (id, address) = (&device.id, device.listen);
            format!("<device id=\"{id}\"><address>tcp://{address}</address></device>")
        };
        let (ours, theirs) = (&self.id, &other.id);
        let text = format!(
            r#"<configuration version="36">
<folder id="{FOLDER}" path="{folder}" type="sendreceive" rescanIntervalS="3600" fsWatcherEnabled="true" fsWatcherDelayS="1">
<device id="{ours}"></device><device id="{theirs}"></device>
</folder>
{}{}
<gui enabled="true" tls="false"><address>{}</address><apikey>{API_KEY}</apikey></gui>
<options>
<listenAddress>tcp://{}</listenAddress>
<globalAnnounceEnabled>false</globalAnnounceEnabled><localAnnounceEnabled>false</localAnnounceEnabled>
<relaysEnabled>false</relaysEnabled><natEnabled>false</natEnabled><startBrowser>false</startBrowser>
<reconnectionIntervalS>1</reconnectionIntervalS><urAccepted>-1</urAccepted>
<crashReportingEnabled>false</crashReportingEnabled><autoUpgradeIntervalH>0</autoUpgradeIntervalH>
<setLowPriority>false</setLowPriority>
</options>
</configuration>
"#,
            device(self),
            device(other),
            self.api,
            self.listen,
        );
        let path = self.base.join("home/config.xml");
        fs::write(&path, text).context(|| format!("could not write {}", path.display()))
    }

    fn run(&mut self, warden: &Warden) -> Result<()> {
        let mut home = std::ffi::OsString::from("--home=");
        home.push(self.base.join("home"));
        let mut command = program("syncthing", ["serve", "--no-browser", "--no-restart", "--no-upgrade"]);
        command.arg(home).env("HOME", &self.base);
        logged(&mut command, &self.log())?;
        self.running = Some(Running::start(&mut command, warden)?);
        Ok(())
    }

    fn log(&self) -> PathBuf {
        self.base.join("syncthing.log")
    }

    /// Waits for the first scan after a start. Its interface does not tell an idle folder from one that has not begun,
    /// its log does; that is a new one for each start.
    fn scanned(&self, deadline: Instant) -> Result<()> {
        let said = || fs::read_to_string(self.log()).is_ok_and(|log| log.contains("Completed initial scan"));
        process::poll(left(deadline)?, ASK_AGAIN, || said().then_some(()))
            .ok_or_else(|| Failure::new("Syncthing did not scan its folder within the limit"))
    }

    /// Whether it needs nothing.
    fn idle(&self) -> bool {
        let status = self.ask(&format!("/rest/db/status?folder={FOLDER}")).unwrap_or_default();
        says(&status, "state", "\"idle\"") && says(&status, "needFiles", "0")
    }

    fn connected(&self) -> bool {
        self.ask("/rest/system/connections").is_ok_and(|answer| says(&answer, "connected", "true"))
    }

    /// Asks its interface and gives the body.
    fn ask(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.api, ANSWER_LIMIT)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nHost: {}\r\nX-API-Key: {API_KEY}\r\nConnection: close\r\n\r\n",
            self.api
        )?;
        let mut answer = String::new();
        stream.take(1 << 20).read_to_string(&mut answer)?;
        Ok(answer)
    }
}

/// Whether a member of that name with that value stands in the text; spaces after the colon do not matter.
fn says(json: &str, member: &str, value: &str) -> bool {
    let quoted = format!("\"{member}\":");
    json.match_indices(&quoted).any(|(at, _)| {
        let rest = json[at + quoted.len()..].trim_start();
        rest.strip_prefix(value).is_some_and(|after| after.trim_start().starts_with([',', '}']))
    })
}

struct Connected {
    here: Device,
    there: Device,
}

impl Pair for Connected {
    fn here(&self) -> &Path {
        &self.here.folder
    }

    fn there(&self) -> &Path {
        &self.there.folder
    }

    fn groups(&self) -> Vec<u32> {
        self.here.running.iter().map(Running::id).collect()
    }

    fn settle(&mut self, deadline: Instant) -> Result<()> {
        let (here, there) = (&self.here, &self.there);
        let quiet = || (here.connected() && here.idle() && there.idle()).then_some(());
        process::poll(left(deadline)?, ASK_AGAIN, quiet)
            .ok_or_else(|| Failure::new("Syncthing did not become idle within the limit"))
    }

    fn fill(
        &mut self,
        write: &dyn Fn(&Path) -> Result<()>,
        warden: &Warden,
        deadline: Instant,
    ) -> Result<()> {
        // Off meanwhile: else the second begins to fetch what is being copied there.
        for device in [&mut self.here, &mut self.there] {
            device.running = None;
        }
        write(&self.here.folder)?;
        copy_over(&self.here.folder, &self.there.folder)?;
        for device in [&mut self.here, &mut self.there] {
            device.run(warden)?;
        }
        for device in [&self.here, &self.there] {
            device.scanned(deadline)?;
        }
        self.settle(deadline)
    }

    fn restart(&mut self, warden: &Warden, deadline: Instant) -> Result<Restart> {
        self.here.running = None;
        let begun = Instant::now();
        self.here.run(warden)?;
        self.here.scanned(deadline)?;
        Ok(Restart { took: begun.elapsed(), read: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_found_by_its_whole_value() {
        let json = r#"{ "needFiles": 0, "state": "idle", "globalFiles": 10 }"#;
        assert!(says(json, "needFiles", "0"));
        assert!(says(json, "state", "\"idle\""));
        assert!(!says(json, "globalFiles", "1"), "10 is not 1");
        assert!(!says(json, "needBytes", "0"));
    }
}
