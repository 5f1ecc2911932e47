//! Asking: the arguments as a command to the running engine, and its reply as a sentence or JSON.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::CommandFactory as _;
use clap::error::ErrorKind;
use tokio::sync::broadcast::error::RecvError;
use tributary_engine::Home;
use tributary_engine::client::{Client, ClientError};
use tributary_status::{Command, Failure, HeldAnswer, PauseLength, Reply};

use crate::arguments::{Arguments, RemoteVerb, Verb, XmppVerb};
use crate::{login, pairing, show};

/// Asks, shows, and says how it went.
pub(crate) async fn run(verb: Verb, json: bool) -> ExitCode {
    let watch = matches!(verb, Verb::Status { watch: true, .. });
    let command = match command(verb, json) {
        Ok(command) => command,
        Err(error) => match error.downcast::<clap::Error>() {
            Ok(usage) => usage.exit(),
            Err(error) => return failed(json, format!("{error:#}."), "Nothing was changed."),
        },
    };
    let client = match connect().await {
        Ok(client) => client,
        Err(error) => {
            let hint = match error.downcast_ref::<ClientError>() {
                Some(ClientError::NotRunning) => "Start it from the menu, or run `trib daemon`.",
                _ => "Try again.",
            };
            return failed(json, format!("{error:#}."), hint);
        }
    };
    // Subscribed first, so that nothing falls between the snapshot and the events.
    let events = if watch { client.subscribe().await.ok() } else { None };
    let reply = match client.command(command).await {
        Ok(reply) => reply,
        Err(error) => return failed(json, format!("{error}."), "Start it again and ask again."),
    };
    let reply = match answered(&client, reply).await {
        Ok(reply) => reply,
        Err(error) => return failed(json, format!("{error:#}."), "Nothing was set up."),
    };
    let code = show::reply(&reply, json);
    if let Some(mut events) = events {
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(event) => show::event(&event, json),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => break,
                },
                () = client.gone() => break,
            }
        }
    }
    code
}

/// Carries a person's answer to an offer back.
async fn answered(client: &Client, reply: Reply) -> anyhow::Result<Reply> {
    let Reply::Offered { offer } = reply else { return Ok(reply) };
    // Reading a terminal blocks, and the runtime has other threads.
    let answer = tokio::task::spawn_blocking(move || pairing::ask(&offer)).await??;
    Ok(client.command(answer).await?)
}

async fn connect() -> anyhow::Result<Client> {
    let home = Home::from_environment()?;
    Ok(Client::connect(&home.socket()).await?)
}

/// Wrong usage that the table of arguments alone cannot see: exit code 2, as for all other.
pub(crate) fn usage(said: &str) -> anyhow::Error {
    Arguments::command().error(ErrorKind::ArgumentConflict, said).into()
}

fn failed(json: bool, sentence: String, hint: &str) -> ExitCode {
    // Causes begin in lower case, sentences do not.
    let sentence = match sentence.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => sentence,
    };
    show::reply(&Reply::Failed { failure: Failure { code: None, sentence, hint: hint.into() } }, json)
}

fn command(verb: Verb, json: bool) -> anyhow::Result<Command> {
    Ok(match verb {
        Verb::Add { dir, description } => Command::AddFolder { folder: folder(&dir)?, description },
        Verb::Clone { url, dir, place: name, description } => {
            Command::CloneFolder { url: place(&url)?, folder: folder(&dir)?, place: name, description }
        }
        Verb::Remove { dir } => Command::RemoveFolder { folder: folder(&dir)? },
        Verb::Remote(RemoteVerb::Add { dir, name, what, contents }) => {
            remote(folder(&dir)?, name, &what, contents)?
        }
        Verb::Remote(RemoteVerb::List { dir }) => Command::ListRemotes { folder: folder(&dir)? },
        Verb::Remote(RemoteVerb::Remove { dir, name }) => {
            Command::RemoveRemote { folder: folder(&dir)?, name }
        }
        Verb::Remote(RemoteVerb::Confirm { dir, name }) => {
            Command::ConfirmPlace { folder: folder(&dir)?, name }
        }
        Verb::Xmpp(XmppVerb::Login { jid, password_stdin, password_command, server, ca, pin, keyring }) => {
            login::command(jid, password_stdin, password_command, server, ca, pin, keyring)?
        }
        Verb::Xmpp(XmppVerb::Logout) => Command::Logout,
        Verb::Status { dir, .. } => Command::Status { folder: dir.as_deref().map(folder).transpose()? },
        Verb::Wait { dir, timeout } => Command::Wait { folder: folder(&dir)?, timeout_secs: timeout },
        Verb::Sync { dir } => Command::Sync { folder: dir.as_deref().map(folder).transpose()? },
        Verb::Whereis { path } => Command::Whereis { path_base64: coded(&path)? },
        Verb::Get { path } => Command::Get { path_base64: coded(&path)? },
        Verb::Drop { path } => Command::DropContent { path_base64: coded(&path)? },
        Verb::Held { dir, restore, delete } => Command::Held {
            folder: folder(&dir)?,
            answer: match (restore, delete) {
                (true, _) => Some(HeldAnswer::Restore),
                (_, true) => Some(HeldAnswer::Delete),
                _ => None,
            },
        },
        Verb::Invite { dir, accept, read_only } => {
            Command::Invite { folder: folder(&dir)?, read_only, accept }
        }
        Verb::Join { invitation, dir, from, yes } => {
            pairing::can_ask(yes, json)?;
            Command::Join { invitation, folder: dir.as_deref().map(folder).transpose()?, from, yes }
        }
        Verb::Peers { dir } => Command::Peers { folder: dir.as_deref().map(folder).transpose()? },
        Verb::Accept { peer } => {
            Command::AnswerPairing { pairing: peer, yes: true, folder: None, local_places: false }
        }
        Verb::Decline { peer } => {
            Command::AnswerPairing { pairing: peer, yes: false, folder: None, local_places: false }
        }
        Verb::Unpair { peer } => Command::Unpair { peer },
        Verb::Pause { dir, length } => Command::Pause {
            folder: dir.as_deref().map(folder).transpose()?,
            length: length.map_or(PauseLength::UntilResumed, |seconds| PauseLength::Seconds { seconds }),
        },
        Verb::Resume { dir } => Command::Resume { folder: dir.as_deref().map(folder).transpose()? },
        Verb::Doctor => Command::Doctor,
        Verb::Daemon | Verb::FilterProcess => bail!("this one is no question"),
    })
}

fn remote(folder: String, name: String, what: &[String], contents: bool) -> anyhow::Result<Command> {
    let special =
        what.iter().any(|word| word.starts_with("type=")) || what.iter().all(|word| is_parameter(word));
    if !special {
        let [url] = what else {
            return Err(usage("a git remote has one URL, a special remote `type=T key=value…`"));
        };
        return Ok(Command::AddGitRemote { folder, name, url: place(url)?, contents });
    }
    if contents {
        return Err(usage("--contents is for git remotes; a special remote holds contents anyway"));
    }
    let mut parameters = BTreeMap::new();
    for word in what {
        let (key, value) =
            word.split_once('=').ok_or_else(|| usage(&format!("{word:?} is not key=value")))?;
        let value = if key == "directory" { place(value)? } else { value.to_owned() };
        parameters.insert(key.to_owned(), value);
    }
    Ok(Command::AddSpecialRemote { folder, name, parameters })
}

fn is_parameter(word: &str) -> bool {
    word.split_once('=')
        .is_some_and(|(key, _)| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// A URL as it is; a path of this machine from the root, since the engine stands elsewhere.
fn place(text: &str) -> anyhow::Result<String> {
    let path = Path::new(text);
    // git takes `host:path` for ssh, unless a slash comes before the colon.
    let colon = text.find(':');
    let is_url = colon.is_some_and(|colon| !text[..colon].contains('/'));
    if is_url || path.is_absolute() {
        return Ok(text.to_owned());
    }
    let absolute = std::path::absolute(path)?;
    Ok(absolute.to_str().context("the path is not UTF-8")?.to_owned())
}

/// A folder as the engine takes it: from the root, base64 where it is not UTF-8.
fn folder(path: &Path) -> anyhow::Result<String> {
    let path = std::path::absolute(path)?;
    Ok(match path.to_str() {
        Some(text) if !text.starts_with("base64:") => text.to_owned(),
        _ => format!("base64:{}", STANDARD.encode(path.as_os_str().as_bytes())),
    })
}

fn coded(path: &Path) -> anyhow::Result<String> {
    Ok(STANDARD.encode(std::path::absolute(path)?.as_os_str().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_stay_and_paths_start_at_the_root() {
        assert_eq!(place("ssh://host/p").unwrap(), "ssh://host/p");
        assert_eq!(place("host:p").unwrap(), "host:p");
        assert_eq!(place("/a/b").unwrap(), "/a/b");
        assert!(place("b/c:d").unwrap().ends_with("/b/c:d"));
        assert!(place("b").unwrap().starts_with('/'));
    }

    #[test]
    fn parameters_make_a_special_remote() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let special =
            remote("/f".into(), "d".into(), &words("type=directory directory=/x encryption=none"), false);
        assert!(
            matches!(special.unwrap(), Command::AddSpecialRemote { parameters, .. } if parameters.len() == 3)
        );
        let git = remote("/f".into(), "h".into(), &words("/x/y.git"), true);
        assert!(matches!(git.unwrap(), Command::AddGitRemote { contents: true, .. }));
        assert!(remote("/f".into(), "h".into(), &words("/x /y"), false).is_err());
    }
}
