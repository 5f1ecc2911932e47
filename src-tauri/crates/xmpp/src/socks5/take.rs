//! Taking an offer: comes to one place after the other, and says where it stayed.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::meeting::{self, Name};
use super::{Ask, DEPTH, MEETING, Offered, Socks5, Socks5Stream};
use crate::wire::socks5::{self as wire, StreamHost};

/// One place after the other may take so long together: the other side waits.
const ALL_PLACES: Duration = Duration::from_secs(12);

/// Takes offers until nobody makes any.
pub(super) async fn attend(
    socks5: Socks5,
    mut offered: mpsc::Receiver<Offered>,
    inbox: mpsc::Sender<Socks5Stream>,
) {
    let mut under_way = JoinSet::new();
    while let Some(offer) = offered.recv().await {
        while under_way.len() >= DEPTH {
            under_way.join_next().await;
        }
        under_way.spawn(take(socks5.clone(), offer, inbox.clone()));
    }
}

async fn take(socks5: Socks5, offered: Offered, inbox: mpsc::Sender<Socks5Stream>) {
    let Offered { from, id, offer } = offered;
    let came = async {
        // Without room, or a session, there is nothing to come for.
        let (place, own) = (inbox.try_reserve().ok()?, socks5.services.bound().ok()?);
        let room = Arc::clone(&socks5.room).try_acquire_owned().ok()?;
        let name = Name::new(&offer.stream, from.as_str(), own.as_str());
        let (tcp, at) = timeout(ALL_PLACES, come(&offer.hosts, &name)).await.ok()??;
        let direct = at.jid == from.as_str();
        let stream = Socks5Stream::new(from.clone(), offer.stream.clone(), direct, tcp, Some(room)).ok()?;
        Some((place, stream, at.jid.clone()))
    };
    let came = came.await;
    let payload = came.as_ref().map(|(_, _, jid)| wire::used(&offer.stream, jid));
    // Where the session is gone, the other end hears of it by itself.
    if socks5.services.say(Ask::Answer { to: from, id, payload }).await.is_ok()
        && let Some((place, stream, _)) = came
    {
        place.send(stream);
    }
}

/// The first place where we are let in. One at a time, so that the other side knows which one counts.
async fn come<'a>(hosts: &'a [StreamHost], name: &Name) -> Option<(TcpStream, &'a StreamHost)> {
    for host in hosts {
        let meeting = async {
            let mut tcp = TcpStream::connect((host.host.as_str(), host.port)).await?;
            meeting::come(&mut tcp, name).await.map(|()| tcp)
        };
        if let Ok(Ok(tcp)) = timeout(MEETING, meeting).await {
            return Some((tcp, host));
        }
    }
    None
}
