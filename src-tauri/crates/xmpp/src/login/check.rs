//! The test of an account that a person just typed: every step once, and what the server can do.

use std::io;

use futures::{SinkExt, StreamExt};
use tokio_util::sync::CancellationToken;
use tokio_xmpp::Stanza;
use tokio_xmpp::xmlstream::{FallibleStreamElement, ReadError, StreamElementError, XmppStreamElement};
use xmpp_parsers::bind::{BindQuery, BindResponse};
use xmpp_parsers::iq::Iq;
use xmpp_parsers::minidom::Element;

use super::attempt::ProvenStream;
use super::{LoginFault, LoginReport, LoginStep, log_in};
use crate::account::{Account, FullJid, Secret};
use crate::connect::resolve::TlsMode;
use crate::connect::{broken, unexpected, within};
use crate::session::Timeouts;
use crate::wire::disco;

/// Tests an account: every step once, and never more than one try with a wrong password. It binds a resource of
/// the server's choice, so a session of this device that is online is not disturbed.
///
/// A person who types the password anew also starts anew with what the server is trusted to offer: pass an
/// account whose [`Account::strongest`] is `None`, and keep the report's mechanism.
///
/// # Errors
/// The first step that fails, with its cause.
pub async fn check(
    account: &Account,
    secret: &Secret,
    timeouts: &Timeouts,
) -> Result<LoginReport, LoginFault> {
    let logged_in = log_in(account, secret, timeouts, &CancellationToken::new(), &|_| ()).await?;
    let mut stream = logged_in.stream;
    let questions = async {
        let bind = Iq::from_set("check-bind", BindQuery::new(None));
        let bound = ask(&mut stream, bind).await?.and_then(|answer| BindResponse::try_from(answer).ok());
        let bound = bound.ok_or_else(|| lost(invalid("the server gave no address")))?;
        let info = Iq::from_get("check-info", disco::info_query()).with_to(account.jid.0.clone().into());
        let pep = ask(&mut stream, info).await?.is_some_and(|answer| disco::has_pep(&answer));
        Ok((FullJid(bound.into()), pep))
    };
    let (bound, pep) = within(LoginStep::Session, timeouts.step, questions).await?;
    // A goodbye; that the server does not hear it changes nothing for the test.
    let _ = within(LoginStep::Session, timeouts.step, async { close(&mut stream).await.map_err(lost) }).await;
    Ok(LoginReport {
        bound,
        mechanism: logged_in.mechanism,
        direct_tls: logged_in.place.tls == TlsMode::Direct,
        server: (logged_in.place.host, logged_in.place.port),
        resumable: logged_in.features.stream_management.is_some(),
        pep,
    })
}

/// Sends a request and waits for its answer; `None` for an error or an empty result.
async fn ask(stream: &mut ProvenStream, iq: Iq) -> Result<Option<Element>, LoginFault> {
    let id = iq.id().to_owned();
    stream.send(&XmppStreamElement::Stanza(Stanza::Iq(iq))).await.map_err(lost)?;
    loop {
        match stream.next().await {
            Some(Ok(FallibleStreamElement::Ok(XmppStreamElement::Stanza(Stanza::Iq(answer))))) => {
                match answer {
                    Iq::Result { id: found, payload, .. } if found == id => return Ok(payload),
                    Iq::Error { id: found, .. } if found == id => return Ok(None),
                    _ => (),
                }
            }
            Some(Ok(FallibleStreamElement::Ok(XmppStreamElement::StreamError(error)))) => {
                return Err(lost(unexpected(&XmppStreamElement::StreamError(error))));
            }
            // What is sent to the account meanwhile, readable or not, is not ours to answer in a test.
            Some(Ok(
                FallibleStreamElement::Ok(_)
                | FallibleStreamElement::Err(StreamElementError::InvalidStanza { .. }),
            )) => (),
            Some(Ok(FallibleStreamElement::Err(error))) => return Err(broken(LoginStep::Session, error)),
            Some(Err(ReadError::SoftTimeout)) => (),
            Some(Err(error)) => return Err(broken(LoginStep::Session, error)),
            None => return Err(lost(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

async fn close(stream: &mut ProvenStream) -> io::Result<()> {
    SinkExt::<&XmppStreamElement>::close(stream).await
}

fn lost(error: io::Error) -> LoginFault {
    broken(LoginStep::Session, error)
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
