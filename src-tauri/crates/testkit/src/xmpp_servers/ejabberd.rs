//! ejabberd, as Debian ships it but for its rate limit. Started without ejabberdctl, epmd and a node name, so that
//! nothing listens but what the configuration says.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{Address, Authority, XmppServer, await_port};
use crate::port::free_port;
use crate::process::{Process, run};

/// An ejabberd of its own.
#[derive(Debug)]
pub struct Ejabberd {
    address: Address,
    api_port: u16,
    process: Option<Process>,
    // Last, so that the folder goes after the process.
    dir: TempDir,
}

/// What a test wants to be different.
#[derive(Debug, Clone, Copy, Default)]
pub struct EjabberdOptions<'a> {
    /// Options for stream management (YAML in braces' inside: `, resume_timeout: 2`).
    pub stream_management: &'a str,
    /// Whether it has the rate limit that Debian ships.
    pub limited: bool,
    /// The port where it takes files (https), as large as it does by itself; it takes none otherwise.
    pub upload_at: Option<u16>,
}

impl Ejabberd {
    /// The programs it needs, for [`need_all`](crate::need_all).
    pub const NEEDS: &'static [&'static str] = &["ejabberdctl", "erl", "dpkg", "openssl"];

    /// Starts a server with these accounts (name and password).
    ///
    /// # Panics
    ///
    /// With its log when it does not come up.
    #[track_caller]
    pub fn start(domain: &str, accounts: &[(&str, &str)]) -> Ejabberd {
        Ejabberd::start_with(domain, accounts, "")
    }

    /// As [`start`](Self::start), with options for stream management (YAML in braces' inside: `, resume_timeout: 2`).
    ///
    /// # Panics
    ///
    /// With its log when it does not come up.
    #[track_caller]
    pub fn start_with(domain: &str, accounts: &[(&str, &str)], stream_management: &str) -> Ejabberd {
        let options = EjabberdOptions { stream_management, ..EjabberdOptions::default() };
        Ejabberd::start_any(domain, accounts, options)
    }

    /// As [`start`](Self::start), with the rate limit that Debian ships.
    ///
    /// # Panics
    ///
    /// With its log when it does not come up.
    #[track_caller]
    pub fn start_limited(domain: &str, accounts: &[(&str, &str)]) -> Ejabberd {
        Ejabberd::start_any(domain, accounts, EjabberdOptions { limited: true, ..EjabberdOptions::default() })
    }

    /// As [`start`](Self::start), with some things different.
    ///
    /// # Panics
    ///
    /// With its log when it does not come up.
    #[track_caller]
    pub fn start_any(domain: &str, accounts: &[(&str, &str)], options: EjabberdOptions<'_>) -> Ejabberd {
        let dir =
            tempfile::Builder::new().prefix("tributary-ejabberd-").tempdir().expect("a temporary folder");
        let authority = Authority::new(dir.path());
        let (certificate, key) = authority.sign(domain, 20);
        let both = [certificate, key].map(|file| fs::read(file).expect("it was just made")).concat();
        fs::write(dir.path().join("server.pem"), both).expect("our own folder can be written");
        fs::create_dir_all(dir.path().join("spool")).expect("our own folder can be written");
        let mut server =
            Ejabberd { address: Address::new(domain, &authority), api_port: free_port(), process: None, dir };
        server.configure(options);
        server.restart();
        for (user, password) in accounts {
            server.register(user, password);
        }
        server
    }

    fn configure(&self, EjabberdOptions { stream_management, limited, upload_at }: EjabberdOptions<'_>) {
        let (listener, rule) =
            if limited { (", shaper: c2s_shaper", "c2s_shaper: { normal: all }, ") } else { ("", "") };
        let dir = self.dir.path().display();
        let (upload_listener, upload_module) = upload_at.map_or_else(Default::default, |port| {
            (
                format!(
                    "\n  - {{ port: {port}, ip: \"127.0.0.1\", module: ejabberd_http, tls: true, \
                     request_handlers: {{ /upload: mod_http_upload }} }}"
                ),
                format!(
                    "  mod_http_upload: {{ host: \"upload.{}\", put_url: \"https://localhost:{port}/upload\", \
                     docroot: \"{dir}/spool/upload\" }}\n",
                    self.address.domain
                ),
            )
        });
        let Ejabberd { address: Address { domain, starttls_port, direct_tls_port, .. }, api_port, .. } = self;
        let config = format!(
            r#"loglevel: info
hosts: [ "{domain}" ]
certfiles: [ "{dir}/server.pem" ]
auth_password_format: scram
disable_sasl_mechanisms: [ "digest-md5", "X-OAUTH2" ]
listen:
  - {{ port: {starttls_port}, ip: "127.0.0.1", module: ejabberd_c2s, max_stanza_size: 262144{listener}, access: c2s, starttls_required: true }}
  - {{ port: {direct_tls_port}, ip: "127.0.0.1", module: ejabberd_c2s, max_stanza_size: 262144{listener}, access: c2s, tls: true }}
  - {{ port: {api_port}, ip: "127.0.0.1", module: ejabberd_http, request_handlers: {{ /api: mod_http_api }} }}{upload_listener}
acl: {{ local: {{ user_regexp: "" }} }}
access_rules: {{ local: {{ allow: local }}, c2s: {{ allow: all }} }}
api_permissions: {{ "test": {{ who: {{ ip: 127.0.0.1/8 }}, what: "*" }} }}
shaper: {{ normal: {{ rate: 3000, burst_size: 20000 }} }}
shaper_rules: {{ {rule}max_user_sessions: 10, max_user_offline_messages: {{ 100: all }} }}
modules:
  mod_admin_extra: {{}}
  mod_caps: {{}}
  mod_carboncopy: {{}}
  mod_client_state: {{}}
  mod_disco: {{}}
  mod_http_api: {{}}
  mod_offline: {{}}
  mod_ping: {{}}
  mod_privacy: {{}}
  mod_private: {{}}
  mod_pubsub: {{ plugins: [ flat, pep ] }}
  mod_roster: {{}}
  mod_stream_mgmt: {{ resend_on_timeout: if_offline{stream_management} }}
  mod_version: {{}}
{upload_module}"#
        );
        fs::write(self.dir.path().join("ejabberd.yml"), config).expect("our own folder can be written");
    }

    /// Makes an account by the server's own interface: its data cannot be written from outside.
    fn register(&self, user: &str, password: &str) {
        let body = serde_json::json!({ "user": user, "host": self.address.domain, "password": password })
            .to_string();
        let request = format!(
            "POST /api/register HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut answer = String::new();
        let mut exchange = || -> std::io::Result<()> {
            let mut api = TcpStream::connect((Ipv4Addr::LOCALHOST, self.api_port))?;
            api.write_all(request.as_bytes())?;
            api.read_to_string(&mut answer).map(drop)
        };
        exchange().expect("the server's interface answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "register {user}: {answer}");
    }
}

/// The folder with the Erlang libraries of the package, whose name has the version in it.
fn libraries() -> PathBuf {
    let mut command = Command::new("dpkg");
    command.args(["-L", "ejabberd"]);
    let files = run(command).text();
    let library = files.lines().map(Path::new).find(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.strip_prefix("ejabberd-")
            .is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
    });
    let library = library.expect("the package has a library folder");
    library.parent().expect("it lies in a folder").to_owned()
}

impl XmppServer for Ejabberd {
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
        let dir = self.dir.path();
        let spool = dir.join("spool");
        let mut command = Command::new("erl");
        command
            .current_dir(&spool)
            .env("EJABBERD_CONFIG_PATH", dir.join("ejabberd.yml"))
            .env("EJABBERD_LOG_PATH", self.log_file())
            .env("SPOOL_DIR", &spool)
            .env("HOME", dir)
            .env("ERL_LIBS", libraries())
            .args(["-noinput", "-mnesia", "dir"])
            // An Erlang term: the quotes belong to it.
            .arg(format!("\"{}\"", spool.display()))
            .args(["-s", "ejabberd"]);
        let mut process = Process::spawn("ejabberd", command, &dir.join("output"));
        for port in [self.address.starttls_port, self.address.direct_tls_port, self.api_port] {
            await_port(&mut process, port, &self.log_file());
        }
        self.process = Some(process);
    }

    fn kept(&self) -> PathBuf {
        self.dir.path().join("spool")
    }

    fn log_file(&self) -> PathBuf {
        self.dir.path().join("ejabberd.log")
    }
}
