//! Ends what the web view's library leaves running when there is no window.
//!
//! The process that holds a page ends with the page. The one for the network does not: the library keeps it for the
//! next page, for as long as the program runs, and it holds some 20 MiB. Ended, it is started again for the next
//! window, as it would be after a crash; sometimes at once, when a page was still on its way out.

use std::fs;

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};
use tracing::debug;

/// The process for the network, as the system has its name: cut off after 15 letters.
const NETWORK: &str = "WebKitNetworkPr";

/// The one that holds a page.
const PAGE: &str = "WebKitWebProces";

/// Ends what is left without a window; whether anything was. To be called where no window can come up meanwhile: on the
/// main thread.
pub fn end_idle() -> bool {
    let left: Vec<_> = [PAGE, NETWORK].into_iter().flat_map(children_called).collect();
    for pid in &left {
        debug!(pid = pid.as_raw_nonzero(), "a web process that no window needs is ended");
        if let Err(error) = kill_process(*pid, Signal::TERM) {
            debug!(%error, "it is not there any more");
        }
    }
    !left.is_empty()
}

/// Ends all of them, and waits until they are gone. For the moment before the program replaces itself: its new image knows
/// nothing of them, and they would stay as long as it runs.
pub fn end_all() {
    for pid in [PAGE, NETWORK].into_iter().flat_map(children_called) {
        end(pid);
    }
}

/// They hold nothing that could be lost.
fn end(pid: Pid) {
    if let Err(error) =
        kill_process(pid, Signal::KILL).and_then(|()| waitpid(Some(pid), WaitOptions::empty()))
    {
        // Somebody else was quicker, such as the library itself.
        debug!(%error, "a web process is not there any more");
    }
}

/// Our own child processes of this name. A system that does not tell of its processes has none.
fn children_called(name: &str) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten();
    let pids = processes.filter_map(|entry| Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?));
    let us = getpid();
    pids.filter(|pid| {
        let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap_or_default();
        let field = |key| status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        field("Name:") == Some(name) && field("PPid:") == Some(&us.to_string())
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn only_our_own_children_of_that_name_are_found() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        // Between fork and exec a child has our own name.
        while !children_called("cat").contains(&pid) {
            assert!(child.try_wait().unwrap().is_none(), "cat waits for its input");
            std::thread::yield_now();
        }
        assert!(children_called("no such name").is_empty());
        end(pid);
        assert!(child.wait().is_err(), "it was waited for already");
        assert!(!children_called("cat").contains(&pid), "it has ended");
    }
}
