//! Proving the password: the choice of a mechanism, and the exchange.
//!
//! Ours instead of tokio-xmpp's, which takes what is not offered for what is: with channel binding at hand it
//! looks for the bound forms only and else falls back to sending the password (prosody 0.12), or binds to what
//! the server cannot check (ejabberd 23.01: "not-authorized" for the right password); and it never looks at
//! the server's own proof. Source: RFC 6120 section 6, RFC 5802, RFC 7677, RFC 9266, XEP-0440 0.4.1.

use std::io;
use std::sync::Arc;

use futures::{SinkExt, StreamExt};
use sasl::client::mechanisms::{Plain, Scram};
use sasl::client::{Mechanism as Exchange, MechanismError};
use sasl::common::scram::{Sha1, Sha256};
use sasl::common::{ChannelBinding, Credentials};
use tokio::io::{AsyncBufRead, AsyncWrite};
use tokio_xmpp::xmlstream::{InitiatingStream, ReadError, XmlStream, XmppStreamElement};
use xmpp_parsers::sasl::{Auth, DefinedCondition, Mechanism as WireMechanism, Nonza, Response};
use xmpp_parsers::sasl_cb::Type as BindingType;
use xmpp_parsers::stream_features::StreamFeatures;

use super::{Feature, LoginCause, LoginFault, LoginStep, Mechanism};
use crate::account::{Account, Secret};
use crate::connect::{broken, unexpected};

/// Rounds of hashing that a server may ask for. Fewer than RFC 5802's minimum make a stolen exchange cheap to
/// guess from; more than this would only keep the processor busy.
const ROUNDS: std::ops::RangeInclusive<u32> = 4096..=1_000_000;

/// How the password will be proven.
#[derive(Debug, PartialEq)]
pub(crate) struct Choice {
    pub(crate) mechanism: Mechanism,
    binding: ChannelBinding,
}

/// Chooses the strongest mechanism that both ends can do.
///
/// # Errors
/// When the server offers nothing that is safe enough, or only weaker ones than were seen before.
pub(crate) fn choose(
    features: &StreamFeatures,
    binding: ChannelBinding,
    account: &Account,
) -> Result<Choice, LoginFault> {
    let offered = &features.sasl_mechanisms;
    let binding = agreed_binding(features, binding);
    let bound = matches!(binding, ChannelBinding::TlsExporter(_));
    let usable = Mechanism::ALL.into_iter().rev().find(|mechanism| {
        offered.contains(mechanism.name())
            && mechanism.is_bound() == bound
            && (*mechanism != Mechanism::Plain || account.allow_plain)
    });
    match usable {
        Some(mechanism) if account.strongest.is_none_or(|strongest| strongest <= mechanism) => {
            Ok(Choice { mechanism, binding })
        }
        _ => Err(LoginFault { step: LoginStep::Password, cause: LoginCause::Lacks(Feature::SafeLogin) }),
    }
}

/// A login is bound to the channel only when the server offers a bound form *and* lists the kind of binding that
/// we have; what else is said in its place keeps somebody in the middle from removing the offer unseen.
fn agreed_binding(features: &StreamFeatures, ours: ChannelBinding) -> ChannelBinding {
    let known =
        |name: &str| Mechanism::ALL.iter().any(|mechanism| mechanism.is_bound() && mechanism.name() == name);
    let offers_bound = features.sasl_mechanisms.iter().any(|name| name.ends_with("-PLUS"));
    let listed = features.sasl_cb.as_ref().is_some_and(|list| list.types.contains(&BindingType::TlsExporter));
    match ours {
        ChannelBinding::TlsExporter(_)
            if listed && features.sasl_mechanisms.iter().any(|name| known(name)) =>
        {
            ours
        }
        // "We could, but do not believe that you can": right only when nothing bound is offered.
        ChannelBinding::TlsExporter(_) if !offers_bound => ChannelBinding::Unsupported,
        _ => ChannelBinding::None,
    }
}

/// Proves the password by the chosen mechanism, and has the server prove that it knows the account too.
pub(crate) async fn prove<S: AsyncBufRead + AsyncWrite + Unpin>(
    mut stream: XmlStream<S, XmppStreamElement>,
    choice: Choice,
    account: &Account,
    secret: &Secret,
) -> Result<InitiatingStream<S>, LoginFault> {
    let lost = |error: io::Error| broken(LoginStep::Password, error);
    let mut exchange =
        exchange(&choice, account, secret).map_err(|error| broken(LoginStep::Password, error))?;
    let first = Nonza::Auth(Auth { mechanism: choice.mechanism.on_wire(), data: exchange.initial() });
    stream.send(&XmppStreamElement::Sasl(first)).await.map_err(lost)?;
    // SCRAM alone has something to verify; PLAIN shows the password and believes.
    let mut proven = choice.mechanism == Mechanism::Plain;
    loop {
        match next(&mut stream).await? {
            // Some servers send their proof as a last challenge instead of with their success.
            Nonza::Challenge(challenge) if challenge.data.starts_with(b"v=") => {
                exchange.success(&challenge.data).map_err(unproven)?;
                proven = true;
                stream.send(&response(Vec::new())).await.map_err(lost)?;
            }
            Nonza::Challenge(challenge) => {
                check_rounds(&challenge.data).map_err(lost)?;
                let (answer, same) = hash(exchange, challenge.data).await.map_err(lost)?;
                exchange = same;
                stream.send(&response(answer.map_err(unproven)?)).await.map_err(lost)?;
            }
            Nonza::Success(success) => {
                if !proven {
                    exchange.success(&success.data).map_err(unproven)?;
                }
                return Ok(stream.initiate_reset());
            }
            Nonza::Failure(failure) => return Err(refused(failure.defined_condition)),
            Nonza::Auth(_) | Nonza::Response(_) | Nonza::Abort(_) => {
                return Err(lost(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the server speaks the client's part",
                )));
            }
        }
    }
}

type BoxedExchange = Box<dyn Exchange + Send + Sync>;

fn exchange(choice: &Choice, account: &Account, secret: &Secret) -> Result<BoxedExchange, MechanismError> {
    let user = account.jid.user();
    let credentials = |user: &str| {
        Credentials::default()
            .with_username(user)
            .with_password(secret.expose())
            .with_channel_binding(choice.binding.clone())
    };
    // RFC 5802 section 5.1: these two separate the parts of a message.
    let escaped = || credentials(&user.replace('=', "=3D").replace(',', "=2C"));
    Ok(match choice.mechanism {
        Mechanism::Plain => Box::new(Plain::from_credentials(credentials(user))?),
        Mechanism::ScramSha1 | Mechanism::ScramSha1Plus => {
            Box::new(Scram::<Sha1>::from_credentials(escaped())?)
        }
        Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => {
            Box::new(Scram::<Sha256>::from_credentials(escaped())?)
        }
    })
}

/// Thousands of hashes: not on a thread that other tasks wait for.
async fn hash(
    mut exchange: BoxedExchange,
    challenge: Vec<u8>,
) -> io::Result<(Result<Vec<u8>, MechanismError>, BoxedExchange)> {
    let work = move || (exchange.response(&challenge), exchange);
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

fn check_rounds(challenge: &[u8]) -> io::Result<()> {
    let text = String::from_utf8_lossy(challenge);
    let rounds = text.split(',').find_map(|part| part.strip_prefix("i="));
    match rounds.map(str::parse) {
        Some(Ok(rounds)) if ROUNDS.contains(&rounds) => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the server asks for an unreasonable number of rounds",
        )),
    }
}

async fn next<S: AsyncBufRead + AsyncWrite + Unpin>(
    stream: &mut XmlStream<S, XmppStreamElement>,
) -> Result<Nonza, LoginFault> {
    loop {
        match stream.next().await {
            Some(Ok(XmppStreamElement::Sasl(nonza))) => return Ok(nonza),
            // How ejabberd's fail2ban says goodbye.
            Some(Ok(XmppStreamElement::StreamError(error))) => {
                let cause = LoginCause::Ended { condition: error.to_string() };
                return Err(LoginFault { step: LoginStep::Password, cause });
            }
            Some(Ok(other)) => return Err(broken(LoginStep::Password, unexpected(&other))),
            Some(Err(ReadError::SoftTimeout)) => (),
            Some(Err(error)) => return Err(broken(LoginStep::Password, error)),
            None => return Err(broken(LoginStep::Password, io::Error::from(io::ErrorKind::UnexpectedEof))),
        }
    }
}

fn response(data: Vec<u8>) -> XmppStreamElement {
    XmppStreamElement::Sasl(Nonza::Response(Response { data }))
}

fn unproven(error: MechanismError) -> LoginFault {
    LoginFault { step: LoginStep::Password, cause: LoginCause::Unproven { source: Arc::new(error) } }
}

/// Only `not-authorized` means the password.
fn refused(condition: DefinedCondition) -> LoginFault {
    let (condition, temporary) = match condition {
        DefinedCondition::NotAuthorized => {
            return LoginFault { step: LoginStep::Password, cause: LoginCause::WrongPassword };
        }
        DefinedCondition::AccountDisabled => ("account-disabled", false),
        DefinedCondition::CredentialsExpired => ("credentials-expired", false),
        DefinedCondition::EncryptionRequired => ("encryption-required", false),
        DefinedCondition::InvalidAuthzid => ("invalid-authzid", false),
        DefinedCondition::InvalidMechanism => ("invalid-mechanism", false),
        DefinedCondition::MechanismTooWeak => ("mechanism-too-weak", false),
        DefinedCondition::IncorrectEncoding => ("incorrect-encoding", true),
        DefinedCondition::MalformedRequest => ("malformed-request", true),
        DefinedCondition::Aborted => ("aborted", true),
        DefinedCondition::TemporaryAuthFailure => ("temporary-auth-failure", true),
    };
    let cause = LoginCause::Refused { condition: condition.to_owned(), temporary };
    LoginFault { step: LoginStep::Password, cause }
}

impl Mechanism {
    /// All of them, weakest first.
    const ALL: [Mechanism; 5] = [
        Mechanism::Plain,
        Mechanism::ScramSha1,
        Mechanism::ScramSha256,
        Mechanism::ScramSha1Plus,
        Mechanism::ScramSha256Plus,
    ];

    /// The name on the wire, which is also the one to store.
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::ScramSha1 => "SCRAM-SHA-1",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Mechanism::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
        }
    }

    /// The mechanism of that [`Mechanism::name`].
    pub fn from_name(name: &str) -> Option<Mechanism> {
        Mechanism::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    fn is_bound(self) -> bool {
        matches!(self, Mechanism::ScramSha1Plus | Mechanism::ScramSha256Plus)
    }

    fn on_wire(self) -> WireMechanism {
        match self {
            Mechanism::Plain => WireMechanism::Plain,
            Mechanism::ScramSha1 => WireMechanism::ScramSha1,
            Mechanism::ScramSha256 => WireMechanism::ScramSha256,
            Mechanism::ScramSha1Plus => WireMechanism::ScramSha1Plus,
            Mechanism::ScramSha256Plus => WireMechanism::ScramSha256Plus,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use xmpp_parsers::sasl_cb::SaslChannelBinding;

    fn exporter() -> ChannelBinding {
        ChannelBinding::TlsExporter(vec![7; 32])
    }

    fn features(mechanisms: &[&str], bindings: Option<Vec<BindingType>>) -> StreamFeatures {
        let sasl_mechanisms: BTreeSet<String> = mechanisms.iter().map(|name| (*name).to_owned()).collect();
        let sasl_cb = bindings.map(|types| SaslChannelBinding { types });
        StreamFeatures { sasl_mechanisms, sasl_cb, ..StreamFeatures::default() }
    }

    fn account() -> Account {
        Account::new("alice@p.test".parse().unwrap())
    }

    fn chosen(features: &StreamFeatures, account: &Account) -> Option<(Mechanism, &'static [u8])> {
        let choice = choose(features, exporter(), account).ok()?;
        let header: &[u8] = choice.binding.header();
        let header =
            [b"n,,".as_slice(), b"y,,", b"p=tls-exporter,,"].into_iter().find(|known| *known == header);
        Some((choice.mechanism, header.unwrap()))
    }

    /// Both were seen to go wrong with the library's own login.
    #[test]
    fn what_real_servers_offer() {
        let prosody = features(&["SCRAM-SHA-1", "PLAIN"], None);
        assert_eq!(
            chosen(&prosody, &account()),
            Some((Mechanism::ScramSha1, b"y,,".as_slice())),
            "prosody 0.12 over TLS 1.3: no bound form, and PLAIN is no way out"
        );
        let ejabberd =
            features(&["SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "PLAIN"], Some(vec![BindingType::TlsUnique]));
        assert_eq!(
            chosen(&ejabberd, &account()),
            Some((Mechanism::ScramSha1, b"n,,".as_slice())),
            "ejabberd 23.01 knows tls-unique alone, which TLS 1.3 has not"
        );
        let without_list = features(&["SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"], None);
        assert_eq!(chosen(&without_list, &account()), Some((Mechanism::ScramSha1, b"n,,".as_slice())));
    }

    #[test]
    fn the_strongest_common_one_wins() {
        let all =
            ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "X-OAUTH2"];
        let modern = features(&all, Some(vec![BindingType::TlsExporter]));
        assert_eq!(
            chosen(&modern, &account()),
            Some((Mechanism::ScramSha256Plus, b"p=tls-exporter,,".as_slice()))
        );
        let choice = choose(&modern, ChannelBinding::Unsupported, &account()).unwrap();
        assert_eq!(choice.mechanism, Mechanism::ScramSha256, "TLS 1.2 has nothing to bind to");
        assert_eq!(choice.binding, ChannelBinding::None);
        let unknown =
            features(&["SCRAM-SHA-256", "SCRAM-SHA-512-PLUS"], Some(vec![BindingType::TlsExporter]));
        assert_eq!(
            chosen(&unknown, &account()),
            Some((Mechanism::ScramSha256, b"n,,".as_slice())),
            "a bound form that we do not know is no reason to fail, nor to claim that there was none"
        );
    }

    #[test]
    fn the_password_itself_is_sent_by_permission_only() {
        let only_plain = features(&["PLAIN", "ANONYMOUS", "DIGEST-MD5"], None);
        assert_eq!(chosen(&only_plain, &account()), None);
        let permitted = Account { allow_plain: true, ..account() };
        assert_eq!(chosen(&only_plain, &permitted).map(|choice| choice.0), Some(Mechanism::Plain));
        let both = features(&["PLAIN", "SCRAM-SHA-1"], None);
        assert_eq!(chosen(&both, &permitted).map(|choice| choice.0), Some(Mechanism::ScramSha1));
    }

    #[test]
    fn weaker_than_before_is_refused() {
        let offer = features(&["SCRAM-SHA-1"], None);
        let before = Account { strongest: Some(Mechanism::ScramSha256), ..account() };
        let fault = choose(&offer, exporter(), &before).unwrap_err();
        assert!(
            matches!(fault.cause, LoginCause::Lacks(Feature::SafeLogin)),
            "somebody may have removed the rest"
        );
        let before = Account { strongest: Some(Mechanism::ScramSha1), ..account() };
        assert!(choose(&offer, exporter(), &before).is_ok());
    }

    #[test]
    fn rounds_are_bounded() {
        assert!(check_rounds(b"r=abc,s=QSXC,i=4096").is_ok());
        for challenge in ["r=abc,s=QSXC,i=1", "r=abc,s=QSXC,i=4294967295", "r=abc,s=QSXC,i=-1", "r=abc", ""] {
            assert!(check_rounds(challenge.as_bytes()).is_err(), "{challenge:?}");
        }
    }

    #[test]
    fn only_not_authorized_means_the_password() {
        assert!(matches!(refused(DefinedCondition::NotAuthorized).cause, LoginCause::WrongPassword));
        for (condition, temporary_here) in
            [(DefinedCondition::TemporaryAuthFailure, true), (DefinedCondition::AccountDisabled, false)]
        {
            let cause = refused(condition).cause;
            assert!(matches!(cause, LoginCause::Refused { temporary, .. } if temporary == temporary_here));
        }
    }

    async fn against(server: &'static [(&'static str, &'static str)]) -> Result<(), LoginFault> {
        use tokio::io::{AsyncReadExt, AsyncWriteExt, BufStream};
        let (near, mut far) = tokio::io::duplex(4096);
        tokio::spawn(async move {
            let mut buffer = vec![0; 4096];
            for (awaited, said) in server {
                let mut got = String::new();
                while !got.contains(awaited) {
                    let n = far.read(&mut buffer).await.unwrap();
                    got.push_str(&String::from_utf8_lossy(&buffer[..n]));
                }
                far.write_all(said.as_bytes()).await.unwrap();
            }
            // Held open, so that the client decides and not the end of the stream.
            let _ = far.read_to_end(&mut buffer).await;
        });
        let header = tokio_xmpp::xmlstream::StreamHeader { to: Some("p.test".into()), from: None, id: None };
        let timeouts = crate::session::Timeouts::default().stream();
        let stream =
            tokio_xmpp::xmlstream::initiate_stream(BufStream::new(near), "jabber:client", header, timeouts);
        let (features, stream) = stream.await.unwrap().recv_features().await.unwrap();
        let choice = choose(&features, exporter(), &account())?;
        prove(stream, choice, &account(), &Secret::new("pencil".to_owned())).await.map(|_| ())
    }

    const HELLO: &str = "<stream:stream xmlns='jabber:client' \
        xmlns:stream='http://etherx.jabber.org/streams' version='1.0' from='p.test' id='1'><stream:features>\
        <mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1</mechanism></mechanisms>\
        </stream:features>";

    #[tokio::test]
    async fn a_server_that_does_not_know_the_password_is_found_out() {
        let success = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
        let at_once = against(&[
            ("<stream:stream", HELLO),
            ("</auth>", "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"),
        ]);
        assert!(matches!(at_once.await.unwrap_err().cause, LoginCause::Unproven { .. }), "{success}");
        // r=x,s=QSXCR+Q6sek8bf92,i=4096 and then v=AAAA.
        let forged = against(&[
            ("<stream:stream", HELLO),
            (
                "</auth>",
                "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>cj14LHM9UVNYQ1IrUTZzZWs4YmY5MixpPTQwOTY=</challenge>",
            ),
            ("</response>", "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>dj1BQUFB</success>"),
        ]);
        assert!(matches!(forged.await.unwrap_err().cause, LoginCause::Unproven { .. }));
    }
}
