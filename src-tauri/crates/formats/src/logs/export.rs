//! `export.log`: which trees were exported where. `TS FROMUUID:TOUUID TREE [TREE…]`; the first
//! tree is the one that is there, further ones are exports that did not end.

use super::MapLog;
use crate::uuid::RepoUuid;

/// What one repository exported to one remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Who exported.
    pub from: RepoUuid,
    /// Where to.
    pub to: RepoUuid,
    /// Ids of the trees, in hex.
    pub trees: Vec<String>,
}

/// The exports on record. Entries that cannot be read are skipped; the log keeps them.
pub fn exports(log: &MapLog) -> Vec<Export> {
    let export = |(field, value): (&[u8], &[u8])| {
        let colon = field.iter().position(|&b| b == b':')?;
        let trees = std::str::from_utf8(value).ok()?.split(' ').filter(|tree| !tree.is_empty());
        let trees: Vec<_> = trees.map(str::to_owned).collect();
        let is_id = |tree: &String| tree.bytes().all(|b| b.is_ascii_hexdigit());
        trees.iter().all(is_id).then_some(Export {
            from: RepoUuid::parse_bytes(&field[..colon]).ok()?,
            to: RepoUuid::parse_bytes(&field[colon + 1..]).ok()?,
            trees,
        })
    };
    log.iter().filter_map(export).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_line() {
        let line = b"1700000001s 432700c4-2936-419d-b887-17912d580c10:56ea6126-2682-401e-bc72-fb919048bb0a bf2b59f5803c45f698b31c7d5ee14aff8aef49c8\n";
        let log = MapLog::parse(line);
        let all = exports(&log);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].to.as_str(), "56ea6126-2682-401e-bc72-fb919048bb0a");
        assert_eq!(all[0].trees, ["bf2b59f5803c45f698b31c7d5ee14aff8aef49c8"]);
        assert_eq!(log.to_bytes(), line);
        assert!(exports(&MapLog::parse(b"1s a ff\n1s a:b zz\n1s :b ff\n")).is_empty());
    }
}
