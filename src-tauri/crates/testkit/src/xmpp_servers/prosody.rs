//! prosody, as Debian ships it but for its rate limit, which would make every test wait.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::stanza_faults::{self, StanzaFaults};
use super::{Address, Authority, XmppServer, await_port};
use crate::process::{Process, run};

/// The modules of Debian's own file, without `limits`.
const MODULES: [&str; 14] = [
    "disco",
    "roster",
    "saslauth",
    "tls",
    "blocklist",
    "carbons",
    "pep",
    "private",
    "smacks",
    "csi_simple",
    "ping",
    "time",
    "version",
    "posix",
];

/// A prosody of its own.
#[derive(Debug)]
pub struct Prosody {
    address: Address,
    authority: Authority,
    process: Option<Process>,
    // Last, so that the folder goes after the process.
    dir: TempDir,
}

/// What a test wants to be different.
#[derive(Debug, Clone, Copy)]
pub struct ProsodyOptions<'a> {
    /// Modules that are left out.
    pub without: &'a [&'a str],
    /// Modules that are loaded besides.
    pub also: &'a [&'a str],
    /// Lines for the configuration, above the host.
    pub extra: &'a str,
    /// For how many days the certificate is valid; negative for one that is not.
    pub certificate_days: i32,
    /// The domain that the certificate is for, when that is another one.
    pub certificate_for: Option<&'a str>,
    /// What it does to requests.
    pub faults: Option<StanzaFaults>,
    /// The port of its proxy for bytestreams; it has none otherwise.
    pub proxy_at: Option<u16>,
    /// The port where it takes files (https), as large as it does by itself; it takes none otherwise.
    pub upload_at: Option<u16>,
    /// The port where other servers reach it; there are none for it otherwise. They believe each other by dialback.
    pub federates_at: Option<u16>,
}

impl Default for ProsodyOptions<'_> {
    fn default() -> Self {
        ProsodyOptions {
            without: &[],
            also: &[],
            extra: "",
            certificate_days: 20,
            certificate_for: None,
            faults: None,
            proxy_at: None,
            upload_at: None,
            federates_at: None,
        }
    }
}

impl Prosody {
    /// The programs it needs, for [`need_all`](crate::need_all).
    pub const NEEDS: &'static [&'static str] = &["prosody", "prosodyctl", "openssl"];

    /// Starts a server with these accounts (name and password).
    ///
    /// # Panics
    ///
    /// With its log when it does not come up.
    #[track_caller]
    pub fn start(domain: &str, accounts: &[(&str, &str)]) -> Prosody {
        Prosody::start_with(domain, accounts, ProsodyOptions::default())
    }

    /// As [`start`](Self::start), with some things different.
    ///
    /// # Panics
    ///
    /// With its log when it does not come up.
    #[track_caller]
    pub fn start_with(domain: &str, accounts: &[(&str, &str)], options: ProsodyOptions<'_>) -> Prosody {
        let dir =
            tempfile::Builder::new().prefix("tributary-prosody-").tempdir().expect("a temporary folder");
        let authority = Authority::new(dir.path());
        let mut server = Prosody { address: Address::new(domain, &authority), authority, process: None, dir };
        server.configure(options);
        for (user, password) in accounts {
            server.register(user, password);
        }
        server.restart();
        server
    }

    /// Gives an account another password, or makes it; ends the account's sessions.
    ///
    /// # Panics
    ///
    /// With its log when it does not come up again.
    #[track_caller]
    pub fn change_password(&mut self, user: &str, password: &str) {
        self.kill();
        self.register(user, password);
        self.restart();
    }

    /// Goes on with some things different: another certificate, by the same authority.
    ///
    /// # Panics
    ///
    /// With its log when it does not come up again.
    #[track_caller]
    pub fn change(&mut self, options: ProsodyOptions<'_>) {
        self.kill();
        self.configure(options);
        self.restart();
    }

    fn register(&self, user: &str, password: &str) {
        let mut command = Command::new("prosodyctl");
        command.arg("--config").arg(self.config()).args(["register", user, &self.address.domain, password]);
        run(command).ok();
    }

    fn configure(&self, options: ProsodyOptions<'_>) {
        let (certificate, key) = self
            .authority
            .sign(options.certificate_for.unwrap_or(&self.address.domain), options.certificate_days);
        let dir = self.dir.path().display();
        let modules = MODULES.iter().filter(|name| !options.without.contains(name));
        let faults = options.faults.map(|faults| faults.install(&self.dir.path().join("modules")));
        let also = faults.as_ref().map(|_| &stanza_faults::MODULE);
        let also = options.also.iter().chain(also).chain(options.federates_at.map(|_| &"dialback"));
        let modules: Vec<String> = modules.chain(also).map(|name| format!("{name:?}")).collect();
        let proxy = options.proxy_at.map(|port| {
            format!(
                "Component \"proxy.{}\" \"proxy65\"\n  proxy65_address = \"127.0.0.1\"; \
                 proxy65_interfaces = {{ \"127.0.0.1\" }}; proxy65_ports = {{ {port} }}\n",
                self.address.domain
            )
        });
        let upload = options.upload_at.map(|port| {
            format!(
                "Component \"upload.{}\" \"http_file_share\"\n  http_host = \"localhost\"; \
                 http_external_url = \"https://localhost:{port}/\"\n",
                self.address.domain
            )
        });
        let https = options.upload_at.map(|port| port.to_string()).unwrap_or_default();
        let federation = match options.federates_at {
            Some(port) => {
                format!("s2s_ports = {{ {port} }}; s2s_require_encryption = true; s2s_secure_auth = false")
            }
            None => "s2s_ports = { }; modules_disabled = { \"s2s\" }".to_owned(),
        };
        // run_as_root: tests may run as root in a container.
        let config = format!(
            r#"run_as_root = true
pidfile = "{dir}/prosody.pid"; data_path = "{dir}/data"
interfaces = {{ "127.0.0.1" }}; local_interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {starttls} }}; c2s_direct_tls_ports = {{ {direct} }}
http_ports = {{ }}; https_ports = {{ {https} }}; https_interfaces = {{ "127.0.0.1" }}
{federation}
modules_enabled = {{ {modules} }}
c2s_require_encryption = true; authentication = "internal_hashed"; allow_registration = false
log = {{ debug = "{dir}/prosody.log" }}
ssl = {{ certificate = "{certificate}", key = "{key}" }}
{faults}
{extra}
VirtualHost "{domain}"
{proxy}{upload}"#,
            starttls = self.address.starttls_port,
            direct = self.address.direct_tls_port,
            modules = modules.join(", "),
            certificate = certificate.display(),
            key = key.display(),
            faults = faults.unwrap_or_default(),
            proxy = proxy.unwrap_or_default(),
            upload = upload.unwrap_or_default(),
            extra = options.extra,
            domain = self.address.domain,
        );
        fs::create_dir_all(self.dir.path().join("data")).expect("our own folder can be written");
        fs::write(self.config(), config).expect("our own folder can be written");
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("prosody.cfg.lua")
    }
}

impl XmppServer for Prosody {
    fn address(&self) -> &Address {
        &self.address
    }

    fn kill(&mut self) {
        // Dropping it kills the whole group.
        self.process = None;
    }

    #[track_caller]
    fn restart(&mut self) {
        self.kill();
        let mut command = Command::new("prosody");
        command.arg("-F").arg("--config").arg(self.config());
        let mut process = Process::spawn("prosody", command, &self.dir.path().join("output"));
        await_port(&mut process, self.address.starttls_port, &self.log_file());
        await_port(&mut process, self.address.direct_tls_port, &self.log_file());
        self.process = Some(process);
    }

    fn kept(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.dir.path().join("prosody.log")
    }
}
