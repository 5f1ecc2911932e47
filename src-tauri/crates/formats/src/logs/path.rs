//! What a file of the git-annex branch holds, by its path.

use crate::key::Key;

/// The family of formats a file belongs to, which says how its lines are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogFamily {
    /// `UUID VALUE timestamp=TS`: see [`super::UuidLog`].
    Uuid,
    /// `TS FIELD VALUE`: see [`super::MapLog`].
    Map,
    /// `TS N`: see [`super::NumberLog`].
    Single,
    /// `TS STATUS INFO`: see [`super::PresenceLog`].
    Presence,
    /// `TS FIELD +VALUE …`: see [`super::MetadataLog`].
    Metadata,
    /// `NAME TS`: see [`super::Transitions`].
    Transitions,
    /// A file that this program does not know, and leaves alone.
    Other,
}

/// The logs that a key can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyLog {
    /// `.log`: who has the content.
    Location,
    /// `.log.web`: addresses it can be had from.
    Web,
    /// `.log.ek`: the hash keys that a VURL key turned out to hold.
    EquivalentKeys,
    /// `.log.cnk`: in which chunks a remote holds it.
    Chunks,
    /// `.log.rmt`: one remote's own state.
    RemoteState,
    /// `.log.cid`: content identifiers of importing remotes.
    ContentIdentifiers,
    /// `.log.met`: metadata.
    Metadata,
    /// `.log.rmet`: metadata of one remote.
    RemoteMetadata,
}

impl KeyLog {
    /// All of them, the longer suffixes first.
    const ALL: [KeyLog; 8] = [
        KeyLog::RemoteMetadata,
        KeyLog::Web,
        KeyLog::Chunks,
        KeyLog::RemoteState,
        KeyLog::ContentIdentifiers,
        KeyLog::Metadata,
        KeyLog::EquivalentKeys,
        KeyLog::Location,
    ];

    /// What follows the key's file name.
    pub fn suffix(self) -> &'static [u8] {
        match self {
            KeyLog::Location => b".log",
            KeyLog::Web => b".log.web",
            KeyLog::EquivalentKeys => b".log.ek",
            KeyLog::Chunks => b".log.cnk",
            KeyLog::RemoteState => b".log.rmt",
            KeyLog::ContentIdentifiers => b".log.cid",
            KeyLog::Metadata => b".log.met",
            KeyLog::RemoteMetadata => b".log.rmet",
        }
    }

    /// The format it has.
    pub fn family(self) -> LogFamily {
        match self {
            KeyLog::Location | KeyLog::Web | KeyLog::EquivalentKeys => LogFamily::Presence,
            KeyLog::Chunks | KeyLog::RemoteState | KeyLog::ContentIdentifiers => LogFamily::Map,
            KeyLog::Metadata | KeyLog::RemoteMetadata => LogFamily::Metadata,
        }
    }

    /// Where this log of `key` lies.
    pub fn path(self, key: &Key) -> Vec<u8> {
        key.log_path_with(self.suffix())
    }
}

/// The family of the file at `path` on the git-annex branch.
pub fn family_of(path: &[u8]) -> LogFamily {
    match path {
        b"uuid.log"
        | b"remote.log"
        | b"trust.log"
        | b"group.log"
        | b"preferred-content.log"
        | b"required-content.log"
        | b"schedule.log"
        | b"activity.log"
        | b"difference.log" => LogFamily::Uuid,
        b"group-preferred-content.log"
        | b"config.log"
        | b"export.log"
        | b"proxy.log"
        | b"cluster.log"
        | b"maxsize.log" => LogFamily::Map,
        b"numcopies.log" | b"mincopies.log" => LogFamily::Single,
        b"transitions.log" => LogFamily::Transitions,
        _ => key_log_of(path).map_or(LogFamily::Other, |(log, _)| log.family()),
    }
}

/// Which log of which key lies at `path`. None when it is no key's log, or does not lie in that
/// key's own directory, where nobody would look for it.
pub fn key_log_of(path: &[u8]) -> Option<(KeyLog, Key)> {
    // Two directories of three hex digits.
    if path.get(3) != Some(&b'/') || path.get(7) != Some(&b'/') {
        return None;
    }
    let file = &path[8..];
    let (log, stem) =
        KeyLog::ALL.into_iter().find_map(|log| Some((log, file.strip_suffix(log.suffix())?)))?;
    let key = Key::from_key_file(stem)?;
    (key.hash_dir_lower().as_bytes() == &path[..7]).then_some((log, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_of_keys() {
        let key = Key::parse(b"URL-s3--http://127.0.0.1:8765/www/f.txt").unwrap();
        for log in KeyLog::ALL {
            let path = log.path(&key);
            assert_eq!(key_log_of(&path), Some((log, key.clone())));
            assert_eq!(family_of(&path), log.family());
        }
        assert_eq!(KeyLog::Location.path(&key), key.log_path());
    }

    #[test]
    fn other_files() {
        for path in [
            "f43/8c4/URL-s3--http&c%%127.0.0.1&c8765%www%f.txt.log",
            "f43/8c3/URL-s3--http&c%%127.0.0.1&c8765%www%f.txt",
            "f43/8c3/x.log",
            "x.log",
            "",
            "f43/8c3/",
            "export.tree/x",
        ] {
            assert_eq!(key_log_of(path.as_bytes()), None, "{path}");
            assert_eq!(family_of(path.as_bytes()), LogFamily::Other);
        }
        assert_eq!(family_of(b"uuid.log"), LogFamily::Uuid);
        assert_eq!(family_of(b"numcopies.log"), LogFamily::Single);
        assert_eq!(family_of(b"config.log"), LogFamily::Map);
    }
}
