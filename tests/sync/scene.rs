//! Two computers, a transfer point, and an XMPP server that tells one of the other's changes.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tributary_testkit::xmpp_servers::{Prosody, XmppServer as _};
use tributary_testkit::{
    Annex, AnnexVersion, Node, Sandbox, Snapshot, Sshd, differences, eventually, need_all, run, snapshot,
    try_snapshot, within,
};

/// How long a change may take to arrive. It takes well under a second where nothing else runs; the rest is for a machine
/// that is busy. Far below the half hour after which an online computer looks without being told, so that what arrives
/// within it was told by a hint.
pub const LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 90 } else { 60 });
/// The account of both computers.
const ACCOUNT: (&str, &str) = ("ada", "correct horse");
const DOMAIN: &str = "journey.example";

/// Whether the sizes are those of the issue, as `cargo xtask test --full` asks, and not those of every day.
pub fn full() -> bool {
    std::env::var_os("TRIBUTARY_FULL").is_some()
}

/// [`LIMIT`], with time for the number of files.
pub fn limit(files: usize) -> Duration {
    LIMIT + Duration::from_millis(50) * u32::try_from(files).expect("a test has few files")
}

/// What lies between the two computers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// A bare git repository for the names, a `directory` special remote for the contents.
    BareAndDirectory,
    /// A bare git repository that holds the contents too.
    BareWithContents,
    /// The same behind sshd.
    BehindSshd,
}

/// One of the two computers.
pub struct Side {
    pub node: Node,
    pub folder: PathBuf,
}

/// Both computers and what lies between them. Ends with all its processes when it goes.
pub struct Scene {
    pub a: Side,
    pub b: Side,
    pub prosody: Prosody,
    point: Point,
    sshd: Option<Sshd>,
    // Last, so that the folders go after the processes.
    pub sandbox: Sandbox,
}

impl Scene {
    /// The two computers with an empty folder in sync, and online. `None`, with the reason printed, where a program is
    /// missing.
    pub fn set(point: Point) -> Option<Self> {
        let servers = if point == Point::BehindSshd { Sshd::NEEDS } else { &[] };
        if !need_all(&[&["git", "git-annex"], Prosody::NEEDS, servers].concat()) {
            return None;
        }
        let sandbox = Sandbox::new();
        let prosody = Prosody::start(DOMAIN, &[ACCOUNT]);
        let sshd = (point == Point::BehindSshd).then(|| Sshd::start(&sandbox.join("sshd")));
        let side = |name: &str| {
            let builder =
                Node::builder(Path::new(env!("CARGO_BIN_EXE_trib")), &sandbox.join(format!("{name}.home")));
            let builder = match &sshd {
                Some(sshd) => builder.adjust(|machine| sshd.configure(machine)),
                None => builder,
            };
            Side { node: builder.start(), folder: sandbox.join(name) }
        };
        let scene = Scene { a: side("A"), b: side("B"), prosody, point, sshd, sandbox };
        scene.make_point();
        scene.join();
        Some(scene)
    }

    /// The folder with everything that both computers reach.
    pub fn place(&self) -> PathBuf {
        self.sandbox.join("point")
    }

    /// What the point is behind.
    pub fn sshd(&self) -> &Sshd {
        self.sshd.as_ref().expect("the point is behind sshd")
    }

    fn make_point(&self) {
        let bare = self.place().join("names.git");
        fs::create_dir_all(self.place().join("store")).expect("our own folder can be written");
        let mut command = self.sandbox.command("git");
        command.args(["init", "-q", "--bare"]).arg(&bare);
        run(command).ok();
        if self.point == Point::BehindSshd {
            // Its owner makes it hold contents: over ssh nobody else can.
            let mut command = self.sandbox.command("git-annex");
            command.current_dir(&bare).args(["init", "point"]);
            run(command).ok();
        }
    }

    /// The URL of the bare repository.
    fn url(&self) -> String {
        let bare = self.place().join("names.git");
        match &self.sshd {
            Some(sshd) => sshd.url(&bare),
            None => bare.to_str().expect("a temporary folder's name is UTF-8").to_owned(),
        }
    }

    /// Lets A make the folder and B get it, each as a person would by hand.
    fn join(&self) {
        let Scene { a, b, .. } = self;
        let (url, store) = (self.url(), format!("directory={}", self.place().join("store").display()));
        a.trib([OsStr::new("add"), a.folder.as_os_str(), OsStr::new("--description"), OsStr::new("A")]);
        match self.point {
            Point::BareAndDirectory => {
                a.remote_add(&["names", &url]);
                a.remote_add(&["store", "type=directory", &store, "encryption=none"]);
            }
            Point::BareWithContents => a.remote_add(&["names", &url, "--contents"]),
            Point::BehindSshd => a.remote_add(&["names", &url]),
        }
        a.wait();
        b.trib([OsStr::new("clone"), OsStr::new(&url), b.folder.as_os_str()]);
        if self.point == Point::BareAndDirectory {
            b.remote_add(&["store", "type=directory", &store]);
        }
        b.wait();
        for side in [a, b] {
            side.log_in(&self.prosody);
        }
        self.meet();
    }

    /// Waits until each of the two sees the other online.
    pub fn meet(&self) {
        for side in [&self.a, &self.b] {
            eventually(LIMIT, "both devices of the account are online", || {
                let account = &side.node.json(["status"])["account"];
                (account["state"] == "online" && account["devicesOnline"] == 1).then_some(())
            });
        }
    }

    /// Waits until B's folder holds what A's does, and A's what `expected` says.
    #[track_caller]
    pub fn arrives(&self, expected: &Snapshot) {
        for side in [&self.a, &self.b] {
            side.comes_to_hold(expected);
        }
    }

    /// Waits until both folders hold the same, for which `accepts` is the judge, and gives it.
    #[track_caller]
    pub fn agree(&self, what: &str, accepts: impl Fn(&Snapshot) -> bool) -> Snapshot {
        let agreed = within(LIMIT, || {
            let (a, b) = (try_snapshot(&self.a.folder).ok()?, try_snapshot(&self.b.folder).ok()?);
            (a == b && accepts(&a)).then_some(a)
        });
        agreed.unwrap_or_else(|| {
            let (a, b) = (snapshot(&self.a.folder), snapshot(&self.b.folder));
            panic!("waited in vain: {what}; A left, B right:\n{}A holds {a:#?}", differences(&a, &b));
        })
    }

    /// Waits, with `trib wait`, until both sides say that they are in sync.
    #[track_caller]
    pub fn settles(&self) {
        self.a.wait();
        self.b.wait();
    }

    /// A machine with that release of git-annex, from which the point can be reached.
    pub fn annex(&self, version: &AnnexVersion) -> Annex {
        let mut annex = Annex::new(version);
        if let Some(sshd) = &self.sshd {
            sshd.configure(annex.sandbox_mut());
        }
        annex
    }

    /// Lets each of these releases of git-annex judge both folders, and a clone that it makes itself and that gets
    /// everything. `files` is the number of annexed files that each has to have.
    #[track_caller]
    pub fn judge(&self, files: usize, versions: &[AnnexVersion]) {
        for version in versions {
            let annex = self.annex(version);
            for side in [&self.a, &self.b] {
                annex.annex(&side.folder, ["get", "--quiet", "."]);
                let judged = || annex.judge(&side.folder).from(self.contents(side)).check();
                assert_eq!(timed(version, "of one of our folders", judged), files, "every file was judged");
            }
            let third = annex.sandbox().join("third");
            self.clone_by(&annex, &third);
            let remote = match self.point {
                Point::BareAndDirectory => "store",
                Point::BareWithContents | Point::BehindSshd => "origin",
            };
            let judged = || annex.judge(&third).get().from(remote).check();
            assert_eq!(timed(version, "of its own clone", judged), files, "the third clone has every file");
            let (ours, theirs) = (snapshot(&self.a.folder), snapshot(&third));
            assert!(ours == theirs, "git-annex reads what we wrote:\n{}", differences(&ours, &theirs));
        }
    }

    /// Lets git-annex make a clone, which gets nothing yet.
    #[track_caller]
    pub fn clone_by(&self, annex: &Annex, dir: &Path) {
        annex.clone(self.url(), dir, "git-annex's own");
        if self.point == Point::BareAndDirectory {
            let store = format!("directory={}", self.place().join("store").display());
            annex.annex(dir, ["enableremote", "store", &store]);
            // The newest release wants a person to look at a place that somebody else set up.
            annex.git(dir, ["config", "remote.store.annex-verified", "verified"]);
        }
    }

    /// The remote in which a side's contents are.
    pub fn contents(&self, side: &Side) -> &'static str {
        match self.point {
            Point::BareAndDirectory => "store",
            _ if side.folder == self.a.folder => "names",
            _ => "origin",
        }
    }
}

/// Says how long a judgement took: git-annex is what costs time here.
fn timed<T>(version: &AnnexVersion, what: &str, judge: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let verdict = judge();
    eprintln!("git-annex {}: judgement {what}: {:.1} s", version.name, begun.elapsed().as_secs_f64());
    verdict
}

impl Side {
    /// Runs `trib ARGS…`, which must succeed.
    #[track_caller]
    pub fn trib<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) {
        self.node.trib(args).ok();
    }

    /// Runs `trib VERB FOLDER`, which must succeed.
    #[track_caller]
    pub fn tell(&self, verb: &str) {
        self.trib([OsStr::new(verb), self.folder.as_os_str()]);
    }

    /// Waits with `trib wait`.
    #[track_caller]
    pub fn wait(&self) {
        self.node.wait(&self.folder, LIMIT);
    }

    /// Waits until the folder holds exactly that.
    #[track_caller]
    pub fn comes_to_hold(&self, expected: &Snapshot) {
        let limit = limit(expected.len());
        if within(limit, || (try_snapshot(&self.folder).ok()? == *expected).then_some(())).is_none() {
            let found = differences(expected, &snapshot(&self.folder));
            let status = self.node.folder(&self.folder);
            panic!("{} differs; expected left, found right:\n{found}{status:#}", self.folder.display());
        }
    }

    /// Writes a file; its folders are made.
    pub fn write(&self, path: &str, content: &[u8]) {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder can be made");
        fs::write(path, content).expect("a file can be written");
    }

    /// Adds a remote: its name, then a URL or the parameters of a special remote.
    #[track_caller]
    pub fn remote_add(&self, args: &[&str]) {
        let command = [OsStr::new("remote"), OsStr::new("add"), self.folder.as_os_str()];
        self.trib(command.into_iter().chain(args.iter().map(OsStr::new)));
    }

    /// Logs in to the account, with its password kept in a file: these computers have no keyring.
    #[track_caller]
    fn log_in(&self, server: &Prosody) {
        let jid = format!("{}@{DOMAIN}", ACCOUNT.0);
        let address = format!("127.0.0.1:{}", server.starttls_port());
        let mut command = self.node.command(["xmpp", "login", &jid, "--password-stdin", "--keyring", "file"]);
        command.args(["--server", &address, "--ca"]).arg(server.ca());
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut login = started.expect("trib can be started");
        let mut stdin = login.stdin.take().expect("it was asked for");
        writeln!(stdin, "{}", ACCOUNT.1).expect("trib reads the password");
        drop(stdin);
        let ended = login.wait_with_output().expect("trib ends");
        assert!(ended.status.success(), "login: {}", String::from_utf8_lossy(&ended.stderr));
    }
}
