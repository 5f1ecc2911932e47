//! Offering a stream: where we listen, and which proxies our server has; the other client says where it came to.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use xmpp_parsers::jid::Jid;

use super::meeting::{self, Name};
use super::{Found, Kind, MEETING, Socks5, Socks5Error, Socks5Stream};
use crate::account::FullJid;
use crate::wire::socks5::{self as wire, Offer, StreamHost};

/// Strangers who knock at a listener at the same time; more wait.
const KNOCKING: usize = 8;

/// Where the other client may come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Places {
    /// This machine.
    Here,
    /// The proxies of our server.
    Proxies,
    /// Both, in this order.
    All,
}

impl Socks5 {
    /// Offers a client a stream, and meets it at one of these places.
    pub(super) async fn offer(
        &self,
        peer: &FullJid,
        stream: String,
        places: Places,
    ) -> Result<Socks5Stream, Socks5Error> {
        let own = self.services.bound()?;
        let name = Name::new(&stream, own.as_str(), peer.as_str());
        let mut hosts = Vec::new();
        let mut arrivals = Arrivals::none();
        let addresses = match places {
            Places::Here | Places::All if !self.hidden => own_addresses(self.services.here().ends.own),
            _ => BTreeSet::new(),
        };
        for ip in addresses {
            // An address that cannot be listened at is no place to meet.
            let Ok(listener) = TcpListener::bind(SocketAddr::new(ip, 0)).await else { continue };
            let Ok(at) = listener.local_addr() else { continue };
            hosts.push(StreamHost { jid: own.as_str().to_owned(), host: ip.to_string(), port: at.port() });
            arrivals.listen(listener, name.clone());
        }
        let proxies = match places {
            Places::Here => vec![],
            Places::Proxies | Places::All => self.proxies(&own).await,
        };
        hosts.extend(proxies.iter().cloned());
        hosts.truncate(wire::MAX_HOSTS);
        if hosts.is_empty() {
            return Err(Socks5Error::NoWay);
        }
        let offer = wire::offer(&Offer { stream: stream.clone(), hosts });
        let answer = self.services.ask(Jid::from(peer.0.clone()), Kind::Set, offer).await?;
        let used = answer.as_ref().and_then(wire::read_used).ok_or(Socks5Error::NoWay)?;
        let (tcp, direct) = if used == own.as_str() {
            (arrivals.last().ok_or(Socks5Error::NoWay)?, true)
        } else {
            let proxy = proxies.iter().find(|proxy| proxy.jid == used).ok_or(Socks5Error::NoWay)?;
            (self.meet_at(proxy, &stream, &name, peer).await?, false)
        };
        Socks5Stream::new(peer.clone(), stream, direct, tcp).map_err(Socks5Error::Broken)
    }

    /// Comes to a proxy where the other client is already, and has it join the two.
    async fn meet_at(
        &self,
        proxy: &StreamHost,
        stream: &str,
        name: &Name,
        peer: &FullJid,
    ) -> Result<TcpStream, Socks5Error> {
        let meeting = async {
            let mut tcp = TcpStream::connect((proxy.host.as_str(), proxy.port)).await?;
            meeting::come(&mut tcp, name).await.map(|()| tcp)
        };
        let tcp = timeout(MEETING, meeting).await.map_err(|_| Socks5Error::Silent)?;
        let to = proxy.jid.parse().map_err(|_| Socks5Error::NoWay)?;
        let tcp = tcp.map_err(Socks5Error::Broken)?;
        self.services.ask(to, Kind::Set, wire::activate(stream, peer.as_str())).await?;
        Ok(tcp)
    }

    /// The proxies of our server, asked for once in a session.
    async fn proxies(&self, own: &FullJid) -> Vec<StreamHost> {
        let mut known = self.proxies.lock().await;
        if let Some(found) = known.as_ref().filter(|found| found.session == *own) {
            return found.proxies.clone();
        }
        let proxies = self.find_proxies().await;
        *known = Some(Found { session: own.clone(), proxies: proxies.clone() });
        proxies
    }

    async fn find_proxies(&self) -> Vec<StreamHost> {
        let services = self.services.all().await.unwrap_or_default().into_iter();
        let asked = services.filter(|(_, info)| wire::is_proxy(info)).map(async |(service, _)| {
            let place = self.services.ask(service.clone(), Kind::Get, wire::where_are_you()).await;
            let hosts = place.ok().flatten().map(|place| wire::hosts(&place)).unwrap_or_default();
            // Which service is meant is ours to say, not its.
            hosts.into_iter().filter(|host| host.jid == service.as_str()).collect::<Vec<_>>()
        });
        futures::future::join_all(asked).await.concat()
    }
}

/// Those who came to our listeners and knew the meeting's name. Dropping it closes the listeners.
struct Arrivals {
    listening: JoinSet<()>,
    tell: mpsc::UnboundedSender<TcpStream>,
    came: mpsc::UnboundedReceiver<TcpStream>,
}

impl Arrivals {
    fn none() -> Arrivals {
        let (tell, came) = mpsc::unbounded_channel();
        Arrivals { listening: JoinSet::new(), tell, came }
    }

    fn listen(&mut self, listener: TcpListener, name: Name) {
        let tell = self.tell.clone();
        self.listening.spawn(async move {
            let mut knocking = JoinSet::new();
            loop {
                let Ok((mut guest, _)) = listener.accept().await else { return };
                while knocking.len() >= KNOCKING {
                    knocking.join_next().await;
                }
                let (tell, name) = (tell.clone(), name.clone());
                knocking.spawn(async move {
                    if let Ok(Ok(())) = timeout(MEETING, meeting::let_in(&mut guest, &name)).await {
                        // The offer may be over.
                        let _ = tell.send(guest);
                    }
                });
            }
        });
    }

    /// Who came last: whoever takes an offer tries one place after the other, and stays at the last.
    fn last(mut self) -> Option<TcpStream> {
        let mut last = None;
        while let Ok(guest) = self.came.try_recv() {
            last = Some(guest);
        }
        last
    }
}

/// Addresses at which others may reach this machine: the one on the way to the server, and those on the way to anywhere.
fn own_addresses(to_server: Option<IpAddr>) -> BTreeSet<IpAddr> {
    // Nothing is sent: the system is asked which address it would send from. These are addresses for documentation.
    let anywhere: [(IpAddr, IpAddr); 2] = [
        (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into()),
        (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()),
    ];
    let on_the_way = anywhere.into_iter().filter_map(|(from, to)| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect((to, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    });
    let all = to_server.into_iter().chain(on_the_way);
    all.map(|ip| ip.to_canonical()).filter(|ip| !ip.is_unspecified()).collect()
}
