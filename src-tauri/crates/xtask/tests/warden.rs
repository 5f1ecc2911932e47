//! The warden does its work when xtask is gone, however it went.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn what_was_started_ends_and_the_folder_goes_when_the_pipe_closes() {
    let folder = std::env::temp_dir().join(format!("tributary-warden-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    std::fs::write(folder.join("sub/read-only"), b"kept by git-annex").unwrap();
    // git-annex takes the right to write from folders that hold contents.
    Command::new("chmod").args(["-R", "a-w"]).arg(folder.join("sub")).status().unwrap();
    // The shell's child stands for what a daemon starts.
    let mut daemon = Command::new("sh")
        .args(["-c", "sleep 300 & wait"])
        .process_group(0)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut ended = Command::new("true").process_group(0).spawn().unwrap();
    ended.wait().unwrap();

    let mut warden = Command::new(env!("CARGO_BIN_EXE_tributary-xtask"))
        .arg("warden")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut orders = warden.stdin.take().unwrap();
    let (group, gone) = (daemon.id(), ended.id());
    writeln!(orders, "watch {gone}\nforget {gone}\nwatch {group}\nremove {}", folder.display()).unwrap();
    // Nothing may happen before: the daemon is in use.
    assert!(daemon.try_wait().unwrap().is_none());
    let begun = Instant::now();
    drop(orders);

    // Waited for here, so that the group is not held up by a zombie.
    assert!(!daemon.wait().unwrap().success(), "it was ended by a signal");
    assert!(warden.wait().unwrap().success());
    assert!(
        begun.elapsed() < Duration::from_secs(9),
        "the group was gone at once: no need to wait for the grace"
    );
    assert!(!folder.exists(), "the folder is removed, what is read-only in it too");
}
