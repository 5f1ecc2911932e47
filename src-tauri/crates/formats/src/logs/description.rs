//! Descriptions in `uuid.log`: a newline is written as `\n`, nothing else is escaped.

/// A description as it stands in the log.
pub fn escape(description: &str) -> String {
    description.replace(['\n', '\r'], "\\n")
}

/// A description as it is shown.
pub fn unescape(value: &[u8]) -> String {
    String::from_utf8_lossy(value).replace("\\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newlines_travel() {
        assert_eq!(escape("a\nb c"), "a\\nb c");
        assert_eq!(unescape(b"a\\nb c"), "a\nb c");
    }
}
