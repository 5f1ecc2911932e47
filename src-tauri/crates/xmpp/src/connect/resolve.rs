//! Where an account's server may be: SRV records in their order, then the domain itself.
//!
//! SRV comes from DNS; addresses come from the system's resolver, so that `/etc/hosts` and local names work.
//! Source: RFC 6120 section 3.2, RFC 2782, XEP-0368 1.1.0.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;
use rand::RngExt as _;

use crate::account::Account;
use crate::login::{LoginCause, LoginFault, LoginStep};

/// The ports that need no SRV record.
const STARTTLS_PORT: u16 = 5222;
const DIRECT_PORT: u16 = 5223;
/// A port that passes most firewalls, where only direct TLS makes sense.
const HTTPS_PORT: u16 = 443;
/// SRV records may be missing; a resolver that drops them must not hold up the login for longer.
const SRV_LIMIT: Duration = Duration::from_secs(5);
/// More records than this are no help.
const MAX_RECORDS: usize = 16;

/// A host and port to try, and how TLS begins there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: TlsMode,
}

/// How TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsMode {
    /// With the first byte.
    Direct,
    /// When asked for, on a plain stream.
    StartTls,
}

/// One SRV record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    priority: u16,
    weight: u16,
    host: String,
    port: u16,
}

/// The places of an account in the order in which they are tried; never none.
///
/// # Errors
/// When the domain cannot be a host name.
pub(crate) async fn places(account: &Account) -> Result<Vec<Place>, LoginFault> {
    if let Some((host, port)) = &account.server {
        return Ok(named_place(host, *port));
    }
    let domain = ascii(account.jid.domain())?;
    if domain.parse::<std::net::IpAddr>().is_ok() {
        return Ok(domain_places(&domain));
    }
    let (direct, starttls) =
        tokio::join!(records("_xmpps-client", &domain), records("_xmpp-client", &domain));
    let mut places = Vec::new();
    for (records, tls) in [(direct, TlsMode::Direct), (starttls, TlsMode::StartTls)] {
        let ordered = in_order(records, |total| rand::rng().random_range(0..=total));
        places.extend(ordered.into_iter().map(|r| Place { host: r.host, port: r.port, tls }));
    }
    // RFC 6120: who has records means them; the domain itself is for those who have none.
    Ok(if places.is_empty() { domain_places(&domain) } else { places })
}

/// The addresses of a place.
///
/// # Errors
/// When it has none.
pub(crate) async fn addresses(place: &Place) -> Result<Vec<SocketAddr>, LoginFault> {
    let fault = |source: Option<io::Error>| LoginFault {
        step: LoginStep::NameLookup,
        cause: LoginCause::UnknownHost { host: place.host.clone(), source: source.map(Arc::new) },
    };
    let found = tokio::net::lookup_host((place.host.as_str(), place.port)).await;
    let addresses: Vec<SocketAddr> = found.map_err(|error| fault(Some(error)))?.take(MAX_RECORDS).collect();
    if addresses.is_empty() { Err(fault(None)) } else { Ok(addresses) }
}

/// A domain as DNS and certificates spell it.
///
/// # Errors
/// When it cannot be spelt so.
pub(crate) fn ascii(domain: &str) -> Result<String, LoginFault> {
    idna::domain_to_ascii(domain).map_err(|_| LoginFault {
        step: LoginStep::NameLookup,
        cause: LoginCause::UnknownHost { host: domain.to_owned(), source: None },
    })
}

/// Nobody says how TLS begins on a port that a person named: the usual way there first, then the other.
fn named_place(host: &str, port: u16) -> Vec<Place> {
    let place = |tls| Place { host: host.to_owned(), port, tls };
    let mut places = vec![place(TlsMode::StartTls), place(TlsMode::Direct)];
    if matches!(port, DIRECT_PORT | HTTPS_PORT) {
        places.reverse();
    }
    places
}

fn domain_places(domain: &str) -> Vec<Place> {
    let place = |port, tls| Place { host: domain.to_owned(), port, tls };
    vec![place(STARTTLS_PORT, TlsMode::StartTls), place(DIRECT_PORT, TlsMode::Direct)]
}

/// The SRV records of a service; none when there are none, or when DNS does not answer.
async fn records(service: &str, domain: &str) -> Vec<Record> {
    let lookup = async {
        let resolver = TokioResolver::builder_tokio().ok()?.build().ok()?;
        resolver.srv_lookup(format!("{service}._tcp.{domain}.")).await.ok()
    };
    let Ok(Some(found)) = tokio::time::timeout(SRV_LIMIT, lookup).await else { return Vec::new() };
    let records = found.answers().iter().filter_map(|record| match &record.data {
        // A lone dot says that there is no such service.
        RData::SRV(srv) if !srv.target.is_root() => Some(Record {
            priority: srv.priority,
            weight: srv.weight,
            host: srv.target.to_ascii().trim_end_matches('.').to_owned(),
            port: srv.port,
        }),
        _ => None,
    });
    records.take(MAX_RECORDS).collect()
}

/// Orders records as RFC 2782 wants it: lowest priority first, and among equals by lot, heavy ones more often.
/// `draw` gives a number from 0 up to and with its argument.
fn in_order(mut records: Vec<Record>, mut draw: impl FnMut(u32) -> u32) -> Vec<Record> {
    // Those without weight come first, so that a lot of 0 can fall on them.
    records.sort_by_key(|record| (record.priority, record.weight));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let equals = records.iter().take_while(|record| record.priority == first.priority);
        let weights: Vec<u32> = equals.map(|record| u32::from(record.weight)).collect();
        let lot = draw(weights.iter().sum());
        let mut sum = 0;
        let winner = weights.iter().position(|weight| {
            sum += weight;
            sum >= lot
        });
        ordered.push(records.remove(winner.unwrap_or(0)));
    }
    ordered
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(priority: u16, weight: u16, host: &str) -> Record {
        Record { priority, weight, host: host.to_owned(), port: 5222 }
    }

    fn hosts(records: Vec<Record>) -> Vec<String> {
        records.into_iter().map(|record| record.host).collect()
    }

    #[test]
    fn priority_goes_before_weight() {
        let records = vec![record(20, 900, "late"), record(10, 1, "light"), record(10, 9, "heavy")];
        assert_eq!(hosts(in_order(records.clone(), |_| 0)), ["light", "heavy", "late"]);
        assert_eq!(hosts(in_order(records, |total| total)), ["heavy", "light", "late"]);
    }

    #[test]
    fn heavy_records_win_in_proportion() {
        let mut wins = 0;
        for lot in 0..=10 {
            let records = vec![record(1, 1, "light"), record(1, 9, "heavy")];
            let mut lots = [lot].into_iter();
            let ordered = in_order(records, |total| lots.next().unwrap_or(total));
            wins += usize::from(ordered[0].host == "heavy");
        }
        assert_eq!(wins, 9, "nine lots of eleven, 0 and 1 falling on the light one");
    }

    #[test]
    fn records_without_weight_are_not_lost() {
        let records = vec![record(1, 0, "a"), record(1, 0, "b")];
        assert_eq!(in_order(records, |total| total).len(), 2);
    }

    #[tokio::test]
    async fn a_named_server_is_the_only_place() {
        let mut account = Account::new("alice@p.test".parse().unwrap());
        account.server = Some(("router.local".to_owned(), 5222));
        let modes = |places: Vec<Place>| places.into_iter().map(|place| place.tls).collect::<Vec<_>>();
        let found = places(&account).await.unwrap();
        assert!(found.iter().all(|place| place.host == "router.local" && place.port == 5222));
        assert_eq!(modes(found), [TlsMode::StartTls, TlsMode::Direct]);
        account.server = Some(("router.local".to_owned(), 5223));
        assert_eq!(modes(places(&account).await.unwrap()), [TlsMode::Direct, TlsMode::StartTls]);
    }

    #[test]
    fn names_are_spelt_as_dns_wants_them() {
        assert_eq!(ascii("bücher.example").unwrap(), "xn--bcher-kva.example");
    }
}
