//! Sizes as people write them in git-annex's configuration: `1MiB`, `50 mb`, `1.5GB`, `4096`.

/// Units and how many bytes they are, both in thousands and in powers of 1024; case does not matter.
const UNITS: [(&str, u64); 11] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("pib", 1 << 50),
];

/// Bytes, rounded down; `None` when the text is no size, or does not fit.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let unit = unit.trim().to_ascii_lowercase();
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.contains('.') || fraction.len() > 9 {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(*factor)?;
    let parts = if fraction.is_empty() { 0 } else { fraction.parse::<u128>().ok()? };
    let parts = parts * u128::from(*factor) / 10u128.pow(u32::try_from(fraction.len()).ok()?);
    whole.checked_add(u64::try_from(parts).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_git_annex_reads() {
        for (text, bytes) in [
            ("1MiB", 1 << 20),
            ("1MB", 1_000_000),
            ("50 mb", 50_000_000),
            ("1.5KiB", 1536),
            ("4096", 4096),
            ("7b", 7),
        ] {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_size() {
        for text in [
            "",
            "MiB",
            "1 apple",
            "-1",
            "1.2.3",
            "99999999999999999999",
            "99999999 PiB",
            "1.0000000000001kb",
            ".5mb",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
