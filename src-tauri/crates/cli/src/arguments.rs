//! The arguments, as `trib --help` shows them.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Keeps folders the same on your computers, with your own storage.
#[derive(Debug, Parser)]
#[command(name = "trib", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Print one JSON value instead of a sentence.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run the engine in the foreground until SIGTERM or SIGINT.
    Daemon,
    /// Make DIR a synced folder: a new repository, or the git-annex repository that is there.
    Add {
        /// The folder; made when missing.
        dir: PathBuf,
        /// How others see this computer in it.
        #[arg(long)]
        description: Option<String>,
    },
    /// Get an existing folder from a git remote.
    Clone {
        /// A path, an ssh URL, or what git understands.
        url: String,
        /// Where to; must be empty or missing.
        dir: PathBuf,
        /// What that place is called here (`origin`, as git has it, when nothing is said).
        #[arg(long, value_name = "NAME")]
        place: Option<String>,
        /// How others see this computer in it.
        #[arg(long)]
        description: Option<String>,
    },
    /// Forget DIR; its files stay.
    Remove {
        /// The folder.
        dir: PathBuf,
    },
    /// Places of a folder: git remotes and special remotes.
    #[command(subcommand)]
    Remote(RemoteVerb),
    /// The XMPP account that tells your computers when to look.
    #[command(subcommand)]
    Xmpp(XmppVerb),
    /// What is where, what moves, and what is wrong.
    Status {
        /// Only this folder.
        dir: Option<PathBuf>,
        /// Go on, with a line for each event.
        #[arg(long)]
        watch: bool,
    },
    /// Return when nothing is pending, arriving, failed or held.
    Wait {
        /// The folder.
        dir: PathBuf,
        /// Give up after this many seconds.
        #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = time_limit)]
        timeout: Option<f64>,
    },
    /// Look everywhere now.
    Sync {
        /// The folder; all when left out.
        dir: Option<PathBuf>,
    },
    /// Who has the content of a file.
    Whereis {
        /// The file.
        path: PathBuf,
    },
    /// Keep the content of a file or folder here.
    Get {
        /// The file or folder.
        path: PathBuf,
    },
    /// Let go of the content of a file or folder here, if enough other copies exist.
    Drop {
        /// The file or folder.
        path: PathBuf,
    },
    /// List the held deletions of a folder, or answer for them.
    Held {
        /// The folder.
        dir: PathBuf,
        /// Put the files back.
        #[arg(long, conflicts_with = "delete")]
        restore: bool,
        /// They are meant: delete everywhere.
        #[arg(long)]
        delete: bool,
    },
    /// Invite another computer of yours, or a friend's, to a folder: prints a link and a code.
    Invite {
        /// The folder.
        dir: PathBuf,
        /// Let in whoever has the invitation, without asking again.
        #[arg(long)]
        accept: bool,
        /// They may read the folder and not change it.
        #[arg(long)]
        read_only: bool,
    },
    /// Join a folder by a link or a code.
    Join {
        /// The link (`tributary:join/…`), or the code (`7-guitar-tonic`).
        invitation: String,
        /// Where to put the folder; in your home folder, under its own name, when left out.
        dir: Option<PathBuf>,
        /// The account of who shows the code; your own when left out.
        #[arg(long, value_name = "JID")]
        from: Option<String>,
        /// Say yes to what is offered, and use those of its places that are folders of this machine.
        #[arg(long)]
        yes: bool,
    },
    /// Who is paired, and what is under way.
    Peers {
        /// Only with this folder.
        dir: Option<PathBuf>,
    },
    /// Let in somebody who asks to join.
    Accept {
        /// Its number, or what the computer is called.
        peer: String,
    },
    /// Do not let in somebody who asks, or give up an invitation.
    Decline {
        /// Its number, or what the computer is called.
        peer: String,
    },
    /// Take back everything that was given to a paired computer.
    Unpair {
        /// Its fingerprint, or what it is called.
        peer: String,
    },
    /// Stop syncing for a while.
    Pause {
        /// The folder; all when left out.
        dir: Option<PathBuf>,
        /// For how long: a number with `s`, `m`, `h` or `d`, such as 30m. Until resumed when left out.
        #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
        length: Option<u64>,
    },
    /// Go on.
    Resume {
        /// The folder; all when left out.
        dir: Option<PathBuf>,
    },
    /// What is missing on this machine, and facts for a bug report without secrets.
    Doctor,
    /// What git starts as the filter of a folder where git-annex is not installed.
    #[command(hide = true)]
    FilterProcess,
}

/// What to do with remotes.
#[derive(Debug, Subcommand)]
pub(crate) enum RemoteVerb {
    /// Add a git remote (URL), or a special remote (type=T key=value…).
    Add {
        /// The folder.
        dir: PathBuf,
        /// The place's name.
        name: String,
        /// A URL or path, or git-annex's own parameters such as `type=directory directory=/path encryption=none`.
        #[arg(required = true)]
        what: Vec<String>,
        /// Make a bare repository hold contents too.
        #[arg(long)]
        contents: bool,
    },
    /// List the remotes of a folder.
    List {
        /// The folder.
        dir: PathBuf,
    },
    /// Forget a remote here; what it holds stays.
    Remove {
        /// The folder.
        dir: PathBuf,
        /// The place's name.
        name: String,
    },
    /// Confirm a place that somebody else set up, so that contents may go there.
    Confirm {
        /// The folder.
        dir: PathBuf,
        /// The place's name.
        name: String,
    },
}

/// What to do with the account.
#[derive(Debug, Subcommand)]
pub(crate) enum XmppVerb {
    /// Test each step of the login, keep the password in the keyring, and stay logged in.
    Login {
        /// The account's address.
        jid: String,
        /// Read the password from standard input.
        #[arg(long, conflicts_with = "password_command")]
        password_stdin: bool,
        /// Read the password from what this command prints.
        #[arg(long, value_name = "CMD")]
        password_command: Option<String>,
        /// The server, in place of a name lookup.
        #[arg(long, value_name = "HOST:PORT")]
        server: Option<String>,
        /// Trust only the certificate authorities in this PEM file.
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
        /// Trust only the certificate with this SHA-256.
        #[arg(long, value_name = "HEX")]
        pin: Option<String>,
        /// Where the password is kept: the desktop's keyring, or a private file on machines without one.
        #[arg(long)]
        keyring: Option<Keyring>,
    },
    /// Log out, and forget the account and its password.
    Logout,
}

/// Where a password is kept.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Keyring {
    /// The desktop's keyring.
    System,
    /// A file that only you can read.
    File,
}

/// `90`, `90s`, `30m`, `2h`, `1d`.
fn seconds(text: &str) -> Result<u64, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("a number with s, m, h or d, such as 30m".into()),
    };
    let number: u64 = number.parse().map_err(|_| "a number with s, m, h or d, such as 30m".to_owned())?;
    match number.checked_mul(factor) {
        Some(0) => Err("no time at all".into()),
        Some(seconds) => Ok(seconds),
        None => Err("too long".into()),
    }
}

/// Seconds, with a fraction if need be.
fn time_limit(text: &str) -> Result<f64, String> {
    let seconds =
        text.parse().ok().filter(|seconds| std::time::Duration::try_from_secs_f64(*seconds).is_ok());
    seconds.ok_or_else(|| "a number of seconds, such as 30 or 0.5".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_time_limit_is_a_number_of_seconds() {
        assert_eq!((time_limit("30"), time_limit("0.5")), (Ok(30.0), Ok(0.5)));
        for wrong in ["-1", "abc", "NaN", "inf", "1e300", "30s"] {
            assert!(time_limit(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lengths_have_units() {
        assert_eq!(seconds("30m"), Ok(1800));
        assert_eq!(seconds("45"), Ok(45));
        assert!(seconds("m").is_err());
        assert!(seconds("0").is_err(), "a pause that is over is none");
        assert!(seconds("3 weeks").is_err());
        assert!(seconds("99999999999999999999d").is_err());
    }
}
