//! An XMPP server of our own on the loopback, for the demonstration and the bench.
//!
//! Never the system's: it has its own data, ports, certificate authority and account, and goes with the folder it is
//! in.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::{Context, Result};
use crate::packages::we_are_root;
use crate::process::{Running, logged, output, program};
use crate::warden::Warden;

/// The domain; `.test` names are never found by a name server, and the address is given by hand.
const DOMAIN: &str = "tributary.test";

/// The one account: both computers belong to the same person.
const USER: &str = "demo";

/// Protects nothing: the server listens on the loopback for as long as the command runs.
const PASSWORD: &str = "for the demonstration";

/// prosody is up in about 1.5 s on an idle machine.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A running server.
#[derive(Debug)]
pub struct Prosody {
    address: SocketAddr,
    authority: PathBuf,
    _server: Running,
}

impl Prosody {
    /// Makes certificates, configuration and account in `folder` (made new) and starts the server.
    pub fn start(folder: &Path, warden: &Warden) -> Result<Self> {
        fs::create_dir_all(folder.join("data")).context(|| format!("could not make {}", folder.display()))?;
        certificates(folder)?;
        let address = free_address()?;
        let settings = folder.join("prosody.cfg.lua");
        fs::write(&settings, configuration(folder, address.port(), we_are_root()))
            .context(|| format!("could not write {}", settings.display()))?;
        let register = ["--config".as_ref(), settings.as_os_str(), "register".as_ref(), USER.as_ref()];
        output(program("prosodyctl", register).args([DOMAIN, PASSWORD]))?;
        let mut command = program("prosody", ["-F".as_ref(), "--config".as_ref(), settings.as_os_str()]);
        logged(&mut command, &folder.join("out.log"))?;
        let mut server = Running::start(&mut command, warden)?;
        server.until(START_LIMIT, || TcpStream::connect(address).is_ok())?;
        Ok(Prosody { address, authority: folder.join("ca.pem"), _server: server })
    }

    /// The account's address.
    pub fn account(&self) -> String {
        format!("{USER}@{DOMAIN}")
    }

    /// The account's password.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Where it listens, with STARTTLS.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate authority to trust.
    pub fn authority(&self) -> &Path {
        &self.authority
    }
}

/// An authority and a certificate for [`DOMAIN`]: rustls wants the name as a subjectAltName.
fn certificates(folder: &Path) -> Result<()> {
    let openssl = |arguments: &str| {
        let arguments = arguments.split(' ').map(|word| match word {
            "SUBJECT" => format!("/CN={DOMAIN}"),
            _ => word.to_owned(),
        });
        output(program("openssl", arguments).current_dir(folder))
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(&format!(
        "req -x509 {key} -days 30 -subj /CN=tributary-xtask -addext basicConstraints=critical,CA:TRUE \
         -keyout ca.key -out ca.pem"
    ))?;
    openssl(&format!("req {key} -subj SUBJECT -keyout server.key -out server.csr"))?;
    let names = format!("subjectAltName=DNS:{DOMAIN}\nextendedKeyUsage=serverAuth\n");
    fs::write(folder.join("names"), names).context(|| "could not write the certificate's names".into())?;
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 20 -extfile names -out server.crt",
    )?;
    Ok(())
}

fn configuration(folder: &Path, port: u16, as_root: bool) -> String {
    // Lua's long brackets take any path.
    let path = |name: &str| format!("[==[{}]==]", folder.join(name).display());
    // What Debian's own file loads and we use, and pep, which carries the hints.
    let mut text = format!(
        r#"pidfile = {pid}
data_path = {data}
interfaces = {{ "127.0.0.1" }}
local_interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
c2s_direct_tls_ports = {{ }}
s2s_ports = {{ }}
http_ports = {{ }}
https_ports = {{ }}
modules_disabled = {{ "s2s" }}
modules_enabled = {{ "disco", "roster", "saslauth", "tls", "blocklist", "carbons", "pep", "private", "smacks",
  "csi_simple", "ping", "time", "version", "posix" }}
c2s_require_encryption = true
authentication = "internal_hashed"
allow_registration = false
log = {{ info = {log} }}
ssl = {{ certificate = {certificate}, key = {key} }}
VirtualHost "{DOMAIN}"
"#,
        pid = path("prosody.pid"),
        data = path("data"),
        log = path("prosody.log"),
        certificate = path("server.crt"),
        key = path("server.key"),
    );
    if as_root {
        text.insert_str(0, "run_as_root = true\n");
    }
    text
}

/// A port of the loopback that nobody uses. Another program could take it before the server does; then the server's
/// start fails and says so.
fn free_address() -> Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .context(|| "could not find a free port".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::{on_path, scratch};
    use crate::process::answers_with;

    #[test]
    fn the_server_offers_tls_with_the_certificate_that_clients_are_told_to_trust() {
        if on_path("prosody").is_none() || on_path("openssl").is_none() {
            assert!(std::env::var_os("CI").is_none(), "prosody and openssl are needed, and missing");
            println!("skipped: prosody and openssl are needed, and missing");
            return;
        }
        // Lua and openssl get paths with what people have in theirs.
        let folder = scratch("prosody test [[x]]").unwrap();
        let warden = Warden::deaf();
        let server = Prosody::start(&folder.join("xmpp"), &warden).unwrap();
        let (address, authority) = (server.address().to_string(), server.authority().display().to_string());
        let checked = ["s_client", "-starttls", "xmpp", "-xmpphost", DOMAIN, "-verify_hostname", DOMAIN];
        let arguments =
            [&checked[..], &["-verify_return_error", "-CAfile", &authority, "-connect", &address]];
        let trusted = answers_with("openssl", &arguments.concat());
        drop(server);
        let stopped = TcpStream::connect(&address).is_err();
        fs::remove_dir_all(&folder).unwrap();
        assert!(trusted, "openssl accepts the certificate for {DOMAIN}");
        assert!(stopped, "the server ends with its handle");
    }
}
