//! System packages: what each command needs, and how it comes onto Debian and Ubuntu.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::checkout::on_path;
use crate::failure::{Context, Failure, Result};
use crate::process::{self, program};

/// A package, or several names of it where releases differ; the first that apt knows is installed.
type Package = &'static [&'static str];

/// What a build needs. Debian's `libwebkit2gtk-4.1-dev` brings GTK, libsoup and libdbus along.
pub const BUILD: &[Package] =
    &[&["git"], &["gcc"], &["libc6-dev"], &["pkg-config", "pkgconf"], &["libwebkit2gtk-4.1-dev"]];

/// Node, for the front end, on a machine that has none.
pub const NODE: &[Package] = &[&["nodejs"], &["npm"]];

/// What the tests need: the peers they run against, and a desktop without a screen.
pub const TEST: &[Package] = &[
    // Peers and judges.
    &["git-annex"],
    &["python3-venv"],
    // git-annex's assistant does not start without it.
    &["lsof"],
    &["openssh-client"],
    &["openssh-server"],
    &["rsync"],
    &["openssl"],
    &["prosody"],
    &["ejabberd"],
    // Networks of their own for tests.
    &["iproute2"],
    // The desktop.
    &["xvfb"],
    &["xauth"],
    &["dbus-daemon", "dbus"],
    &["dbus-bin", "dbus"],
    // For busctl alone: it need not run the machine.
    &["systemd"],
    &["openbox"],
    &["gnome-keyring"],
    &["libsecret-tools"],
    &["webkit2gtk-driver"],
    &["fonts-dejavu-core"],
    &["libglib2.0-bin"],
    &["xdg-utils"],
    &["xfce4-panel"],
    &["dunst"],
    &["imagemagick"],
    &["xdotool"],
];

/// What the demonstration needs besides.
pub const DEMO: &[Package] =
    &[&["openssl"], &["prosody"], &["xvfb"], &["xauth"], &["dbus-daemon", "dbus"], &["fonts-dejavu-core"]];

/// The programs to compare with.
pub const BENCH: &[Package] =
    &[&["git-annex"], &["python3-venv"], &["lsof"], &["openssl"], &["prosody"], &["unison"], &["syncthing"]];

/// System services that some of these packages bring along. A developer's machine should not begin to listen to its
/// network because somebody ran the tests, so those that were not there before are switched off again.
const SERVICES: &[(&str, &[&str])] = &[
    ("openssh-server", &["ssh.service", "ssh.socket"]),
    ("prosody", &["prosody.service"]),
    ("ejabberd", &["ejabberd.service", "epmd.socket", "epmd.service"]),
];

/// Debian's switch against services that start with their installation.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs those of `wanted` that are missing, saying which. On a system without apt it prints the list and goes on:
/// the programs may be there under other names.
pub fn install(wanted: &[Package]) -> Result<()> {
    if on_path("dpkg-query").is_none() || on_path("apt-get").is_none() {
        let names: Vec<_> = wanted.iter().map(|package| package[0]).collect();
        println!(
            "This is neither Debian nor Ubuntu: please see to it that these are installed (Debian's names):"
        );
        println!("  {}", names.join(" "));
        return Ok(());
    }
    let missing = missing(wanted)?;
    if missing.is_empty() {
        return Ok(());
    }
    println!("Some system packages are missing; reading the package lists.");
    process::run(&mut apt(&["update", "-qq"]))?;
    let names = missing.iter().map(|package| available(package)).collect::<Result<Vec<_>>>()?;
    println!("Installing {}: {}", count(names.len()), names.join(" "));
    let quiet = ServicesHeld::hold()?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(&names);
    let outcome = process::run(apt(&arguments).env("DEBIAN_FRONTEND", "noninteractive"));
    quiet.release()?;
    outcome?;
    switch_off_services(&names)
}

fn count(packages: usize) -> String {
    if packages == 1 { "1 system package".into() } else { format!("{packages} system packages") }
}

/// Those that dpkg does not know as installed, under none of their names.
fn missing(wanted: &[Package]) -> Result<Vec<Package>> {
    let mut query = program("dpkg-query", ["-W", "-f=${Package} ${db:Status-Status}\\n"]);
    query.args(wanted.iter().copied().flatten());
    // It fails when one of the packages is unknown and lists the others all the same.
    let answer = query
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .context(|| "could not ask dpkg-query".into())?;
    let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
    Ok(missing_by(&answer, wanted))
}

fn missing_by(answer: &str, wanted: &[Package]) -> Vec<Package> {
    let installed: HashSet<&str> =
        answer.lines().filter_map(|line| line.strip_suffix(" installed")).collect();
    wanted.iter().copied().filter(|package| !package.iter().any(|name| installed.contains(name))).collect()
}

/// The first name that apt can install.
fn available(package: Package) -> Result<&'static str> {
    let known = |name: &&&str| {
        // A name that only others mention, as a replaced package, has no version to show.
        process::output(&mut program("apt-cache", ["show", "--no-all-versions", name]))
            .is_ok_and(|text| text.contains("\nVersion: "))
    };
    package.iter().find(known).copied().ok_or_else(|| {
        Failure::new(format!("apt knows no package {}", package.join(" or ")))
            .hint("Debian 12 and 13 and the current Ubuntu have it; on others, install what it holds by hand")
    })
}

fn apt(arguments: &[&str]) -> Command {
    // Another apt, such as the machine's own nightly one, may hold the lock for a while.
    let mut apt = as_root("apt-get");
    apt.args(["-o", "DPkg::Lock::Timeout=300"]).args(arguments);
    apt
}

/// The program, through sudo unless we are root.
fn as_root(name: &str) -> Command {
    if we_are_root() {
        return Command::new(name);
    }
    // sudo clears the environment, so the one variable that apt must see goes on its command line.
    program("sudo", ["env", "DEBIAN_FRONTEND=noninteractive", name])
}

/// Whether this process belongs to root.
pub fn we_are_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|us| us.uid() == 0)
}

/// While it is held, no installation starts a service.
struct ServicesHeld {
    ours: bool,
}

impl ServicesHeld {
    fn hold() -> Result<Self> {
        if Path::new(POLICY).exists() {
            // A container's or an administrator's own rule, which is theirs to decide.
            return Ok(ServicesHeld { ours: false });
        }
        let script = "printf '#!/bin/sh\\nexit 101\\n' > \"$1\" && chmod 755 \"$1\"";
        process::run(as_root("sh").args(["-c", script, "sh", POLICY]))?;
        Ok(ServicesHeld { ours: true })
    }

    fn release(self) -> Result<()> {
        if self.ours { process::run(as_root("rm").args(["-f", POLICY])) } else { Ok(()) }
    }
}

fn switch_off_services(installed: &[&str]) -> Result<()> {
    // Present exactly when systemd runs the machine; a container has nothing to switch off.
    if !Path::new("/run/systemd/system").exists() {
        return Ok(());
    }
    for (package, services) in SERVICES {
        if !installed.contains(package) {
            continue;
        }
        for service in *services {
            if process::answers_with("systemctl", &["cat", service]) {
                println!("Switching off {service}, which {package} brought: the tests start their own.");
                process::run(as_root("systemctl").args(["--quiet", "disable", service]))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_there_when_one_of_its_names_is_installed() {
        let wanted: &[Package] = &[&["gcc"], &["pkg-config", "pkgconf"], &["xvfb"], &["dunst"]];
        let answer = "gcc installed\npkgconf installed\nxvfb not-installed\n";
        let missing: Vec<_> = missing_by(answer, wanted).iter().map(|package| package[0]).collect();
        // Removed but not purged ("config-files", "not-installed") and unknown ones are missing.
        assert_eq!(missing, ["xvfb", "dunst"]);
    }
}
