//! Addresses of repositories on paired devices: `xmpp::ACCOUNT/REPOSITORY`, such as
//! `xmpp::anna@p.example/51851c86-80d0-4da4-8153-b03795e18344`.

use tributary_formats::uuid::RepoUuid;
use tributary_xmpp::account::BareJid;

use super::SCHEME;

/// A repository on a paired device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// The device's account.
    pub(crate) account: BareJid,
    /// The repository's UUID, which no other device has.
    pub(crate) repository: RepoUuid,
}

impl Address {
    /// Reads a URL; `None` when it is none of this kind.
    pub(crate) fn parse(url: &str) -> Option<Address> {
        let rest = url.strip_prefix(SCHEME)?.strip_prefix(':')?;
        let rest = rest.strip_prefix(':').or_else(|| rest.strip_prefix("//"))?;
        let (account, repository) = rest.rsplit_once('/')?;
        Some(Address { account: account.parse().ok()?, repository: RepoUuid::parse(repository).ok()? })
    }

    /// As git's configuration has it.
    pub(crate) fn url(&self) -> String {
        format!("{SCHEME}::{}/{}", self.account.as_str(), self.repository)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_they_are_written() {
        let url = "xmpp::anna@p.example/51851c86-80d0-4da4-8153-b03795e18344";
        let address = Address::parse(url).unwrap();
        assert_eq!(address.account.as_str(), "anna@p.example");
        assert_eq!(address.url(), url);
        assert_eq!(Address::parse(&url.replace("::", "://")), Some(address));
        for url in
            ["", "xmpp:", "xmpp::anna@p.example", "xmpp::anna@p.example/", "xmpp::p.example/u", "ssh://a@b/c"]
        {
            assert_eq!(Address::parse(url), None, "{url}");
        }
    }
}
