//! An authority and the certificates it signs, made by openssl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::run;

/// An authority whose files lie in a folder.
#[derive(Debug)]
pub struct Authority {
    dir: PathBuf,
}

impl Authority {
    /// Makes a new one in `dir`, which must be there.
    ///
    /// # Panics
    ///
    /// When openssl cannot.
    #[track_caller]
    pub fn new(dir: &Path) -> Authority {
        let args = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -addext \
                    basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.pem -subj";
        openssl(dir, args.split_whitespace().chain(["/CN=Test CA"]));
        Authority { dir: dir.to_owned() }
    }

    /// The file with its certificate.
    pub fn file(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// Signs a certificate for a domain, the names below it and this machine, valid for `days` (over already when negative). Gives
    /// the files of the certificate and of its key.
    ///
    /// # Panics
    ///
    /// When openssl cannot.
    #[track_caller]
    pub fn sign(&self, domain: &str, days: i32) -> (PathBuf, PathBuf) {
        let (key, request) = (format!("{domain}.key"), format!("{domain}.csr"));
        let (certificate, extensions) = (format!("{domain}.crt"), format!("{domain}.ext"));
        let names = format!(
            "subjectAltName=DNS:{domain},DNS:*.{domain},DNS:localhost\nextendedKeyUsage=serverAuth\n"
        );
        fs::write(self.dir.join(&extensions), names).expect("our own folder can be written");
        let args = format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={domain} -keyout {key} -out {request}"
        );
        openssl(&self.dir, args.split_whitespace());
        let args = format!(
            "x509 -req -in {request} -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -extfile {extensions} \
             -out {certificate}"
        );
        openssl(&self.dir, args.split_whitespace());
        (self.dir.join(certificate), self.dir.join(key))
    }
}

#[track_caller]
fn openssl<'a>(dir: &Path, args: impl Iterator<Item = &'a str>) {
    let mut command = Command::new("openssl");
    command.current_dir(dir).args(args);
    run(command).ok();
}
