//! The storage set-up that is handed over with a folder: its places as data, in JSON.
//!
//! It comes from another computer, which a person let in or joined: each entry is checked before it is shown or used.
//! What is not understood, or could do more than name a place, is left out. Passwords in addresses are never sent.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use tributary_formats::uuid::RepoUuid;
use tributary_status::OfferedPlace;

use crate::commands::place_name_is_good;
use crate::state::places::{PlaceRow, Reach};

/// Most places that are taken.
const MAX_PLACES: usize = 32;
/// Most repositories that a folder is recognised by.
const MAX_KNOWN: usize = 128;
/// Longest name of a branch, bytes.
const MAX_BRANCH: usize = 200;
/// Longest address, path or parameter, bytes.
const MAX_TEXT: usize = 2048;
/// Most parameters of a place.
const MAX_PARAMETERS: usize = 32;
/// What the carrier takes, bytes: places that do not fit are left out, the last ones first.
const MAX_SET_UP: usize = 32 * 1024;

/// Parameters that hold keys or belong to one computer: they are not handed over.
const KEPT_BACK: [&str; 9] =
    ["cipher", "cipherkeys", "s3creds", "davcreds", "glaciercreds", "name", "type", "directory", "timestamp"];

/// The places that come with a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SetUp {
    places: Vec<SharedPlace>,
    /// Repositories of the folder, by which a copy of it is recognised that has not heard of the inviter's.
    #[serde(default)]
    known: Vec<RepoUuid>,
    /// The branch that the folder's files are on.
    #[serde(default = "usual_branch")]
    branch: String,
}

fn usual_branch() -> String {
    "master".into()
}

impl Default for SetUp {
    fn default() -> Self {
        Self { places: vec![], known: vec![], branch: usual_branch() }
    }
}

/// A place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum SharedPlace {
    /// A git remote.
    Git {
        /// Its name.
        name: String,
        /// A URL, or a path on this machine.
        url: String,
        /// Whether the inviter only reads there.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        read_only: bool,
    },
    /// A special remote.
    Special {
        /// Its name.
        name: String,
        /// Its git-annex UUID.
        uuid: RepoUuid,
        /// git-annex's type.
        #[serde(rename = "type")]
        of_type: String,
        /// git-annex's other parameters, as remote.log has them.
        parameters: BTreeMap<String, String>,
        /// Where it is, when it is a folder of the inviter's machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        directory: Option<String>,
        /// Whether the inviter only reads there.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        read_only: bool,
    },
}

impl SetUp {
    /// The set-up of a folder with these places, of which these repositories are known.
    pub(crate) fn of(rows: &[PlaceRow], known: Vec<RepoUuid>, branch: &str) -> Self {
        let places = rows.iter().filter_map(SharedPlace::of).take(MAX_PLACES).collect();
        let known = known.into_iter().take(MAX_KNOWN).collect();
        Self { places, known, branch: branch.to_owned() }
    }

    /// These places.
    pub(crate) fn keeping(places: Vec<SharedPlace>, known: Vec<RepoUuid>, branch: String) -> Self {
        Self { places, known, branch }
    }

    /// As bytes that the carrier takes.
    pub(crate) fn encode(mut self) -> Vec<u8> {
        loop {
            let text = serde_json::to_vec(&self).expect("plain data always serialises");
            if text.len() <= MAX_SET_UP {
                return text;
            }
            self.places.pop();
        }
    }

    /// Reads what another computer sent; `None` when it makes no sense as a whole.
    pub(crate) fn decode(text: &[u8]) -> Option<Self> {
        let mut sent: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(text).ok()?;
        let places = match sent.remove("places") {
            None => vec![],
            Some(serde_json::Value::Array(places)) => places,
            Some(_) => return None,
        };
        // A kind of place that a newer version knows is one place less, and no reason to refuse the folder.
        let places: Vec<SharedPlace> = places
            .into_iter()
            .take(MAX_PLACES)
            .filter_map(|place| serde_json::from_value(place).ok())
            .filter(SharedPlace::is_harmless)
            .collect();
        let mut names = std::collections::BTreeSet::new();
        let known = match sent.remove("known") {
            Some(serde_json::Value::Array(known)) => known,
            _ => vec![],
        };
        let branch = sent.remove("branch").and_then(|name| serde_json::from_value(name).ok());
        let branch = branch.filter(|name: &String| is_branch(name));
        let known = known.into_iter().take(MAX_KNOWN).filter_map(|uuid| serde_json::from_value(uuid).ok());
        Some(Self {
            places: places.into_iter().filter(|place| names.insert(place.name().to_owned())).collect(),
            known: known.collect(),
            branch: branch.unwrap_or_else(usual_branch),
        })
    }

    /// The places, to be used.
    pub(crate) fn into_places(self) -> Vec<SharedPlace> {
        self.places
    }

    /// The folder's branch.
    pub(crate) fn branch(&self) -> &str {
        &self.branch
    }

    /// Repositories of the folder.
    pub(crate) fn known(&self) -> &[RepoUuid] {
        &self.known
    }

    /// The places.
    pub(crate) fn places(&self) -> &[SharedPlace] {
        &self.places
    }
}

impl SharedPlace {
    fn of(row: &PlaceRow) -> Option<Self> {
        let place = match &row.reach {
            Reach::Git(_) => Self::Git { name: row.name.clone(), url: row.url(), read_only: row.read_only },
            Reach::Special { config, directory } => Self::Special {
                name: row.name.clone(),
                uuid: row.uuid.clone()?,
                of_type: config.remote_type()?.to_owned(),
                parameters: config
                    .iter()
                    .filter(|(field, _)| !KEPT_BACK.contains(field))
                    .map(|(field, value)| (field.to_owned(), value.to_owned()))
                    .collect(),
                directory: match directory {
                    Some(directory) => Some(directory.to_str()?.to_owned()),
                    None => None,
                },
                read_only: row.read_only,
            },
        };
        // What the other side would leave out is not sent.
        place.is_harmless().then_some(place)
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Git { name, .. } | Self::Special { name, .. } => name,
        }
    }

    /// Whether whoever offers it only reads there; so who joins by that does not do more.
    pub(crate) fn is_read_only(&self) -> bool {
        match self {
            Self::Git { read_only, .. } | Self::Special { read_only, .. } => *read_only,
        }
    }

    /// The folder of a machine that it is, if it is one.
    pub(crate) fn local_path(&self) -> Option<PathBuf> {
        match self {
            Self::Git { url, .. } => url.starts_with('/').then(|| url.into()),
            Self::Special { directory, .. } => directory.as_ref().map(PathBuf::from),
        }
    }

    /// As a person sees it.
    pub(crate) fn shown(&self) -> OfferedPlace {
        let url = match self {
            Self::Git { url, .. } => url.clone(),
            Self::Special { directory: Some(directory), .. } => directory.clone(),
            Self::Special { of_type, .. } => of_type.clone(),
        };
        OfferedPlace { name: self.name().into(), url, local: self.local_path().is_some() }
    }

    /// Whether it names a place, and nothing else.
    fn is_harmless(&self) -> bool {
        let word = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let text = |text: &str| text.len() <= MAX_TEXT && !text.chars().any(char::is_control);
        place_name_is_good(self.name())
            && match self {
                Self::Git { url, .. } => text(url) && is_address(url),
                Self::Special { of_type, parameters, directory, .. } => {
                    // A program of the sender's choosing is no parameter.
                    word(of_type)
                        && of_type != "external"
                        && parameters.len() <= MAX_PARAMETERS
                        && parameters.iter().all(|(field, value)| word(field) && text(value))
                        && !parameters.keys().any(|field| KEPT_BACK.contains(&field.as_str()))
                        && directory.as_deref().is_none_or(|path| text(path) && is_plain_path(path))
                }
            }
    }
}

/// Names of branches that files can be on: what git takes, and none that git-annex has a meaning for.
fn is_branch(name: &str) -> bool {
    let other = ["git-annex", "synced/", "adjusted/", "views/", "HEAD", "-"];
    name.len() <= MAX_BRANCH
        && tributary_repo::repository::is_branch_name(name)
        && !other.iter().any(|other| name.starts_with(other))
}

/// Addresses of git repositories that run nothing of the sender's choosing here: an absolute path, `https`, `ssh`, or ssh
/// in git's short form.
fn is_address(url: &str) -> bool {
    if url.starts_with('/') {
        return is_plain_path(url);
    }
    if let Some((scheme, rest)) = url.split_once("://") {
        // A host that begins with a dash would be an option of ssh.
        return matches!(scheme, "https" | "ssh") && has_host(rest) && !url.contains("::");
    }
    url.split_once(':').is_some_and(|(host, path)| {
        has_host(host) && !host.contains('/') && !path.is_empty() && !path.starts_with([':', '-'])
    })
}

fn has_host(rest: &str) -> bool {
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    !host.is_empty() && !host.starts_with('-') && !authority.starts_with('-')
}

/// A path from the root that goes nowhere else than it says.
fn is_plain_path(path: &str) -> bool {
    Path::new(path).components().enumerate().all(|(at, part)| match part {
        Component::RootDir => at == 0,
        Component::Normal(_) => at > 0,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git(name: &str, url: &str) -> SharedPlace {
        SharedPlace::Git { name: name.into(), url: url.into(), read_only: false }
    }

    fn store(parameters: &[(&str, &str)], directory: Option<&str>) -> SharedPlace {
        SharedPlace::Special {
            name: "store".into(),
            uuid: RepoUuid::parse("11111111-a").unwrap(),
            of_type: "directory".into(),
            parameters: parameters.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            directory: directory.map(Into::into),
            read_only: false,
        }
    }

    #[test]
    fn places_come_back() {
        let places = vec![
            git("hub", "ssh://ann@host/srv/trip.git"),
            git("short", "ann@host:trip.git"),
            git("drive", "/media/T7/trip.git"),
            store(&[("encryption", "none")], Some("/media/T7/store")),
        ];
        let read = SharedPlace::Git { name: "read".into(), url: "/x.git".into(), read_only: true };
        let places = places.into_iter().chain([read]).collect();
        let known = vec![RepoUuid::parse("one").unwrap(), RepoUuid::parse("two").unwrap()];
        let set_up = SetUp { places, known, branch: "main".into() };
        assert_eq!(SetUp::decode(&set_up.clone().encode()), Some(set_up.clone()));
        let local: Vec<_> = set_up.places().iter().map(|place| place.shown().local).collect();
        assert_eq!(local, [false, false, true, true, true], "a person is asked about those of this machine");
    }

    #[test]
    fn what_could_do_more_than_name_a_place_is_left_out() {
        let hostile = [
            git("hub", "ext::sh -c id"),
            git("hub", "--upload-pack=id"),
            git("hub", "ssh://-oProxyCommand=id/x"),
            git("hub", "-oProxyCommand=id:x"),
            git("hub", "xmpp::ben@p.example/x"),
            git("hub", "file:///etc"),
            git("hub", "http://host/x"),
            git("hub", "relative/path"),
            git("hub", "/a/../../etc"),
            git("hub", "https://host/x\nurl = y"),
            git("hub", ""),
            git("../hub", "https://host/x"),
            git("-hub", "https://host/x"),
            git("hub", &format!("https://host/{}", "x".repeat(MAX_TEXT))),
            store(&[("directory", "/x")], None),
            store(&[("cipher", "x")], None),
            store(&[("a b", "x")], None),
            store(&[("encryption", "no\nne")], None),
            store(&[], Some("etc")),
            store(&[], Some("/media/../etc")),
        ];
        for place in hostile {
            let text =
                serde_json::to_vec(&SetUp { places: vec![place.clone()], ..SetUp::default() }).unwrap();
            assert_eq!(SetUp::decode(&text), Some(SetUp::default()), "{place:?}");
        }
    }

    #[test]
    fn what_a_newer_version_says_is_passed_over_and_nonsense_is_refused() {
        let text = br#"{"places":[{"kind":"cloud","name":"x"},{"kind":"git","name":"hub","url":"/hub.git"}],"more":1}"#;
        assert_eq!(SetUp::decode(text).unwrap().places(), [git("hub", "/hub.git")]);
        let odd = br#"{"known":["one",7,"../x y"]}"#;
        assert_eq!(SetUp::decode(odd).unwrap().known(), [RepoUuid::parse("one").unwrap()]);
        for odd in ["../x", "git-annex", "synced/master", "-x", "a b", "", "x.lock", "7\n"] {
            let text = serde_json::to_vec(&SetUp { branch: odd.into(), ..SetUp::default() }).unwrap();
            assert_eq!(SetUp::decode(&text).unwrap().branch(), "master", "{odd:?}");
        }
        for nonsense in [&b""[..], b"[]", b"{\"places\":7}", b"\xff"] {
            assert_eq!(SetUp::decode(nonsense), None, "{nonsense:?}");
        }
        let twice = SetUp { places: vec![git("hub", "/a"), git("hub", "/b")], ..SetUp::default() };
        assert_eq!(
            SetUp::decode(&twice.encode()).unwrap().places(),
            [git("hub", "/a")],
            "a name is one place"
        );
    }

    #[test]
    fn it_fits_however_many_there_are() {
        let long = format!("/{}", "x".repeat(MAX_TEXT - 1));
        let places = (0..MAX_PLACES).map(|n| git(&format!("hub{n}"), &long)).collect();
        let sent = SetUp { places, ..SetUp::default() }.encode();
        assert!(sent.len() <= MAX_SET_UP && !SetUp::decode(&sent).unwrap().places().is_empty());
    }
}
