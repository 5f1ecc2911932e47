//! `cargo xtask demo`: two computers on one, and a file that travels between them.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::checkout::{self, on_path};
use crate::failure::{Context, Failure, Result};
use crate::process::{self, program};
use crate::scene::Scene;
use crate::warden::Warden;
use crate::{build, setup};

/// A file arrives in a fraction of a second; past this something is wrong.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(60);

/// How often the other folder is looked at: fine enough to tell the time of the journey.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Shows two nodes and a transfer point.
pub fn command(arguments: &[String]) -> Result<()> {
    let once = match arguments {
        [] => false,
        [flag] if flag == "--once" => true,
        _ => return Err(Failure::usage("demo knows --once alone")),
    };
    setup::for_demo()?;
    println!("Building (the first time takes minutes).");
    let build::Programs { trib, shell } = build::programs(false)?;

    let folder = checkout::scratch("demo").context(|| "could not make a temporary folder".into())?;
    let warden = Warden::start()?;
    if checkout::keep() {
        println!("Everything stays in {}.", folder.display());
    } else {
        warden.remove(&folder)?;
    }
    println!(
        "Starting an XMPP server (prosody), which tells each computer when the other has something new."
    );
    let mut scene = Scene::build(&folder, &trib, &warden)?;
    println!("Starting computer A and computer B (trib daemon, each with a home of its own).");
    scene.here.start(&warden)?;
    scene.there.start(&warden)?;
    println!("They meet at a transfer point that runs nothing: {}", folder.join("transfer-point").display());
    scene.meet_at_one_place()?;

    // The folder is there before the window, which then opens on it, and not on the first steps.
    scene.here.stop();
    let mut window = window(&shell, &folder)?;
    scene.here.host(&mut window, &warden)?;
    scene.here.wait(ARRIVAL_LIMIT)?;

    let (a, b) = (scene.here.folder(), scene.there.folder());
    travel(&a, &b, "from A.txt", "computer A", "computer B")?;
    travel(&b, &a, "from B.txt", "computer B", "computer A")?;
    if once {
        println!("The demonstration ends, and removes what it made.");
        return Ok(());
    }
    println!("\nNow put something into one of these folders and look into the other, and at the window:");
    println!("  A  {}\n  B  {}", a.display(), b.display());
    println!("Computer B has no window. This says how it is:");
    println!("  TRIBUTARY_HOME={} {} status", scene.there.home().display(), trib.display());
    println!("Ctrl-C ends the demonstration and removes it all; so does Quit in the menu of the tray.");
    match scene.here.take_engine() {
        Some(window) => window.wait(),
        None => Ok(()),
    }
}

/// The shell, on the person's screen, or on one that nobody sees.
fn window(shell: &Path, folder: &Path) -> Result<Command> {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    if set("DISPLAY") || set("WAYLAND_DISPLAY") {
        println!("Computer A goes on in a window.");
        return Ok(Command::new(shell));
    }
    if on_path("xvfb-run").is_none() || on_path("dbus-run-session").is_none() {
        return Err(Failure::new("there is no screen to open a window on")
            .hint("`cargo xtask setup` installs Xvfb, a screen that nobody sees"));
    }
    println!("There is no screen: computer A goes on in a window that nobody sees (Xvfb).");
    let runtime = folder.join("run");
    fs::create_dir(&runtime).context(|| format!("could not make {}", runtime.display()))?;
    fs::set_permissions(&runtime, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .context(|| format!("could not close {} to others", runtime.display()))?;
    let screen = ["-a", "-s", "-screen 0 1280x800x24", "dbus-run-session", "--"];
    let mut command = program("xvfb-run", screen);
    command.arg(shell).env("XDG_RUNTIME_DIR", runtime);
    Ok(command)
}

/// Writes a file in one folder and tells when it is complete in the other.
fn travel(from: &Path, to: &Path, name: &str, sender: &str, receiver: &str) -> Result<()> {
    let text = format!("Written on {sender}.\n");
    let begun = Instant::now();
    fs::write(from.join(name), &text).context(|| format!("could not write {name} on {sender}"))?;
    let read = || fs::read(to.join(name)).ok().filter(|found| found == text.as_bytes());
    if process::poll(ARRIVAL_LIMIT, LOOK_AGAIN, read).is_none() {
        return Err(Failure::new(format!("\"{name}\" of {sender} did not arrive on {receiver}"))
            .hint("`trib status` with TRIBUTARY_HOME set to the home of either computer says why"));
    }
    println!(
        "\"{name}\": saved on {sender}, readable on {receiver} {} ms later.",
        begun.elapsed().as_millis()
    );
    Ok(())
}
