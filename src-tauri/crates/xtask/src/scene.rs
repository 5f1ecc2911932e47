//! Two computers that can reach only a transfer point: a bare git repository and a folder, neither with a program of
//! ours, and an XMPP server for the hints.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::{Context, Result};
use crate::node::Node;
use crate::process::{output, program};
use crate::prosody::Prosody;
use crate::warden::Warden;

/// How long an empty folder may take to be in sync.
const MEETING_LIMIT: Duration = Duration::from_secs(60);

/// The set.
#[derive(Debug)]
pub struct Scene {
    /// The computer where the folder begins.
    pub here: Node,
    /// The computer that joins.
    pub there: Node,
    names: PathBuf,
    contents: PathBuf,
    server: Prosody,
}

impl Scene {
    /// Builds the set in `folder` and starts the server; the computers are still off.
    pub fn build(folder: &Path, trib: &Path, warden: &Warden) -> Result<Self> {
        let point = folder.join("transfer-point");
        let (names, contents) = (point.join("names.git"), point.join("contents"));
        fs::create_dir_all(&contents).context(|| format!("could not make {}", contents.display()))?;
        let mut init = program("git", ["init", "--quiet", "--bare"]);
        output(init.arg(&names).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null"))?;
        Ok(Scene {
            here: Node::new(trib, folder.join("a"), "computer A")?,
            there: Node::new(trib, folder.join("b"), "computer B")?,
            server: Prosody::start(&folder.join("xmpp"), warden)?,
            names,
            contents,
        })
    }

    /// With both engines running: both log in, A makes the folder and its places, B joins. Names and contents wait
    /// apart from each other.
    pub fn meet(&self) -> Result<()> {
        self.meet_with("point", &[], |node, parameters| self.join_contents(node, parameters))
    }

    /// The same with names and contents in one place, the bare repository.
    pub fn meet_at_one_place(&self) -> Result<()> {
        self.meet_with("drive", &["--contents"], |_, _| Ok(()))
    }

    fn meet_with(
        &self,
        place: &str,
        how: &[&str],
        contents: impl Fn(&Node, &[&str]) -> Result<()>,
    ) -> Result<()> {
        let (here, there) = (&self.here, &self.there);
        for node in [here, there] {
            node.login(&self.server)?;
        }
        let (a, b, names) = (here.folder(), there.folder(), self.names.as_os_str());
        let called = |name| ["--description", name].map(OsStr::new);
        here.trib([&[OsStr::new("add"), a.as_os_str()][..], &called(here.name())].concat())?;
        let mut words =
            vec![OsStr::new("remote"), OsStr::new("add"), a.as_os_str(), OsStr::new(place), names];
        words.extend(how.iter().map(OsStr::new));
        here.trib(words)?;
        contents(here, &["encryption=none"])?;
        here.wait(MEETING_LIMIT)?;
        there.trib([&[OsStr::new("clone"), names, b.as_os_str()][..], &called(there.name())].concat())?;
        contents(there, &[])?;
        for node in [here, there] {
            node.wait(MEETING_LIMIT)?;
        }
        Ok(())
    }

    fn join_contents(&self, node: &Node, parameters: &[&str]) -> Result<()> {
        let folder = node.folder();
        let mut directory = std::ffi::OsString::from("directory=");
        directory.push(&self.contents);
        let mut words = ["remote", "add"].map(std::ffi::OsString::from).to_vec();
        words.extend([folder.into(), "contents".into(), "type=directory".into(), directory]);
        words.extend(parameters.iter().map(Into::into));
        node.trib(words).map(drop)
    }

    /// Where the contents wait.
    pub fn contents(&self) -> &Path {
        &self.contents
    }
}
