//! `annex.diskreserve`: how much of the disk stays free.

/// What git-annex reserves when nothing is configured, bytes.
const DEFAULT: u64 = 100_000_000;

/// Units in git-annex's spelling; those with `i` are powers of 1024.
const UNITS: [(&str, u64); 10] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("b", 1),
    ("", 1),
];

/// Reads such as `1.5 gb` or `500 megabytes`; what cannot be read counts as not configured.
pub(super) fn parse(value: Option<&str>) -> u64 {
    value.and_then(size).unwrap_or(DEFAULT)
}

fn size(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let (number, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
    let unit = unit.trim();
    let factor = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, factor)| *factor)
        .or_else(|| long_unit(unit))?;
    let number: f64 = number.parse().ok()?;
    // A reserve needs no more than the 53 exact bits of a float.
    Some((number * factor as f64) as u64)
}

fn long_unit(unit: &str) -> Option<u64> {
    match unit.trim_end_matches('s') {
        "byte" => Some(1),
        "kilobyte" => Some(1_000),
        "megabyte" => Some(1_000_000),
        "gigabyte" => Some(1_000_000_000),
        "terabyte" => Some(1_000_000_000_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_write_them() {
        let cases = [("1", 1), ("2 kb", 2_000), ("1.5GiB", 3 << 29), ("3 megabytes", 3_000_000), ("0", 0)];
        for (text, bytes) in cases {
            assert_eq!(parse(Some(text)), bytes, "{text}");
        }
        assert_eq!(parse(None), DEFAULT);
        assert_eq!(parse(Some("much")), DEFAULT, "what cannot be read must not mean no reserve");
    }
}
