//! What is sealed or signed, as bytes: fields, each a kind in one byte, a length in four (highest first), and its bytes. Kinds
//! that are not known are skipped, so a newer version can say more.

/// These bytes are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a list of the fields that are needed")]
pub(crate) struct Malformed;

/// A list of fields as bytes.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

/// Reads a list of fields.
#[derive(Debug)]
pub(crate) struct Reader<'a>(Vec<(u8, &'a [u8])>);

impl Writer {
    /// Adds a field.
    pub(crate) fn field(mut self, kind: u8, bytes: &[u8]) -> Writer {
        let length = u32::try_from(bytes.len()).expect("fields are far smaller than four bytes can say");
        self.0.push(kind);
        self.0.extend(length.to_be_bytes());
        self.0.extend(bytes);
        self
    }

    /// The bytes.
    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }
}

impl<'a> Reader<'a> {
    /// Splits bytes into their fields; whole, or not at all.
    pub(crate) fn new(mut bytes: &'a [u8]) -> Result<Reader<'a>, Malformed> {
        let mut fields = Vec::new();
        while let Some((kind, rest)) = bytes.split_first() {
            let (length, rest) = rest.split_first_chunk::<4>().ok_or(Malformed)?;
            let length = u32::from_be_bytes(*length) as usize;
            let (field, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
            fields.push((*kind, field));
            bytes = rest;
        }
        Ok(Reader(fields))
    }

    /// The field of a kind; the first one counts.
    pub(crate) fn get(&self, kind: u8) -> Result<&'a [u8], Malformed> {
        self.all(kind).next().ok_or(Malformed)
    }

    /// All fields of a kind.
    pub(crate) fn all(&self, kind: u8) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(of, _)| *of == kind).map(|(_, bytes)| *bytes)
    }

    /// A field of a fixed length.
    pub(crate) fn array<const N: usize>(&self, kind: u8) -> Result<[u8; N], Malformed> {
        self.get(kind)?.try_into().map_err(|_| Malformed)
    }

    /// A field that is text of at most so many bytes, and shows what it says: no control characters.
    pub(crate) fn text(&self, kind: u8, most: usize) -> Result<String, Malformed> {
        let text = std::str::from_utf8(self.get(kind)?).map_err(|_| Malformed)?;
        if text.len() > most || text.chars().any(is_deceptive) {
            return Err(Malformed);
        }
        Ok(text.to_owned())
    }
}

/// The beginning of a text, of at most so many bytes, cut between letters.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    let fits = |end: &usize| text.is_char_boundary(*end);
    // Nothing always fits.
    let end = (0..=most.min(text.len())).rev().find(fits).unwrap_or(0);
    &text[..end]
}

/// Characters that make a text look like another one in a window.
pub(crate) fn is_deceptive(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fields_come_back(fields in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..10)) {
            let bytes = fields.iter().fold(Writer::default(), |w, (kind, bytes)| w.field(*kind, bytes)).done();
            let reader = Reader::new(&bytes).unwrap();
            for (kind, _) in &fields {
                let all: Vec<&[u8]> = fields.iter().filter(|(of, _)| of == kind).map(|(_, b)| b.as_slice()).collect();
                prop_assert_eq!(reader.all(*kind).collect::<Vec<_>>(), all);
            }
            // Cut anywhere but between two fields, it is not read at all.
            for cut in 1..bytes.len() {
                if let Ok(part) = Reader::new(&bytes[..cut]) {
                    prop_assert!(part.0.len() < fields.len());
                }
            }
        }

        #[test]
        fn garbage_is_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Reader::new(&bytes);
        }
    }

    #[test]
    fn names_cannot_lie_about_themselves() {
        let read = |text: &str| {
            let bytes = Writer::default().field(1, text.as_bytes()).done();
            Reader::new(&bytes).unwrap().text(1, 20)
        };
        assert_eq!(read("Anna's laptop").as_deref(), Ok("Anna's laptop"));
        for bad in ["a\nb", "a\u{202e}b", "a\u{0}", &"x".repeat(21)] {
            assert_eq!(read(bad), Err(Malformed), "{bad:?}");
        }
    }
}
