//! The warden: a second process that cleans up after us, however we end.
//!
//! Ctrl-C ends a program that uses the standard library alone before it can do anything. So what a command starts is
//! reported to a small process in a group of its own, over a pipe. When the pipe closes, because we are done or were
//! killed, the warden ends the process groups that are still on its list and removes the folders.

use std::io::{BufRead as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, fs, io};

use crate::failure::{Context, Failure, Result};
use crate::process;

/// What xtask is called with to be a warden.
pub const COMMAND: &str = "warden";

/// How long the programs have to end before they are killed.
const GRACE: Duration = Duration::from_secs(10);

/// Between two looks whether a group is gone: its end gives no signal to one that is not its parent.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Our end of the pipe. When the last clone is dropped, the warden does its work, and the drop waits for it.
#[derive(Debug, Clone)]
pub struct Warden(Arc<Mutex<Post>>);

#[derive(Debug)]
struct Post {
    orders: Option<ChildStdin>,
    process: Child,
}

impl Warden {
    /// Starts the warden.
    pub fn start() -> Result<Self> {
        let ourselves = env::current_exe().context(|| "could not find xtask itself".into())?;
        Self::by(Command::new(ourselves).arg(COMMAND))
    }

    /// Starts this program as the warden.
    fn by(program: &mut Command) -> Result<Self> {
        let mut process = program
            .process_group(0)
            .stdin(Stdio::piped())
            .spawn()
            .context(|| "could not start the warden".into())?;
        let orders = process.stdin.take();
        Ok(Warden(Arc::new(Mutex::new(Post { orders, process }))))
    }

    /// Puts a process group on the list.
    pub fn watch(&self, group: u32) -> Result<()> {
        self.order(format!("watch {group}\n").as_bytes())
    }

    /// Takes a process group from the list, since it has ended and its number may be given to others.
    pub fn forget(&self, group: u32) {
        // A warden that is gone has nothing to forget.
        self.order(format!("forget {group}\n").as_bytes()).ok();
    }

    /// Puts a folder on the list of what is removed in the end.
    pub fn remove(&self, folder: &Path) -> Result<()> {
        let mut order = b"remove ".to_vec();
        order.extend_from_slice(folder.as_os_str().as_bytes());
        order.push(b'\n');
        self.order(&order)
    }

    /// One that only reads: the tests' own program is no xtask that could be started again.
    #[cfg(test)]
    pub fn deaf() -> Self {
        Self::by(Command::new("cat").stdout(Stdio::null())).expect("cat is everywhere")
    }

    fn order(&self, order: &[u8]) -> Result<()> {
        let mut post = self.0.lock().map_err(|_| Failure::new("a thread of xtask panicked"))?;
        let pipe = post.orders.as_mut().ok_or_else(|| Failure::new("the warden has no pipe"))?;
        pipe.write_all(order).context(|| "the warden does not listen".into())
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        drop(self.orders.take());
        self.process.wait().ok();
    }
}

/// What is still on the list.
#[derive(Debug, Default, PartialEq, Eq)]
struct Watched {
    groups: Vec<u32>,
    folders: Vec<PathBuf>,
}

impl Watched {
    /// Follows one order; what is not an order is left alone.
    fn follow(&mut self, order: &[u8]) {
        let Some(space) = order.iter().position(|&byte| byte == b' ') else { return };
        let (verb, rest) = (&order[..space], &order[space + 1..]);
        let group = || std::str::from_utf8(rest).ok()?.parse().ok().filter(|&group: &u32| group > 1);
        match verb {
            b"watch" => self.groups.extend(group()),
            b"forget" => self.groups.retain(|&known| Some(known) != group()),
            b"remove" => {
                let folder = PathBuf::from(std::ffi::OsString::from_vec(rest.to_vec()));
                // A relative path would mean another folder here, and the root is never meant.
                if folder.is_absolute() && folder.parent().is_some() {
                    self.folders.push(folder);
                }
            }
            _ => {}
        }
    }
}

/// The warden's own process: follows orders until the pipe closes, then cleans up.
pub fn keep_watch() -> Result<()> {
    let mut watched = Watched::default();
    for order in io::stdin().lock().split(b'\n') {
        watched.follow(&order.context(|| "could not read the orders".into())?);
    }
    // The last that was started leans on the first.
    for &group in watched.groups.iter().rev() {
        process::signal_group("TERM", group);
    }
    for &group in &watched.groups {
        let gone = || (!process::signal_group("0", group)).then_some(());
        if process::poll(GRACE, LOOK_AGAIN, gone).is_none() {
            process::signal_group("KILL", group);
        }
    }
    for folder in &watched.folders {
        match remove_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).context(|| format!("could not remove {}", folder.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Removes a folder, also one in which git-annex has taken the right to write from files and folders.
pub fn remove_all(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            process::program("chmod", ["-R", "u+w", "--"]).arg(folder).stderr(Stdio::null()).status()?;
            fs::remove_dir_all(folder)
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_follows_the_orders_and_nothing_else() {
        let mut watched = Watched::default();
        for order in
            ["watch 100", "watch 200", "forget 100", "remove /a b", "remove relative", "remove /", "nonsense"]
        {
            watched.follow(order.as_bytes());
        }
        watched.follow(b"watch 1");
        watched.follow(b"watch -1");
        watched.follow(b"watch \xff");
        assert_eq!(watched, Watched { groups: vec![200], folders: vec![PathBuf::from("/a b")] });
    }
}
