//! The host: lets paired devices in, and serves the folders that are shared with them.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tributary_repo::serve::{self, ServeError, Served};
use tributary_repo::transport::Service;
use tributary_xmpp::account::FullJid;
use tributary_xmpp::channel::{self, Binding, ChannelError, Frame, Party, Receiver, Sender};
use tributary_xmpp::device::DeviceKeys;
use tributary_xmpp::pairing::Right;

use super::bridge::{self, Ends, Pads};
use super::carried::{Carried, Way};
use super::door::{Door, Inside, Pushed};
use super::files::Files;
use super::request::{Call, Request};
use super::{Listed, Tunnels, notice};
use crate::state::peers::{Contact, Peer};

/// Said both when there is no such folder and when it is another's: who asks learns nothing of the others.
const NOT_SHARED: &str = "This folder is not shared with this computer.";
const READ_ONLY: &str = "This folder may be read from this computer, and not changed.";
const NOT_NOW: &str = "This folder cannot be served at the moment.";
const NOT_UNDERSTOOD: &str =
    "What is asked for is not known here. One of the two programs is older than the other.";

/// Whether a right is enough for a service.
pub(super) fn permits(right: Right, service: Service) -> bool {
    match service {
        Service::UploadPack => true,
        Service::ReceivePack => right == Right::Edit,
    }
}

/// Takes streams in until the session that they come from is gone.
pub(super) async fn attend<S>(tunnels: Tunnels, mut inbox: mpsc::Receiver<S>, door: Door)
where
    S: Into<Carried> + Send + 'static,
{
    let stop = tunnels.0.stop.clone();
    while let Some(Some(stream)) = stop.run_until_cancelled(inbox.recv()).await {
        let stream: Carried = stream.into();
        let (tunnels, door) = (tunnels.clone(), door.clone());
        tokio::spawn(async move {
            // It was let in a moment ago; by now it may have left.
            let Some(peer) = tunnels.behind(&stream.peer) else { return };
            let line = tunnels.now().line.clone();
            let Some((keys, Some(bound))) = line.map(|line| (line.keys, line.bound)) else { return };
            match receive(&tunnels, stream, bound, &keys, &peer, &door).await {
                Ok(served) => tracing::debug!(device = %peer.id(), ?served, "a paired computer was served"),
                // Whoever only tries a way ends it at once.
                Err(ChannelError::Cut) => tracing::debug!(device = %peer.id(), "a tunnel was cut"),
                Err(fault) => tracing::info!(device = %peer.id(), %fault, "a tunnel came to nothing"),
            }
        });
    }
}

/// Serves one stream that came to this address. Gives what came of it; none when it was refused.
pub(super) async fn receive(
    tunnels: &Tunnels,
    stream: Carried,
    bound: FullJid,
    keys: &DeviceKeys,
    peer: &Peer,
    door: &Door,
) -> Result<Option<Served>, ChannelError> {
    let patience = tunnels.0.patience;
    let (client, way) = (stream.peer.clone(), stream.way);
    let binding = Binding {
        carrier: stream.carrier(),
        stream: stream.name.clone(),
        initiator: Party { device: peer.id(), address: client.clone() },
        responder: Party { device: keys.public().id(), address: bound },
    };
    let (mut sender, mut receiver) =
        channel::accept(stream, keys, &peer.keys, &binding, patience.handshake).await?;
    let asked = tokio::time::timeout(patience.handshake, receiver.next()).await;
    let asked = asked.map_err(|_| ChannelError::Silent)??;
    let call = match asked {
        Some(Frame::Request(bytes)) => Call::decode(&bytes),
        _ => return Err(ChannelError::Malformed),
    };
    let request = match call {
        Some(Call::Git(request)) => request,
        Some(Call::Notice) => {
            return notice::hear(tunnels, peer, door, sender, receiver).await.map(|()| None);
        }
        Some(Call::Farewell) => {
            return notice::hear_farewell(peer, door, sender, receiver).await.map(|()| None);
        }
        None => return refuse(&mut sender, NOT_UNDERSTOOD).await.map(|()| None),
    };
    match admit(tunnels, peer, &request, door).await {
        Ok((inside, listed)) => {
            tunnels.went(&client, way);
            let pads = if way == Way::Proxy { Pads::Host } else { Pads::Never };
            let files = tunnels.files_with(&client).filter(|_| way == Way::InBand);
            let how = (pads, files);
            Ok(Some(host(tunnels, peer, request, inside, listed, how, (sender, receiver)).await))
        }
        Err(why) => refuse(&mut sender, why).await.map(|()| None),
    }
}

/// Finds the folder, and whether this device may do this with it.
async fn admit(
    tunnels: &Tunnels,
    peer: &Peer,
    request: &Request,
    door: &Door,
) -> Result<(Inside, Listed), &'static str> {
    let right = tunnels.0.peers.they_may(peer.id(), &request.repository).ok_or(NOT_SHARED)?;
    if !permits(right, request.asked.service) {
        return Err(READ_ONLY);
    }
    let (door, uuid) = (door.clone(), request.repository.clone());
    let inside = tokio::task::spawn_blocking(move || door.open(&uuid));
    let inside = inside.await.expect("looking for a folder does not panic").ok_or(NOT_NOW)?;
    let listed = tunnels.list(peer.id(), Some(request.repository.clone()), Some(request.asked.service));
    // Which repository of the folder it has is its own to say; it was not known when it was paired.
    if let Err(error) = tunnels.0.peers.has_repository(peer.id(), &request.repository, &request.own) {
        tracing::warn!(%error, "which repository a computer has is not kept");
    }
    Ok((inside, listed))
}

pub(super) async fn refuse<W: AsyncWrite + Unpin>(
    sender: &mut Sender<W>,
    why: &str,
) -> Result<(), ChannelError> {
    sender.send(Frame::Refused(why.to_owned())).await?;
    sender.end().await
}

async fn host<R, W>(
    tunnels: &Tunnels,
    peer: &Peer,
    request: Request,
    inside: Inside,
    listed: Listed,
    (pads, files): (Pads, Option<Files>),
    (sender, receiver): (Sender<W>, Receiver<R>),
) -> Served
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let patience = tunnels.0.patience;
    let (Ends { reader, mut writer }, feed) = bridge::bridge();
    let (pushed, asked) = (inside.pushed, request.asked);
    let serving = tokio::task::spawn_blocking(move || {
        let served = inside.repositories.with(|repo| {
            serve::serve(repo.git(), asked, patience.limits, reader, &mut writer, &inside.cancel)
        });
        match served {
            Ok(Ok(served)) => {
                writer.exit(served.status);
                Ok(served)
            }
            Ok(Err(fault)) => Err((fault.to_string(), matches!(fault, ServeError::Refused(_)), writer)),
            Err(fault) => Err((fault.to_string(), false, writer)),
        }
    });
    let files = files.map(|files| (files, false));
    let carried = feed.carry(receiver, sender, patience, pads, files, &listed.cut);
    let finished = async {
        match serving.await.expect("serving does not panic") {
            Ok(served) => served,
            Err((fault, refused, writer)) => {
                tracing::info!(device = %peer.id(), fault, "a paired computer was not served");
                // Its own push is what it can be told about; what is wrong here is ours.
                let why = if refused { fault } else { NOT_NOW.to_owned() };
                tokio::task::spawn_blocking(move || writer.refuse(why)).await.ok();
                Served { status: -1, moved: vec![] }
            }
        }
    };
    let (_, served) = tokio::join!(carried, finished);
    if served.status == 0
        && let Err(error) = tunnels.0.peers.met(peer.id(), Contact::Served)
    {
        tracing::warn!(%error, "that a computer was served is not kept");
    }
    if !served.moved.is_empty() {
        pushed(Pushed { by: request.own, moved: served.moved.clone() });
    }
    served
}
