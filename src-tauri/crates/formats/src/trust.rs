//! How far a repository's word is believed, as `trust.log` says.

use crate::logs::UuidLog;
use crate::uuid::RepoUuid;

/// A repository's trust level. Ordered from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Trust {
    /// Gone for good: its copies do not count.
    Dead,
    /// May lose contents at any time: its copies do not count towards numcopies.
    Untrusted,
    /// Its copies count once they were checked.
    #[default]
    SemiTrusted,
    /// Its copies count on the log's word.
    Trusted,
}

impl Trust {
    /// Reads a value of `trust.log`; one that is unknown is semitrusted, as in git-annex.
    pub fn parse(value: &[u8]) -> Trust {
        match value {
            b"1" => Trust::Trusted,
            b"0" => Trust::Untrusted,
            b"X" => Trust::Dead,
            _ => Trust::SemiTrusted,
        }
    }

    /// The value in `trust.log`.
    pub fn as_log_value(self) -> &'static str {
        match self {
            Trust::Trusted => "1",
            Trust::Untrusted => "0",
            Trust::SemiTrusted => "?",
            Trust::Dead => "X",
        }
    }

    /// A repository's trust by `trust.log`; semitrusted when that says nothing.
    pub fn of(trust_log: &UuidLog, uuid: &RepoUuid) -> Trust {
        trust_log.get(uuid).map_or(Trust::default(), Trust::parse)
    }

    /// The level by its name in expressions and configuration.
    pub fn named(name: &str) -> Option<Trust> {
        match name {
            "trusted" => Some(Trust::Trusted),
            "semitrusted" => Some(Trust::SemiTrusted),
            "untrusted" => Some(Trust::Untrusted),
            "dead" => Some(Trust::Dead),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        use Trust::*;
        for trust in [Dead, Untrusted, SemiTrusted, Trusted] {
            assert_eq!(Trust::parse(trust.as_log_value().as_bytes()), trust);
        }
        assert!(Dead < Untrusted && Untrusted < SemiTrusted && SemiTrusted < Trusted);
        let log = UuidLog::parse(b"a X timestamp=1s\nb new-level timestamp=1s\n");
        let of = |name| Trust::of(&log, &RepoUuid::parse(name).unwrap());
        assert_eq!((of("a"), of("b"), of("c")), (Dead, SemiTrusted, SemiTrusted));
    }
}
