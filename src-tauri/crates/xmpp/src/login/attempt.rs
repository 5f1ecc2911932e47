//! One login: from nothing to a stream that is proven, on which a session can be opened.

use std::borrow::Cow;

use tokio_util::sync::CancellationToken;
use tokio_xmpp::connect::AsyncReadAndWrite;
use tokio_xmpp::xmlstream::{FallibleStreamElement, StreamHeader, XmlStream};
use xmpp_parsers::stream_features::StreamFeatures;

use super::{Feature, LoginCause, LoginFault, LoginStep, Mechanism, sasl};
use crate::account::{Account, Secret};
use crate::connect::prompt::Ends;
use crate::connect::resolve::Place;
use crate::connect::{self, OnStep, broken, no_features, within};
use crate::session::Timeouts;

/// A stream that stanzas can be sent on, once a resource is bound or a session resumed.
pub(crate) type ProvenStream = XmlStream<Box<dyn AsyncReadAndWrite + Send>, FallibleStreamElement>;

/// What a login gives.
pub(crate) struct LoggedIn {
    pub(crate) stream: ProvenStream,
    /// What the server offers to those who logged in.
    pub(crate) features: StreamFeatures,
    pub(crate) mechanism: Mechanism,
    pub(crate) place: Place,
    /// The addresses of the way to the server.
    pub(crate) ends: Ends,
}

/// Logs in once. Cancelling `cut` breaks the connection, during the login and for as long as it lives.
pub(crate) async fn log_in(
    account: &Account,
    secret: &Secret,
    timeouts: &Timeouts,
    cut: &CancellationToken,
    on_step: OnStep<'_>,
) -> Result<LoggedIn, LoginFault> {
    let connected = connect::connect(account, timeouts, cut, on_step).await?;
    on_step(LoginStep::Password);
    let proof = async {
        let found = connected.stream.recv_features().await;
        let (features, stream) = found.map_err(|error| no_features(LoginStep::Password, error))?;
        let choice = sasl::choose(&features, connected.binding, account)?;
        let mechanism = choice.mechanism;
        Ok((sasl::prove(stream, choice, account, secret).await?, mechanism))
    };
    let (stream, mechanism) = within(LoginStep::Password, timeouts.step, proof).await?;
    on_step(LoginStep::Session);
    let opening = async {
        let header = StreamHeader { to: Some(Cow::Borrowed(account.jid.domain())), from: None, id: None };
        let stream = stream.send_header(header).await.map_err(|error| broken(LoginStep::Session, error))?;
        stream.recv_features().await.map_err(|error| no_features(LoginStep::Session, error))
    };
    let (features, stream): (StreamFeatures, XmlStream<_, FallibleStreamElement>) =
        within(LoginStep::Session, timeouts.step, opening).await?;
    if !features.can_bind() {
        // The stanza stream would panic over it.
        return Err(LoginFault { step: LoginStep::Session, cause: LoginCause::Lacks(Feature::Binding) });
    }
    Ok(LoggedIn {
        stream: stream.box_stream(),
        features,
        mechanism,
        place: connected.place,
        ends: connected.ends,
    })
}
