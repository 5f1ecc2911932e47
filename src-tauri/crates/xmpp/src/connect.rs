//! Reaching the server: from an account to an encrypted stream whose certificate is believed.
//!
//! tokio-xmpp's own connectors know no trust settings, no order among SRV records, and report nothing but
//! "failed"; this one names the step and the cause. Source: RFC 6120 sections 3 and 5, XEP-0368 1.1.0.

pub(crate) mod cut;
pub(crate) mod prompt;
pub(crate) mod resolve;
pub(crate) mod tls;

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, SinkExt, StreamExt, future};
use sasl::common::ChannelBinding;
use tokio::io::BufStream;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_xmpp::xmlstream::{
    PendingFeaturesRecv, ReadError, RecvFeaturesError, StreamHeader, XmlStream, XmppStreamElement,
    initiate_stream,
};
use xmpp_parsers::{ns, starttls};

use self::cut::Cuttable;
use self::prompt::{Ends, Prompt};
use self::resolve::{Place, TlsMode};
use crate::account::{Account, BareJid};
use crate::login::{Feature, LoginCause, LoginFault, LoginStep};
use crate::session::Timeouts;

/// A head start for each address before the next one is tried beside it (RFC 8305 section 5).
const ADDRESS_PAUSE: Duration = Duration::from_millis(250);

/// The encrypted transport.
pub(crate) type Transport = BufStream<TlsStream<Cuttable<Prompt>>>;

/// A stream on which the server's features come next.
pub(crate) struct Connected {
    /// The stream, with its header received.
    pub(crate) stream: PendingFeaturesRecv<Transport>,
    /// What binds a login to this very TLS channel; `Unsupported` on TLS 1.2.
    pub(crate) binding: ChannelBinding,
    /// The place that answered.
    pub(crate) place: Place,
    /// The addresses of the way there.
    pub(crate) ends: Ends,
}

/// Tells which step is being done.
pub(crate) type OnStep<'a> = &'a (dyn Fn(LoginStep) + Send + Sync);

/// Tries the account's places in their order until one gives an encrypted stream. A certificate that is not
/// believed ends the search: a second place is no reason to believe it.
pub(crate) async fn connect(
    account: &Account,
    timeouts: &Timeouts,
    cut: &CancellationToken,
    on_step: OnStep<'_>,
) -> Result<Connected, LoginFault> {
    on_step(LoginStep::NameLookup);
    let mut furthest: Option<LoginFault> = None;
    for place in resolve::places(account).await? {
        match try_place(place, account, timeouts, cut, on_step).await {
            Ok(connected) => return Ok(connected),
            Err(fault) if fault.step >= LoginStep::Certificate => return Err(fault),
            // The fault of the place that came furthest tells a person most.
            Err(fault) if furthest.as_ref().is_none_or(|known| fault.step > known.step) => {
                furthest = Some(fault)
            }
            Err(_) => (),
        }
    }
    Err(furthest.expect("there is always a place to try"))
}

async fn try_place(
    place: Place,
    account: &Account,
    timeouts: &Timeouts,
    cut: &CancellationToken,
    on_step: OnStep<'_>,
) -> Result<Connected, LoginFault> {
    on_step(LoginStep::NameLookup);
    let addresses = within(LoginStep::NameLookup, timeouts.step, resolve::addresses(&place)).await?;
    on_step(LoginStep::Connect);
    let tcp = within(LoginStep::Connect, timeouts.step, race(addresses, &place)).await?;
    on_step(LoginStep::Tls);
    let ends = tcp.ends();
    let tcp = Cuttable::new(tcp, cut.clone());
    let connected = within(LoginStep::Tls, timeouts.step, encrypt(tcp, place, account, timeouts)).await?;
    Ok(Connected { ends, ..connected })
}

/// Connects to whichever address answers first; the first failure is the one that is told.
async fn race(addresses: Vec<std::net::SocketAddr>, place: &Place) -> Result<Prompt, LoginFault> {
    let tries = addresses.into_iter().zip(0..).map(|(address, at)| {
        async move {
            tokio::time::sleep(ADDRESS_PAUSE * at).await;
            TcpStream::connect(address).await
        }
        .boxed()
    });
    let unreachable = |source: io::Error| {
        let cause = LoginCause::Unreachable { host: place.to_string(), source: Arc::new(source) };
        LoginFault { step: LoginStep::Connect, cause }
    };
    let (tcp, _) = future::select_ok(tries).await.map_err(unreachable)?;
    // Stanzas are small and each is waited for.
    Prompt::new(tcp).map_err(unreachable)
}

async fn encrypt(
    tcp: Cuttable<Prompt>,
    place: Place,
    account: &Account,
    timeouts: &Timeouts,
) -> Result<Connected, LoginFault> {
    let tcp = match place.tls {
        TlsMode::Direct => tcp,
        TlsMode::StartTls => ask_for_tls(tcp, &account.jid, timeouts).await?,
    };
    let (encrypted, binding) = tls::handshake(tcp, account, place.tls).await?;
    let stream = open(BufStream::new(encrypted), &account.jid, timeouts).await;
    Ok(Connected {
        stream: stream.map_err(|error| broken(LoginStep::Tls, error))?,
        binding,
        place,
        ends: Ends::default(),
    })
}

/// Asks on a plain stream for TLS. Whatever came after the server's consent is thrown away with the stream's
/// buffer, so nobody can put something in front of the handshake.
async fn ask_for_tls(
    tcp: Cuttable<Prompt>,
    jid: &BareJid,
    timeouts: &Timeouts,
) -> Result<Cuttable<Prompt>, LoginFault> {
    let lost = |error| broken(LoginStep::Tls, error);
    let stream = open(BufStream::new(tcp), jid, timeouts).await.map_err(lost)?;
    let (features, mut stream): (_, XmlStream<_, XmppStreamElement>) =
        stream.recv_features().await.map_err(|error| no_features(LoginStep::Tls, error))?;
    if !features.can_starttls() {
        return Err(LoginFault { step: LoginStep::Tls, cause: LoginCause::Lacks(Feature::Encryption) });
    }
    let request = XmppStreamElement::Starttls(starttls::Nonza::Request(starttls::Request));
    stream.send(&request).await.map_err(lost)?;
    loop {
        match stream.next().await {
            Some(Ok(XmppStreamElement::Starttls(starttls::Nonza::Proceed(_)))) => break,
            Some(Ok(other)) => return Err(broken(LoginStep::Tls, unexpected(&other))),
            Some(Err(ReadError::SoftTimeout)) => (),
            Some(Err(error)) => return Err(broken(LoginStep::Tls, error)),
            None => return Err(lost(io::ErrorKind::UnexpectedEof.into())),
        }
    }
    Ok(stream.into_inner().into_inner())
}

/// Sends our stream header and receives the server's.
async fn open<S: tokio::io::AsyncBufRead + tokio::io::AsyncWrite + Unpin>(
    io: S,
    jid: &BareJid,
    timeouts: &Timeouts,
) -> io::Result<PendingFeaturesRecv<S>> {
    let header = StreamHeader { to: Some(Cow::Borrowed(jid.domain())), from: None, id: None };
    initiate_stream(io, ns::JABBER_CLIENT, header, timeouts.stream()).await
}

/// Runs a step within its time limit.
pub(crate) async fn within<T>(
    step: LoginStep,
    limit: Duration,
    work: impl Future<Output = Result<T, LoginFault>>,
) -> Result<T, LoginFault> {
    let timed_out = |_| LoginFault { step, cause: LoginCause::TimedOut { after: limit } };
    tokio::time::timeout(limit, work).await.map_err(timed_out)?
}

/// The connection ended or said what it should not.
pub(crate) fn broken(step: LoginStep, error: impl std::error::Error + Send + Sync + 'static) -> LoginFault {
    LoginFault { step, cause: LoginCause::Broken { source: Arc::new(error) } }
}

/// The server sent no features: it said why, or the connection broke.
pub(crate) fn no_features(step: LoginStep, error: RecvFeaturesError) -> LoginFault {
    match error {
        RecvFeaturesError::StreamError(error) => {
            LoginFault { step, cause: LoginCause::Ended { condition: error.to_string() } }
        }
        RecvFeaturesError::Io(error) => broken(step, error),
    }
}

/// The server sent an element that has no place here. Only its kind is told: the rest could be anything.
pub(crate) fn unexpected(element: &XmppStreamElement) -> io::Error {
    let kind = match element {
        XmppStreamElement::StreamError(error) => return io::Error::other(error.to_string()),
        XmppStreamElement::Stanza(_) => "a stanza",
        XmppStreamElement::Sasl(_) => "a login element",
        XmppStreamElement::Starttls(_) => "a refusal to encrypt",
        XmppStreamElement::ComponentHandshake(_) | XmppStreamElement::SM(_) => "an element out of turn",
    };
    io::Error::new(io::ErrorKind::InvalidData, format!("the server sent {kind}"))
}
