//! Pairing: invitations, tries to join, answers, and who is paired.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tributary_status::{Failure, PeerStatus, Reply};
use tributary_xmpp::device::DeviceId;
use tributary_xmpp::pairing::Right;

use super::fault;
use crate::engine::Engine;
use crate::pairing::joining::{Given, Joining};
use crate::pairing::message;
use crate::secrets::SecretError;
use crate::state::line::Line;
use crate::threads::pairing::{AnswerAsk, InviteAsk, PairingAsk};

/// How long an account that is not online is waited for.
const GETTING_ONLINE: Duration = Duration::from_secs(10);

/// Invites somebody to a folder.
pub(super) async fn invite(
    engine: &Arc<Engine>,
    folder: &Path,
    read_only: bool,
    accept: bool,
) -> Result<Reply, Failure> {
    let running = engine.folder(folder)?;
    let ours = running.desk.with(|desk| desk.repo.uuid().clone()).await;
    let right = if read_only { Right::ReadOnly } else { Right::Edit };
    line(engine).await?;
    let ask = InviteAsk { folder: folder.into(), ours, right, accept };
    let invitation = ask_thread(engine, |reply| PairingAsk::Invite(ask, reply)).await??;
    Ok(Reply::Invited { invitation })
}

/// Joins a folder. Ends with the offer when the person did not say yes beforehand.
pub(super) async fn join(
    engine: &Arc<Engine>,
    invitation: &str,
    folder: Option<PathBuf>,
    from: Option<&str>,
    yes: bool,
) -> Result<Reply, Failure> {
    let account = engine.configuration().account.ok_or_else(message::no_account)?;
    let own = account.jid.parse().map_err(|_| message::no_account())?;
    // What is wrong with it is said even when nobody is online.
    let given = Given::read(invitation, from, &own)?;
    let line = line(engine).await?;
    let secrets = engine.device.now().ok_or_else(|| message::no_secrets(&SecretError::Locked))?;
    let (first, heard) = oneshot::channel();
    let joining = Joining::new(engine.clone(), line, secrets.keys.clone(), given, folder, yes);
    engine.tasks.spawn(joining.run(first));
    heard.await.unwrap_or_else(|_| Err(stopping()))
}

/// The account's line. One that was set up a moment ago is still getting online, and its keys are being read.
async fn line(engine: &Engine) -> Result<Line, Failure> {
    engine.configuration().account.ok_or_else(message::no_account)?;
    let online = async {
        let (mut lines, mut secrets) = (engine.lines.changes(), engine.device.changes());
        loop {
            if let (Some(line), Some(_)) = (engine.lines.now(), engine.device.now()) {
                return line;
            }
            tokio::select! {
                Ok(_) = lines.changed() => {}
                Ok(_) = secrets.changed() => {}
            }
        }
    };
    match tokio::time::timeout(GETTING_ONLINE, online).await {
        Ok(line) => Ok(line),
        Err(_) => engine.lines.now().ok_or_else(message::no_account),
    }
}

/// Says yes or no to whoever asks.
pub(super) async fn answer(engine: &Arc<Engine>, answer: AnswerAsk) -> Result<Reply, Failure> {
    ask_thread(engine, |reply| PairingAsk::Answer(answer, reply)).await?
}

/// Gives up what is under way.
pub(super) async fn cancel(engine: &Arc<Engine>, pairing: String) -> Result<Reply, Failure> {
    ask_thread(engine, |reply| PairingAsk::Cancel(pairing, reply)).await?
}

/// Who is paired, and what is under way.
pub(super) fn peers(engine: &Engine, folder: Option<&Path>) -> Result<Reply, Failure> {
    let snapshot = engine.snapshot();
    let (mut peers, mut pairings) = (snapshot.peers, snapshot.pairings);
    if let Some(folder) = folder {
        engine.folder(folder)?;
        let is_it = |text: &str| Path::new(text) == folder;
        peers.retain(|peer| peer.folders.iter().any(|shared| is_it(&shared.folder)));
        pairings.retain(|pairing| pairing.folder.as_deref().is_some_and(is_it));
    }
    Ok(Reply::Peers { peers, pairings })
}

/// Takes back what was given to a paired computer.
pub(super) async fn unpair(engine: &Arc<Engine>, peer: &str) -> Result<Reply, Failure> {
    let device = named(&engine.snapshot().peers, peer)?;
    ask_thread(engine, |reply| PairingAsk::Unpair(device, reply)).await?
}

/// The computer that a person means: by its fingerprint, its name, or its account where that has one computer.
fn named(peers: &[PeerStatus], text: &str) -> Result<DeviceId, Failure> {
    let is_called =
        |peer: &&PeerStatus| peer.id == text || peer.peer.name == text || peer.peer.account == text;
    let mut called = peers.iter().filter(is_called);
    let hint = "`trib peers` lists them with their fingerprints.";
    let none = || fault(None, format!("No paired computer is called {text}."), hint);
    let found = called.next().ok_or_else(none)?;
    if called.next().is_some() {
        return Err(fault(None, format!("More than one paired computer is called {text}."), hint));
    }
    found.id.parse().map_err(|_| none())
}

async fn ask_thread<T>(
    engine: &Engine,
    ask: impl FnOnce(oneshot::Sender<T>) -> PairingAsk,
) -> Result<T, Failure> {
    let (reply, answer) = oneshot::channel();
    engine.pairing.send(ask(reply)).map_err(|_| stopping())?;
    answer.await.map_err(|_| stopping())
}

fn stopping() -> Failure {
    fault(None, "It was over before there was an answer.", "`trib peers` lists what is under way.")
}

#[cfg(test)]
mod tests {
    use tributary_status::Person;

    use super::*;

    fn peer(id: u8, name: &str, account: &str) -> PeerStatus {
        PeerStatus {
            id: format!("{id:032x}"),
            words: String::new(),
            peer: Person { name: name.into(), account: account.into() },
            own: false,
            online: false,
            way: None,
            presence_since: None,
            connected: false,
            since: String::new(),
            introduced_by: None,
            folders: vec![],
        }
    }

    #[test]
    fn a_computer_is_named_so_that_no_other_is_meant() {
        let peers = [peer(1, "laptop", "ben@p.example"), peer(2, "desktop", "ben@p.example")];
        let id = |text: &str| named(&peers, text).map(|device| device.to_string()).ok();
        assert_eq!(id("laptop"), Some(peers[0].id.clone()));
        assert_eq!(id(&peers[1].id), Some(peers[1].id.clone()));
        assert_eq!(id("ben@p.example"), None, "that would be either");
        assert_eq!(id("tablet"), None);
    }
}
