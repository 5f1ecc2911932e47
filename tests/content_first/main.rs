//! Content first: what is not here does not show, and what does not show was not deleted.
//!
//! Two nodes share a bare repository for names and a `directory` special remote for contents. Each reaches the
//! directory by a path of its own, so that it can be taken away from one of them, as a drive is unplugged.

#[path = "../member.rs"]
mod member;

mod held;
mod withheld;

use std::path::PathBuf;

use tributary_testkit::{Sandbox, need};

use crate::member::{Member, bare, text};

/// Two nodes, and what they share.
struct Pair {
    a: Member,
    b: Member,
    /// Where contents are.
    store: PathBuf,
    /// By which path B finds them.
    store_of_b: PathBuf,
    /// Last, so that it goes after the nodes.
    _sandbox: Sandbox,
}

/// Two nodes that both have `files`; `None` when git is missing.
#[track_caller]
fn pair(files: &[(&str, &str)]) -> Option<Pair> {
    if !need("git") {
        return None;
    }
    let sandbox = Sandbox::new();
    let (hub, store) = (bare(&sandbox, "hub.git"), sandbox.dir("store"));
    let store_of_b = sandbox.join("store of b");
    let (a, b) = (Member::start(&sandbox, "a"), Member::start(&sandbox, "b"));
    a.add().remote("hub", &[text(&hub)]).store(&store);
    for (file, content) in files {
        a.write(file, content);
    }
    a.wait();
    let pair = Pair { a, b, store, store_of_b, _sandbox: sandbox };
    pair.plug_in();
    pair.b.clone_from(&hub).store(&pair.store_of_b).wait().awaits(&pair.a.files());
    Some(pair)
}

impl Pair {
    /// Takes the contents away from B.
    #[track_caller]
    fn unplug(&self) {
        std::fs::remove_file(&self.store_of_b).expect("the link was there");
    }

    /// Gives them back.
    #[track_caller]
    fn plug_in(&self) {
        std::os::unix::fs::symlink(&self.store, &self.store_of_b).expect("the link was not there");
    }
}
