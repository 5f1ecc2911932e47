//! Commands: what a person may want, a file for each subject. Each answers with one reply.

pub(crate) mod account;
mod doctor;
mod files;
pub(crate) mod folders;
pub(crate) mod pairing;
pub(crate) mod pause;
pub(crate) mod remotes;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tributary_status::{Command, Event, Failure, FolderState, ProblemCode, Reply};

use crate::engine::Engine;
use crate::threads::account::AccountAsk;
use crate::threads::pairing::AnswerAsk;

pub(crate) use folders::computer_name;
pub(crate) use remotes::name_is_good as place_name_is_good;

/// Does what a person wants.
///
/// # Errors
/// What happened, why, and what to do.
pub(crate) async fn run(engine: &Arc<Engine>, command: Command) -> Result<Reply, Failure> {
    if !matches!(command, Command::ShowWindow | Command::Quit) {
        // Right after a start a folder would be said to be none. One that hangs (a dead mount) does not hold up the rest.
        tokio::time::timeout(STARTING, engine.folders_started()).await.ok();
    }
    match command {
        Command::Status { folder } => status(engine, folder.as_deref()).await,
        Command::AddFolder { folder, description } => {
            folders::add(engine, &absolute(&folder)?, description).await
        }
        Command::CloneFolder { url, folder, place, description } => {
            folders::clone(engine, &url, &absolute(&folder)?, place, description).await
        }
        Command::RemoveFolder { folder } => folders::remove(engine, &absolute(&folder)?).await,
        Command::AddGitRemote { folder, name, url, contents } => {
            remotes::add_git(engine, &absolute(&folder)?, name, url, contents, false).await
        }
        Command::AddSpecialRemote { folder, name, parameters } => {
            remotes::add_special(engine, &absolute(&folder)?, name, parameters).await
        }
        Command::ListRemotes { folder } => remotes::list(engine, &absolute(&folder)?).await,
        Command::RemoveRemote { folder, name } => remotes::remove(engine, &absolute(&folder)?, name).await,
        Command::ConfirmPlace { folder, name } => remotes::confirm(engine, &absolute(&folder)?, name).await,
        Command::Login(form) => account::log_in(engine, form).await,
        Command::Logout => account::log_out(engine).await,
        Command::Invite { folder, read_only, accept } => {
            pairing::invite(engine, &absolute(&folder)?, read_only, accept).await
        }
        Command::Join { invitation, folder, from, yes } => {
            pairing::join(engine, &invitation, optional(folder)?, from.as_deref(), yes).await
        }
        Command::AnswerPairing { pairing, yes, folder, local_places } => {
            let folder = optional(folder)?;
            pairing::answer(engine, AnswerAsk { pairing, yes, folder, local_places }).await
        }
        Command::CancelPairing { pairing } => pairing::cancel(engine, pairing).await,
        Command::Peers { folder } => pairing::peers(engine, optional(folder)?.as_deref()),
        Command::Unpair { peer } => pairing::unpair(engine, &peer).await,
        Command::Sync { folder } => sync(engine, folder.as_deref()),
        Command::Wait { folder, timeout_secs } => wait(engine, &absolute(&folder)?, timeout_secs).await,
        Command::Whereis { path_base64 } => files::whereis(engine, &path_base64).await,
        Command::Get { path_base64 } => files::keep(engine, &path_base64, true).await,
        Command::DropContent { path_base64 } => files::keep(engine, &path_base64, false).await,
        Command::Held { folder, answer } => {
            engine.folder(&absolute(&folder)?)?.held(answer).await.map_err(|_| stopped())
        }
        Command::Pause { folder, length } => pause::pause(engine, optional(folder)?.as_deref(), length),
        Command::Resume { folder } => pause::resume(engine, optional(folder)?.as_deref()),
        Command::Dismiss { code, subject } => {
            if engine.board.dismiss(code, &subject) {
                return done("It is shown no more.");
            }
            let sentence = "There is no such problem, or none that goes by being read.";
            Err(fault(None, sentence, "See `trib status` for those that are there."))
        }
        Command::SetSettings { settings } => {
            engine.configure(|config| config.settings = settings.clone()).map_err(not_kept)?;
            engine.board.set_settings(settings);
            done("The settings are kept.")
        }
        Command::Doctor => doctor::examine(engine).await,
        Command::ShowWindow => {
            engine.publish(Event::ShowWindow);
            done("Asked for the window.")
        }
        Command::Quit => {
            engine.stop.cancel();
            done("Tributary stops.")
        }
    }
}

/// What was done before is in the status that is asked for; a folder that is busy this long shows its last one.
const REFRESH: Duration = Duration::from_secs(2);

async fn status(engine: &Engine, folder: Option<&str>) -> Result<Reply, Failure> {
    let asked: Vec<_> = engine.folders.all().iter().map(|folder| folder.refresh()).collect();
    let all = async {
        for answer in asked {
            // One that was stopped meanwhile shows what is on the board.
            answer.await.ok();
        }
    };
    tokio::time::timeout(REFRESH, all).await.ok();
    let mut snapshot = engine.snapshot();
    if let Some(folder) = folder {
        let path = absolute(folder)?;
        snapshot.folders = engine.board.folder(&path).into_iter().collect();
        if let Some(only) = snapshot.folders.first() {
            (snapshot.state, snapshot.sentence) = (only.state, only.sentence.clone());
        } else {
            return Err(match engine.folder(&path) {
                Err(failure) => failure,
                Ok(_) => fault(None, "The folder is being started.", "Try again in a moment."),
            });
        }
    }
    Ok(Reply::Status { snapshot: Box::new(snapshot) })
}

fn sync(engine: &Engine, folder: Option<&str>) -> Result<Reply, Failure> {
    match folder {
        Some(folder) => engine.folder(&absolute(folder)?)?.sync(),
        None => {
            engine.folders.all().iter().for_each(|folder| folder.sync());
            engine.account.send(AccountAsk::TryNow).ok();
        }
    }
    done("Looking everywhere now.")
}

/// How long a folder that is being started is waited for.
const STARTING: Duration = Duration::from_secs(5);

async fn wait(engine: &Arc<Engine>, path: &Path, timeout_secs: Option<f64>) -> Result<Reply, Failure> {
    let settled = async {
        let mut events = engine.subscribe();
        let folder = loop {
            match engine.folder(path) {
                Ok(folder) => break folder,
                Err(failure) => {
                    let configured = engine.configuration().folders.iter().any(|known| known.path == path);
                    // A folder that is configured and does not run is being started, or cannot be.
                    let news = tokio::time::timeout(STARTING, events.recv()).await;
                    if !configured || news.is_err() {
                        return Err(failure);
                    }
                }
            }
        };
        folder.wait().await.map_err(|_| stopped())
    };
    let Some(seconds) = timeout_secs else { return settled.await };
    let limit = Duration::try_from_secs_f64(seconds)
        .map_err(|_| fault(None, "The time limit is no number of seconds.", "Give it as `--timeout 30`."))?;
    match tokio::time::timeout(limit, settled).await {
        Ok(reply) => reply,
        Err(_) => Err(not_settled(engine, path, seconds)),
    }
}

/// Why a folder is not settled, as its status says.
fn not_settled(engine: &Engine, path: &Path, seconds: f64) -> Failure {
    let Some(status) = engine.board.folder(path) else { return stopped() };
    let reason = match status.state {
        FolderState::UpToDate => "a place was not yet asked".into(),
        _ => status.sentence.trim_end_matches('.').to_owned(),
    };
    let first = status.problems.first();
    let otherwise = match status.state {
        FolderState::Paused => "`trib resume` lets it go on.",
        _ => "`trib status` says what is on its way.",
    };
    Failure {
        code: first.map(|problem| problem.code),
        sentence: format!("Not settled after {seconds} s: {reason}."),
        hint: first
            .map_or_else(|| otherwise.into(), |problem| format!("{} {}", problem.sentence, problem.hint)),
    }
}

/// A reply that says what was done.
pub(crate) fn done(sentence: impl Into<String>) -> Result<Reply, Failure> {
    Ok(Reply::Done { sentence: sentence.into() })
}

/// A failure in words.
pub(crate) fn fault(
    code: Option<ProblemCode>,
    sentence: impl Into<String>,
    hint: impl Into<String>,
) -> Failure {
    Failure { code, sentence: sentence.into(), hint: hint.into() }
}

fn stopped() -> Failure {
    fault(None, "The folder was stopped.", "Try again in a moment.")
}

pub(crate) fn not_kept(error: impl std::error::Error + 'static) -> Failure {
    let sentence =
        format!("The configuration could not be kept: {}.", crate::threads::committer::chain(&error));
    fault(None, sentence, "Make room on the disk, or look at the permissions of the file.")
}

/// A folder as a client names it: absolute, without `..`. Text after `base64:` is bytes that are not UTF-8.
pub(crate) fn absolute(text: &str) -> Result<PathBuf, Failure> {
    let path = match text.strip_prefix("base64:") {
        Some(coded) => decode(coded)?,
        None => PathBuf::from(text),
    };
    if !path.is_absolute() {
        return Err(fault(
            None,
            format!("{text} is not an absolute path."),
            "Name the folder from the root.",
        ));
    }
    // An existing folder is known by its true name, so that a link to it is the same folder.
    Ok(std::fs::canonicalize(&path).unwrap_or(path))
}

fn optional(folder: Option<String>) -> Result<Option<PathBuf>, Failure> {
    folder.as_deref().map(absolute).transpose()
}

/// The path that base64 text stands for.
pub(crate) fn decode(coded: &str) -> Result<PathBuf, Failure> {
    use std::os::unix::ffi::OsStringExt;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let bytes = STANDARD
        .decode(coded)
        .map_err(|_| fault(None, "The path is not base64.", "This is a fault of the program that asked."))?;
    Ok(std::ffi::OsString::from_vec(bytes).into())
}
