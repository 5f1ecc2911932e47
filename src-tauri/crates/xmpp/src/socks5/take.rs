//! What others ask for: taking an offer (one comes to one place after the other, and says where one stayed), and making one
//! for who cannot be come to.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc::Permit;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::meeting::{self, Name};
use super::offer::Places;
use super::{Ask, DEPTH, MEETING, Request, Socks5, Socks5Stream};
use crate::account::FullJid;
use crate::wire::socks5::{self as wire, Offer, StreamHost, Wish};

/// One place after the other may take so long together: the other side waits.
const ALL_PLACES: Duration = Duration::from_secs(12);

/// Does what is asked for until nobody asks.
pub(super) async fn attend(
    socks5: Socks5,
    mut requested: mpsc::Receiver<Request>,
    inbox: mpsc::Sender<Socks5Stream>,
) {
    // Apart from each other: who makes an offer waits until the other end takes it, and both ends may ask at once.
    let (mut taking, mut making) = (JoinSet::new(), JoinSet::new());
    while let Some(Request { from, id, wish }) = requested.recv().await {
        match wish {
            Wish::Take(offer) => {
                while taking.len() >= DEPTH {
                    taking.join_next().await;
                }
                taking.spawn(take(socks5.clone(), from, id, offer, inbox.clone()));
            }
            Wish::Make(stream) => {
                while making.try_join_next().is_some() {}
                if making.len() < DEPTH {
                    making.spawn(make(socks5.clone(), from, id, stream, inbox.clone()));
                } else {
                    // Where the session is gone, the other end hears of it by itself.
                    let _ = socks5.services.say(Ask::Answer { to: from, id, payload: None }).await;
                }
            }
        }
    }
}

/// Who gets a stream.
enum Place<'a> {
    /// Whoever asked for it here.
    Awaited(oneshot::Sender<Socks5Stream>),
    /// Whoever takes in what others open.
    Inbox(Room<'a>),
}

/// Room for a stream that another opens, and its place among those that nobody took yet.
struct Room<'a>(Permit<'a, Socks5Stream>, OwnedSemaphorePermit);

impl<'a> Room<'a> {
    fn find(socks5: &Socks5, inbox: &'a mpsc::Sender<Socks5Stream>) -> Option<Room<'a>> {
        let place = inbox.try_reserve().ok()?;
        Some(Room(place, Arc::clone(&socks5.room).try_acquire_owned().ok()?))
    }

    fn give(self, stream: Socks5Stream) {
        let Room(place, room) = self;
        place.send(Socks5Stream { _room: Some(room), ..stream });
    }
}

async fn take(socks5: Socks5, from: FullJid, id: String, offer: Offer, inbox: mpsc::Sender<Socks5Stream>) {
    let came = async {
        // Without room, or a session, there is nothing to come for.
        let own = socks5.services.bound().ok()?;
        let place = match socks5.awaited.claim(&from, &offer.stream) {
            Some(waits) => Place::Awaited(waits),
            None => Place::Inbox(Room::find(&socks5, &inbox)?),
        };
        let name = Name::new(&offer.stream, from.as_str(), own.as_str());
        let (tcp, at) = timeout(ALL_PLACES, come(&offer.hosts, &name)).await.ok()??;
        let direct = at.jid == from.as_str();
        let stream = Socks5Stream::new(from.clone(), offer.stream.clone(), direct, tcp).ok()?;
        Some((place, stream, at.jid.clone()))
    };
    let came = came.await;
    let payload = came.as_ref().map(|(_, _, jid)| wire::used(&offer.stream, jid));
    // Where the session is gone, the other end hears of it by itself.
    if socks5.services.say(Ask::Answer { to: from, id, payload }).await.is_ok()
        && let Some((place, stream, _)) = came
    {
        match place {
            // Who waited may be gone; then the stream is dropped.
            Place::Awaited(waits) => _ = waits.send(stream),
            Place::Inbox(room) => room.give(stream),
        }
    }
}

/// Offers a stream to who asked for that, and hands it out as one that the other end opened, which it did.
async fn make(socks5: Socks5, from: FullJid, id: String, stream: String, inbox: mpsc::Sender<Socks5Stream>) {
    let made = async {
        let room = Room::find(&socks5, &inbox)?;
        Some((room, socks5.offer(&from, stream.clone(), Places::All).await.ok()?))
    };
    let made = made.await;
    let payload = made.as_ref().map(|_| wire::meet(&stream));
    if socks5.services.say(Ask::Answer { to: from, id, payload }).await.is_ok()
        && let Some((room, stream)) = made
    {
        room.give(stream);
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
