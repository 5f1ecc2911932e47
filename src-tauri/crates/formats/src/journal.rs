//! Names of journal files: a branch file's path with `_` doubled and `/` as `_`.

/// The journal's name for the branch file at `path`: `d91/b11/K.log` is `d91_b11_K.log`.
pub fn file_name(path: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(path.len() + 4);
    for &b in path {
        match b {
            b'_' => name.extend(b"__"),
            b'/' => name.push(b'_'),
            _ => name.push(b),
        }
    }
    name
}

/// The branch file that a journal file stands for. None when it could not be a path in a tree.
///
/// A component with `_` at its start has the same name as one before it with `_` at its end; as in
/// git-annex the pair is taken first. No file that git-annex writes starts so.
pub fn path_of(name: &[u8]) -> Option<Vec<u8>> {
    let mut path = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&b, after)) = rest.split_first() {
        rest = after;
        path.push(match (b, rest.first()) {
            (b'_', Some(b'_')) => {
                rest = &rest[1..];
                b'_'
            }
            (b'_', _) => b'/',
            (b'/' | 0, _) => return None,
            _ => b,
        });
    }
    let sound = |part: &[u8]| !part.is_empty() && part != b"." && part != b"..";
    path.split(|&b| b == b'/').all(sound).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn there_and_back() {
        for (path, name) in [
            ("d91/b11/K.log", "d91_b11_K.log"),
            ("uuid.log", "uuid.log"),
            ("a/b/SHA3_256-s1--x.log", "a_b_SHA3__256-s1--x.log"),
            ("a_/b", "a___b"),
        ] {
            assert_eq!(file_name(path.as_bytes()), name.as_bytes());
            assert_eq!(path_of(name.as_bytes()).as_deref(), Some(path.as_bytes()));
        }
    }

    #[test]
    fn no_way_out() {
        for bad in ["", "_", "_a", "a_", ".._a", "a_.._b", ".", "a/b", "a\0"] {
            assert_eq!(path_of(bad.as_bytes()), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn names_are_read_back(parts in proptest::collection::vec("[a-zA-Z0-9.&%-][a-zA-Z0-9._&%-]{0,8}", 1..4)) {
            prop_assume!(parts.iter().all(|part| part != "." && part != ".."));
            let path = parts.join("/").into_bytes();
            prop_assert_eq!(path_of(&file_name(&path)), Some(path));
        }

        #[test]
        fn any_name_that_is_taken_is_written_the_same(name in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(path) = path_of(&name) {
                prop_assert_eq!(file_name(&path), name);
            }
        }
    }
}
