//! The file name in `GET` and `PUT`. It only informs people.

/// Writes a name as one word: white space becomes `%`, `%` is doubled.
pub fn escape_file(name: &[u8]) -> Vec<u8> {
    let mut word = Vec::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '%' => word.extend(b"%%"),
                _ if c.is_whitespace() => word.push(b'%'),
                _ => word.extend(c.encode_utf8(&mut [0; 4]).bytes()),
            }
        }
        word.extend(chunk.invalid());
    }
    word
}

/// Reads a name back; which white space a `%` was is lost, it becomes a space;
/// and two of them in a row cannot be told from a `%`.
pub fn unescape_file(word: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&b, after)) = rest.split_first() {
        rest = after;
        name.push(match (b, rest.first()) {
            (b'%', Some(b'%')) => {
                rest = &rest[1..];
                b'%'
            }
            (b'%', _) => b' ',
            _ => b,
        });
    }
    name
}

/// Ends a line, and keeps free text in it from starting another.
pub(super) fn one_line(line: &mut Vec<u8>) {
    for b in line.iter_mut().filter(|b| matches!(b, b'\n' | b'\r')) {
        *b = b' ';
    }
    line.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_word() {
        assert_eq!(escape_file(b"a b\n50%"), b"a%b%50%%");
        assert_eq!(unescape_file(b"a%b%50%%"), b"a b 50%");
        assert_eq!(escape_file("a\u{a0}\u{2003}é".as_bytes()), "a%%é".as_bytes());
        assert_eq!(escape_file(b"\xff b"), b"\xff%b");
        assert_eq!(escape_file(b""), b"");
    }
}
