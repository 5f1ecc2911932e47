//! The merge of the git-annex branch's files.

use std::collections::BTreeSet;

/// Merges two versions of a log: the sorted set of the lines of both, each ended by a newline.
///
/// Order does not matter, and twice is once. Nothing is lost: lines that are out of date stay until
/// somebody rewrites the file. Which line counts is for the reader of each family to say.
pub fn union_merge(ours: &[u8], theirs: &[u8]) -> Vec<u8> {
    let lines: BTreeSet<&[u8]> = lines(ours).chain(lines(theirs)).collect();
    let mut merged = Vec::with_capacity(ours.len() + theirs.len());
    for line in lines {
        merged.extend(line);
        merged.push(b'\n');
    }
    merged
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|&b| b == b'\n').map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keeps_lines_of_both() {
        let ours = b"407d52fb-334a-4b34-8019-f6cd8efb5737 one timestamp=1795330862.086594137s\n";
        let theirs = b"407d52fb-334a-4b34-8019-f6cd8efb5737 m1 timestamp=1795330860.310235919s\n\
                       c93434a6-c698-412e-8aab-a20ac68908bb two timestamp=1795330860.93709275s\n";
        let merged = b"407d52fb-334a-4b34-8019-f6cd8efb5737 m1 timestamp=1795330860.310235919s\n\
                       407d52fb-334a-4b34-8019-f6cd8efb5737 one timestamp=1795330862.086594137s\n\
                       c93434a6-c698-412e-8aab-a20ac68908bb two timestamp=1795330860.93709275s\n";
        assert_eq!(union_merge(ours, theirs), merged);
        assert_eq!(union_merge(b"b", b"a"), b"a\nb\n");
        assert_eq!(union_merge(b"", b""), b"");
    }

    fn log() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(proptest::sample::select(b"ab\n\r\xff ".to_vec()), 0..40)
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_twice_is_once(a in log(), b in log(), c in log()) {
            prop_assert_eq!(union_merge(&a, &b), union_merge(&b, &a));
            prop_assert_eq!(union_merge(&union_merge(&a, &b), &c), union_merge(&a, &union_merge(&b, &c)));
            let once = union_merge(&a, &b);
            prop_assert_eq!(union_merge(&once, &b), once.clone());
            prop_assert_eq!(union_merge(&once, &once), once);
        }
    }
}
