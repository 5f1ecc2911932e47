//! Doctor: what this machine has and lacks, and facts for a bug report. No secret, address or file name is in it.

use std::process::Command;
use std::sync::Arc;

use tributary_status::{Failure, KeyringChoice, Reply};

use crate::engine::Engine;
use crate::secrets::{SecretError, SecretStore};

/// The system's limit of folder watches; each folder and sub-folder needs one.
const WATCH_LIMIT: &str = "/proc/sys/fs/inotify/max_user_watches";

/// Fewer watches than this are soon used up.
const FEW_WATCHES: u64 = 65_536;

/// Examines the machine.
pub(super) async fn examine(engine: &Arc<Engine>) -> Result<Reply, Failure> {
    let mut lines = vec![format!("Tributary {}", env!("CARGO_PKG_VERSION"))];
    let programs = tokio::task::spawn_blocking(|| {
        [("git", "--version", true), ("git-annex", "version", false), ("ssh", "-V", false)]
            .map(|(program, argument, needed)| (program, first_line(program, argument), needed))
    })
    .await
    .expect("asking programs does not panic");
    let mut complete = true;
    for (program, found, needed) in programs {
        complete &= found.is_some() || !needed;
        lines.push(match found {
            Some(line) => format!("{program}: {line}"),
            None if needed => format!("{program}: missing; install the package {program}"),
            None => format!("{program}: not installed (not needed)"),
        });
    }
    lines.push(watches());
    lines.push(keyring(engine).await);
    let snapshot = engine.snapshot();
    lines.push(match &snapshot.account {
        None => "account: none".into(),
        Some(account) => format!("account: {:?}", account.state),
    });
    for (number, folder) in snapshot.folders.iter().enumerate() {
        lines.push(format!(
            "folder {}: {:?}, {} files, {} places, {} pending, {} arriving",
            number + 1,
            folder.state,
            folder.files,
            folder.places.len(),
            folder.pending,
            folder.arriving
        ));
        lines.extend(
            folder
                .problems
                .iter()
                .map(|problem| format!("  problem: {:?} since {}", problem.code, problem.since)),
        );
    }
    Ok(Reply::Doctor { lines, complete })
}

fn first_line(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    let text = String::from_utf8_lossy(&text);
    // `git version 2.47.3` and `git-annex version: 10.20261026` name themselves once more.
    let line = text.lines().next()?;
    let version = line.strip_prefix(program).map(|rest| rest.trim_start_matches([' ', ':']));
    Some(
        version
            .and_then(|rest| rest.strip_prefix("version"))
            .unwrap_or(line)
            .trim_start_matches([' ', ':'])
            .to_owned(),
    )
}

fn watches() -> String {
    let limit = std::fs::read_to_string(WATCH_LIMIT).ok().and_then(|text| text.trim().parse::<u64>().ok());
    match limit {
        Some(limit) if limit < FEW_WATCHES => {
            format!("folder watches: {limit}, few; raise it: sudo sysctl fs.inotify.max_user_watches=1048576")
        }
        Some(limit) => format!("folder watches: {limit}"),
        None => "folder watches: unknown".into(),
    }
}

async fn keyring(engine: &Engine) -> String {
    if engine.configuration().settings.keyring == KeyringChoice::File {
        return "keyring: a private file, as chosen".into();
    }
    // Asked for an account that nobody has: only whether it answers matters.
    match SecretStore::Keyring.get("doctor@invalid").await {
        Ok(_) => "keyring: answers".into(),
        Err(SecretError::Absent) => "keyring: none; start one, or use `--keyring file`".into(),
        Err(error) => format!("keyring: {error}"),
    }
}
