//! `remote.log`: how a special remote is configured. `UUID k=v k=v … timestamp=TS`, sorted.
//!
//! In values each white-space character and `&` is written as `&N;`, N its decimal code point.

use std::collections::BTreeMap;

/// A special remote's configuration: `type`, `name`, `encryption` and what the type needs. Ordered
/// by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RemoteConfig {
    fields: BTreeMap<String, String>,
}

impl RemoteConfig {
    /// Reads the value of a line of `remote.log` (see [`super::UuidLog`]). None when it is not
    /// UTF-8. Words without `=` are skipped.
    pub fn parse(value: &[u8]) -> Option<RemoteConfig> {
        let text = std::str::from_utf8(value).ok()?;
        let field = |word: &str| {
            let (name, value) = word.split_once('=')?;
            Some((name.to_owned(), unescape(value)))
        };
        Some(RemoteConfig { fields: text.split(' ').filter_map(field).collect() })
    }

    /// A field's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// Sets a field. Names come from this program's own lists: they are plain words.
    ///
    /// # Panics
    /// When `name` is empty, or holds white space or `=`.
    pub fn set(&mut self, name: &str, value: &str) {
        let is_word = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '=');
        assert!(is_word, "a field's name is one word: {name:?}");
        self.fields.insert(name.to_owned(), value.to_owned());
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        self.fields.remove(name)
    }

    /// What kind of remote it is: `directory`, `rsync`, `S3`, …
    pub fn remote_type(&self) -> Option<&str> {
        self.get("type")
    }

    /// Its name; that of a `--sameas` remote is in another field.
    pub fn name(&self) -> Option<&str> {
        self.get("name").or_else(|| self.get("sameas-name"))
    }

    /// The fields, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a line of `remote.log`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let word = |(name, value): (&str, &str)| format!("{name}={}", escape(value));
        self.iter().map(word).collect::<Vec<_>>().join(" ").into_bytes()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for RemoteConfig {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut config = RemoteConfig::default();
        for (name, value) in fields {
            config.set(&name.into(), &value.into());
        }
        config
    }
}

fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        if c.is_whitespace() || c == '&' {
            text.push_str(&format!("&{};", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text
}

fn unescape(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        value.push_str(&rest[..start]);
        rest = &rest[start + 1..];
        match escaped(rest) {
            Some((c, after)) => {
                value.push(c);
                rest = after;
            }
            // An ampersand that starts no escape stands for itself.
            None => value.push('&'),
        }
    }
    value + rest
}

fn escaped(text: &str) -> Option<(char, &str)> {
    let (digits, after) = text.split_once(';')?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let c = plain.then(|| digits.parse().ok()).flatten().and_then(char::from_u32)?;
    Some((c, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::UuidLog;
    use crate::uuid::RepoUuid;

    #[test]
    fn real_lines() {
        let text = "51851c86-80d0-4da4-8153-b03795e18344 chunk=1MiB encryption=none name=usb type=directory timestamp=1700000000s\n\
            9222b25b-4963-4d98-aee9-161ad1cd0072 bucket=mybucket datacenter=US embedcreds=yes encryption=none fileprefix=pre/ host=127.0.0.1 name=s3 port=5005 protocol=http requeststyle=path s3creds=QUtJQUVYQU1QTEUKc2VjcmV0ZXhhbXBsZQo= storageclass=STANDARD type=S3 timestamp=1700000000s\n";
        let log = UuidLog::parse(text.as_bytes());
        for (_, value) in log.iter() {
            assert_eq!(RemoteConfig::parse(value).unwrap().to_bytes(), value);
        }
        let s3 = RepoUuid::parse("9222b25b-4963-4d98-aee9-161ad1cd0072").unwrap();
        let s3 = RemoteConfig::parse(log.get(&s3).unwrap()).unwrap();
        assert_eq!((s3.remote_type(), s3.name()), (Some("S3"), Some("s3")));
        assert_eq!(s3.get("s3creds"), Some("QUtJQUVYQU1QTEUKc2VjcmV0ZXhhbXBsZQo="));
    }

    #[test]
    fn escaping() {
        let config = RemoteConfig::parse("foo=x&32;y&10;zé".as_bytes()).unwrap();
        assert_eq!(config.get("foo"), Some("x y\nzé"));
        assert_eq!(config.to_bytes(), "foo=x&32;y&10;zé".as_bytes());
        for (text, value) in [
            ("a&b", "a&b"),
            ("&;", "&;"),
            ("&99999999999;", "&99999999999;"),
            ("&38;32;", "&32;"),
            ("&", "&"),
            ("&55296;", "&55296;"),
        ] {
            assert_eq!(unescape(text), value);
            assert_eq!(unescape(&escape(value)), value);
        }
    }

    #[test]
    fn names_of_remotes_that_share_contents() {
        let config = RemoteConfig::parse(b"sameas-name=mirror sameas-uuid=x type=httpalso junk =").unwrap();
        assert_eq!(config.name(), Some("mirror"));
    }
}
