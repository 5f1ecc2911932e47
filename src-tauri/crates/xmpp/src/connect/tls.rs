//! TLS with the account's trust: the system's authorities, one file of them, or one pinned certificate.
//!
//! The name in the certificate is checked against the account's domain, whatever host SRV led to. Source:
//! RFC 6120 section 13.7, RFC 9266 (the channel binding), XEP-0368 1.1.0 (the protocol name).

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use sasl::common::ChannelBinding;
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{self, CryptoProvider};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, OtherError, RootCertStore,
    SignatureScheme,
};

use super::cut::Cuttable;
use super::prompt::Prompt;
use super::resolve::{self, TlsMode};
use crate::account::{Account, Fingerprint, Trust};
use crate::login::{Distrust, LoginCause, LoginFault, LoginStep};

/// The name of the protocol in the handshake, where TLS begins with the first byte.
const ALPN: &[u8] = b"xmpp-client";
/// The name of the one that files are fetched by.
const HTTP_ALPN: &[u8] = b"http/1.1";
/// What is exported to bind a login to the channel.
const BINDING_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// Makes a transport secure, or says why the server's certificate is not believed.
pub(crate) async fn handshake(
    tcp: Cuttable<Prompt>,
    account: &Account,
    mode: TlsMode,
) -> Result<(TlsStream<Cuttable<Prompt>>, ChannelBinding), LoginFault> {
    let fault = |cause| LoginFault { step: LoginStep::Certificate, cause };
    let domain = resolve::ascii(account.jid.domain())?;
    let name = ServerName::try_from(domain.clone()).map_err(|_| LoginFault {
        step: LoginStep::NameLookup,
        cause: LoginCause::UnknownHost { host: domain, source: None },
    })?;
    let judge = Judge::new(account.trust.clone()).await;
    let witness = judge.map_err(|error| fault(LoginCause::NoAuthorities { source: Arc::new(error) }))?;
    let mut config = config(witness.clone());
    if mode == TlsMode::Direct {
        config.alpn_protocols = vec![ALPN.to_vec()];
    }
    match TlsConnector::from(Arc::new(config)).connect(name, tcp).await {
        Ok(stream) => {
            let binding = binding(&stream);
            Ok((stream, binding))
        }
        Err(error) => Err(match witness.verdict.get() {
            Some(Verdict { fingerprint, refused: Some(refused) }) => {
                let source = Arc::new(io::Error::new(io::ErrorKind::InvalidData, refused.clone()));
                fault(LoginCause::Untrusted { why: distrust(refused), fingerprint: *fingerprint, source })
            }
            _ => super::broken(LoginStep::Tls, error),
        }),
    }
}

/// Makes a connection to somebody else than the account's server secure: whom the account believes is believed there, for
/// the name of that host.
pub(crate) async fn secure(tcp: TcpStream, host: &str, trust: Trust) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let mut config = config(Judge::new(trust).await?);
    config.alpn_protocols = vec![HTTP_ALPN.to_vec()];
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await
}

fn config(judge: Arc<Judge>) -> ClientConfig {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring has the suites of both versions")
        .dangerous()
        .with_custom_certificate_verifier(judge)
        .with_no_client_auth()
}

/// Decides about certificates, and remembers how: the handshake's own error may be what became of the connection
/// after the server was told.
struct Judge {
    rule: Rule,
    verdict: OnceLock<Verdict>,
}

/// The certificate that was seen, and why it is not believed.
#[derive(Debug)]
struct Verdict {
    fingerprint: Fingerprint,
    refused: Option<TlsError>,
}

enum Rule {
    Authorities(Arc<WebPkiServerVerifier>),
    Pinned(Fingerprint),
}

/// The certificate is another than the one that a person confirmed.
#[derive(Debug, thiserror::Error)]
#[error("the certificate is another than the one that was confirmed")]
struct NotThePinned;

impl Judge {
    async fn new(trust: Trust) -> io::Result<Arc<Judge>> {
        let rule = match trust {
            Trust::Pinned(fingerprint) => Rule::Pinned(fingerprint),
            // Hundreds of files are read for the system's authorities.
            trust => {
                tokio::task::spawn_blocking(move || authorities(&trust)).await.map_err(io::Error::other)??
            }
        };
        Ok(Arc::new(Judge { rule, verdict: OnceLock::new() }))
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let fingerprint = Fingerprint(Sha256::digest(certificate).into());
        let result = match &self.rule {
            Rule::Authorities(verifier) => {
                verifier.verify_server_cert(certificate, intermediates, name, ocsp, now)
            }
            Rule::Pinned(pinned) if *pinned == fingerprint => Ok(ServerCertVerified::assertion()),
            Rule::Pinned(_) => {
                let other = CertificateError::Other(OtherError(Arc::new(NotThePinned)));
                Err(TlsError::InvalidCertificate(other))
            }
        };
        // A handshake verifies once; should it do so again, the first verdict is the one about the certificate.
        let _ = self.verdict.set(Verdict { fingerprint, refused: result.as_ref().err().cloned() });
        result
    }

    // A pinned certificate is public: only these signatures prove that the server has its key.

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &provider().signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &provider().signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge").field("verdict", &self.verdict).finish_non_exhaustive()
    }
}

/// The one provider of this crate, named instead of the process's default: other crates of the program may
/// bring another one, and with two there is no default.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(crypto::ring::default_provider())).clone()
}

fn authorities(trust: &Trust) -> io::Result<Rule> {
    let mut roots = RootCertStore::empty();
    match trust {
        Trust::CaFile(path) => {
            for certificate in CertificateDer::pem_file_iter(path).map_err(io::Error::other)? {
                roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
            }
        }
        // Some of a system's certificates may be unreadable or odd: those that remain decide.
        _ => _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    }
    if roots.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "there is no certificate of an authority in it",
        ));
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    Ok(Rule::Authorities(verifier.map_err(io::Error::other)?))
}

/// What a refusal means to a person.
fn distrust(refused: &TlsError) -> Distrust {
    let TlsError::InvalidCertificate(error) = refused else { return Distrust::Other };
    match error {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Distrust::OutOfDate,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Distrust::WrongName
        }
        // A bad signature is an authority of a name that we know, but not with the key that we know.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Distrust::UnknownAuthority,
        CertificateError::Other(OtherError(error)) if error.is::<NotThePinned>() => Distrust::NotThePinned,
        _ => Distrust::Other,
    }
}

fn binding(stream: &TlsStream<Cuttable<Prompt>>) -> ChannelBinding {
    let (_, connection) = stream.get_ref();
    // RFC 9266 has the exporter for TLS 1.2 only where the extended master secret is in use, which rustls does
    // not tell; what is not bound is still proven by SCRAM.
    if connection.protocol_version() != Some(tokio_rustls::rustls::ProtocolVersion::TLSv1_3) {
        return ChannelBinding::Unsupported;
    }
    let exported = connection.export_keying_material(vec![0; 32], BINDING_LABEL, None);
    exported.map_or(ChannelBinding::Unsupported, ChannelBinding::TlsExporter)
}
