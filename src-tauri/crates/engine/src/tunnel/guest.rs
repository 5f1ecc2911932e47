//! The guest: proves who it is, asks for a service of a repository on a paired device, and hands the stream to git.

use std::io;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tributary_repo::transport::Stream;
use tributary_xmpp::account::FullJid;
use tributary_xmpp::channel::{self, Binding, ChannelError, Frame, Party};
use tributary_xmpp::device::DeviceKeys;

use super::Patience;
use super::bridge::{self, Ends, Pads, refused};
use super::carried::{Carried, Way};
use super::files::Files;
use super::request::Request;
use crate::state::peers::Peer;

/// Who asks whom.
pub(super) struct Guest<'a> {
    pub(super) own: &'a DeviceKeys,
    pub(super) bound: FullJid,
    pub(super) peer: &'a Peer,
    pub(super) patience: Patience,
    /// How what is much goes as a file, when streams go in-band.
    pub(super) files: Option<Files>,
}

impl Guest<'_> {
    /// Asks for a service, and waits until the host has begun with it. What is returned besides the stream carries it,
    /// and has to be run.
    pub(super) async fn ask(
        &self,
        stream: Carried,
        request: Request,
        cut: CancellationToken,
    ) -> io::Result<(Stream, BoxFuture<'static, ()>)> {
        let binding = Binding {
            carrier: stream.carrier(),
            stream: stream.name.clone(),
            initiator: Party { device: self.own.public().id(), address: self.bound.clone() },
            responder: Party { device: self.peer.id(), address: stream.peer.clone() },
        };
        let files = self.files.clone().filter(|_| stream.way == Way::InBand);
        let pads = if stream.way == Way::Proxy { Pads::Guest } else { Pads::Never };
        let patience = self.patience;
        let agreed = async {
            let limit = patience.handshake;
            let (mut sender, mut receiver) =
                channel::initiate(stream, self.own, &self.peer.keys, &binding, limit).await?;
            sender.send(Frame::Request(request.encode())).await?;
            sender.flush().await?;
            // Git's services speak first, after what the host itself may have to say.
            let mut takes_files = false;
            let first = loop {
                let next = tokio::time::timeout(patience.silence, receiver.next());
                match next.await.map_err(|_| ChannelError::Silent)?? {
                    Some(Frame::TakesFiles) => takes_files = true,
                    first => break first,
                }
            };
            Ok::<_, ChannelError>((sender, receiver, first, takes_files))
        };
        let agreed = tokio::select! {
            agreed = agreed => agreed,
            () = cut.cancelled() => Err(ChannelError::Cut),
        };
        let (sender, receiver, first, takes_files) = agreed.map_err(failed)?;
        let (Ends { reader, writer }, feed) = bridge::bridge();
        match first {
            Some(Frame::Data(piece)) => feed.begin_with(piece).await,
            Some(Frame::Refused(why)) => return Err(refused(&why)),
            _ => return Err(failed(ChannelError::Malformed)),
        }
        let end = cut.clone();
        let carried = async move {
            let files = files.map(|files| (files, takes_files));
            feed.carry(receiver, sender, patience, pads, files, &cut).await;
        }
        .boxed();
        let cut = Arc::new(move || end.cancel());
        Ok((Stream { reader: Box::new(reader), writer: Box::new(writer), cut }, carried))
    }
}

/// Nobody but the other end can be at fault here, and later it may not be.
fn failed(fault: ChannelError) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, fault)
}
