//! Notices: what two paired engines say to each other themselves. One stream carries one of them, and the answer that
//! it was taken in. What is in it is for `pairing/notice.rs`; here it is bytes. A farewell, that they are paired no more,
//! goes the same way and has nothing in it.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tributary_xmpp::account::FullJid;
use tributary_xmpp::channel::{self, Binding, Carrier, ChannelError, Frame, Party, Receiver, Sender};
use tributary_xmpp::device::DeviceId;
use tributary_xmpp::ibb::OpenError;
use tributary_xmpp::notice::MAX_NOTICE;

use super::Tunnels;
use super::door::Door;
use super::host::refuse;
use super::opening::open_in_band;
use super::request::Call;
use crate::state::peers::{Contact, Peer};

/// The answer: it was taken in.
const NOTED: &[u8] = b"noted";

/// How long a notice may take once its stream is open: a little goes each way, behind what the server lets through.
const EXCHANGE: Duration = Duration::from_secs(120);

/// What the other side hears when nobody here takes notices in, or its notice makes no sense.
const NOT_TAKEN: &str = "What was said could not be taken in here.";

/// A paired device says something.
pub(crate) struct NoticeCall {
    /// Who.
    pub(crate) from: DeviceId,
    /// What.
    pub(crate) said: Said,
    /// Whether it was taken in. Dropped, it was not.
    pub(crate) taken: oneshot::Sender<()>,
}

/// What a device says.
pub(crate) enum Said {
    /// A notice, at most [`MAX_NOTICE`] bytes.
    Notice(Vec<u8>),
    /// It is paired with us no more.
    Farewell,
}

/// Why a device was not told something.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoticeError {
    /// It is not online, or we are not.
    #[error("it is not online")]
    Away,
    /// It does not take streams of ours: it may not know of us yet.
    #[error("no stream to it opened")]
    Unopened(#[source] OpenError),
    /// The stream ended before it answered.
    #[error("it did not take it in")]
    Broken(#[from] ChannelError),
    /// It will not.
    #[error("it refused: {0}")]
    Refused(String),
}

impl Tunnels {
    /// Whether a paired device is online: a number that differs each time it came.
    pub(crate) fn is_online(&self, peer: &Peer) -> Option<u64> {
        self.client_of(peer).map(|(_, came)| came)
    }

    /// Counts how often somebody came with whom we have parted, and who does not know it.
    pub(crate) fn knocks(&self) -> watch::Receiver<u64> {
        self.0.knocks.subscribe()
    }

    /// Tells a paired device something. It has taken it in when this returns.
    ///
    /// # Errors
    /// As the variants say; all may pass by themselves.
    pub(crate) async fn tell(&self, device: DeviceId, said: Vec<u8>) -> Result<(), NoticeError> {
        let peer = self.0.peers.get(device).ok_or(NoticeError::Away)?;
        let (client, _) = self.client_of(&peer).ok_or(NoticeError::Away)?;
        let listed = self.list(device, None, None);
        tokio::select! {
            told = self.call(&peer, client, Call::notice(), said, || true) => told?,
            () = listed.cut.cancelled() => return Err(ChannelError::Cut.into()),
        }
        self.has_met(device, Contact::Reached);
        Ok(())
    }

    /// Tells a device with which we have parted that it is paired no more, where it was last.
    ///
    /// # Errors
    /// As the variants say; all may pass by themselves.
    pub(crate) async fn bid_farewell(&self, parted: &Peer) -> Result<(), NoticeError> {
        // It may be paired anew by now: who does that lets us in, so what is so is asked once the stream is open.
        let still_parted = || self.0.peers.has_parted_with(&parted.address);
        let told = self.call(parted, parted.address.clone(), Call::farewell(), vec![], still_parted);
        self.0.stop.run_until_cancelled(told).await.unwrap_or(Err(NoticeError::Away))
    }

    async fn call(
        &self,
        peer: &Peer,
        client: FullJid,
        request: Vec<u8>,
        said: Vec<u8>,
        still_so: impl Fn() -> bool,
    ) -> Result<(), NoticeError> {
        let line = self.now().line.clone().ok_or(NoticeError::Away)?;
        let bound = line.bound.ok_or(NoticeError::Away)?;
        // A fast way would not be worth the asking: it is little.
        let stream = open_in_band(&line.streams, &client).await.map_err(NoticeError::Unopened)?;
        let binding = Binding {
            carrier: Carrier::InBand,
            stream: stream.name().to_owned(),
            initiator: Party { device: line.keys.public().id(), address: bound },
            responder: Party { device: peer.id(), address: client },
        };
        let limit = self.0.patience.handshake;
        let (sender, receiver) = channel::initiate(stream, &line.keys, &peer.keys, &binding, limit).await?;
        if !still_so() {
            return Err(NoticeError::Away);
        }
        timeout(EXCHANGE, say(sender, receiver, request, said)).await.map_err(|_| ChannelError::Silent)?
    }

    fn has_met(&self, device: DeviceId, contact: Contact) {
        if let Err(error) = self.0.peers.met(device, contact) {
            tracing::warn!(%error, "that a computer was met is not kept");
        }
    }
}

/// Says it over a channel, and waits for the answer.
async fn say<R, W>(
    mut sender: Sender<W>,
    mut receiver: Receiver<R>,
    request: Vec<u8>,
    said: Vec<u8>,
) -> Result<(), NoticeError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    sender.send(Frame::Request(request)).await?;
    if !said.is_empty() {
        sender.send(Frame::Data(said)).await?;
    }
    sender.end().await?;
    match receiver.next().await? {
        Some(Frame::Data(answer)) if answer == NOTED => {}
        Some(Frame::Refused(why)) => return Err(NoticeError::Refused(why)),
        _ => return Err(ChannelError::Malformed.into()),
    }
    // Until the other side has ended too: the stream closes in both directions at once.
    while receiver.next().await?.is_some() {}
    Ok(())
}

/// Takes in what a paired device says.
pub(super) async fn hear<R, W>(
    tunnels: &Tunnels,
    peer: &Peer,
    door: &Door,
    mut sender: Sender<W>,
    mut receiver: Receiver<R>,
) -> Result<(), ChannelError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let listed = tunnels.list(peer.id(), None, None);
    let heard = async {
        let mut said = Vec::new();
        loop {
            match receiver.next().await? {
                Some(Frame::Data(part)) if said.len() + part.len() <= MAX_NOTICE => said.extend(part),
                Some(Frame::End) | None => break,
                _ => return Err(ChannelError::Malformed),
            }
        }
        if !hand_in(peer, door, Said::Notice(said)).await {
            return refuse(&mut sender, NOT_TAKEN).await;
        }
        tunnels.has_met(peer.id(), Contact::Served);
        note(&mut sender).await
    };
    tokio::select! {
        heard = timeout(EXCHANGE, heard) => heard.unwrap_or(Err(ChannelError::Silent)),
        () = listed.cut.cancelled() => Err(ChannelError::Cut),
    }
}

/// Takes in that a paired device has parted with us. Nothing cuts this off when we part with it for that.
pub(super) async fn hear_farewell<R, W>(
    peer: &Peer,
    door: &Door,
    mut sender: Sender<W>,
    mut receiver: Receiver<R>,
) -> Result<(), ChannelError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let heard = async {
        match receiver.next().await? {
            Some(Frame::End) | None => {}
            _ => return Err(ChannelError::Malformed),
        }
        if !hand_in(peer, door, Said::Farewell).await {
            return refuse(&mut sender, NOT_TAKEN).await;
        }
        note(&mut sender).await
    };
    timeout(EXCHANGE, heard).await.unwrap_or(Err(ChannelError::Silent))
}

/// Answers that it was taken in. The other side drops the stream when it has read this; nothing more comes.
async fn note<W: AsyncWrite + Unpin>(sender: &mut Sender<W>) -> Result<(), ChannelError> {
    sender.send(Frame::Data(NOTED.to_vec())).await?;
    sender.end().await
}

/// Hands in what a device says. Gives whether it was taken in.
async fn hand_in(peer: &Peer, door: &Door, said: Said) -> bool {
    let (taken, was_taken) = oneshot::channel();
    let call = NoticeCall { from: peer.id(), said, taken };
    match door.notices() {
        Some(notices) => notices.send(call).await.is_ok() && was_taken.await.is_ok(),
        None => false,
    }
}
