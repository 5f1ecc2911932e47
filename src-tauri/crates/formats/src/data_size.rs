//! Sizes as people write them in expressions and configuration: `100kb`, `1 MiB`, `1.5GB`.
//!
//! Units of 1000 (`k`, `kB`, `kilobyte`, …) and of 1024 (`KiB`, `kibibyte`, …), without regard to
//! case. Source: tried, git-annex 10.20261026.

const PREFIXES: [(&str, &str, &str); 8] = [
    ("k", "kilo", "kibi"),
    ("m", "mega", "mebi"),
    ("g", "giga", "gibi"),
    ("t", "tera", "tebi"),
    ("p", "peta", "pebi"),
    ("e", "exa", "exbi"),
    ("z", "zetta", "zebi"),
    ("y", "yotta", "yobi"),
];

/// Reads a size in bytes: a decimal number with an optional exponent, and an optional unit after
/// optional spaces. A fraction of a byte is rounded, half to even; too large a size is [`u64::MAX`].
pub fn parse_data_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let number = number_len(text)?;
    let value: f64 = text[..number].parse().ok()?;
    let unit = unit_factor(text[number..].trim_start())?;
    // Casting stops at the ends of the range.
    Some((value * unit).round_ties_even() as u64)
}

/// How much of the text is digits, a fraction with digits, and an exponent with digits.
fn number_len(text: &str) -> Option<usize> {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        rest.bytes().take_while(u8::is_ascii_digit).count()
    };
    let mut len = digits(0);
    if len == 0 {
        return None;
    }
    if text[len..].starts_with('.') && digits(len + 1) > 0 {
        len += 1 + digits(len + 1);
    }
    if text[len..].starts_with(['e', 'E']) {
        let sign = usize::from(text[len + 1..].starts_with(['+', '-']));
        let exponent = digits(len + 1 + sign);
        // Without digits the letter is a unit.
        if exponent > 0 {
            len += 1 + sign + exponent;
        }
    }
    Some(len)
}

fn unit_factor(unit: &str) -> Option<f64> {
    let unit = unit.to_ascii_lowercase();
    if matches!(unit.as_str(), "" | "b" | "byte" | "bytes") {
        return Some(1.0);
    }
    PREFIXES.iter().zip(1..).find_map(|((letter, decimal, binary), power)| {
        let named = |word: &str| {
            let rest = unit.strip_prefix(word);
            rest.is_some_and(|rest| rest == "byte" || rest == "bytes")
        };
        let short = |rest: Option<&str>| rest.is_some_and(|rest| rest.is_empty() || rest == "b");
        let after_letter = unit.strip_prefix(letter);
        if short(after_letter) || named(decimal) {
            Some(1000f64.powi(power))
        } else if short(after_letter.and_then(|rest| rest.strip_prefix('i'))) || named(binary) {
            Some(1024f64.powi(power))
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_git_annex_does() {
        for (text, size) in [
            ("1500", 1500),
            ("1k", 1000),
            ("1KB", 1000),
            ("100kb", 100_000),
            ("1ki", 1024),
            ("1KiB", 1024),
            ("1MiB", 1_048_576),
            ("1 MB", 1_000_000),
            ("1megabytes", 1_000_000),
            ("1mebibytes", 1_048_576),
            ("1000.5B", 1000),
            ("1000.6B", 1001),
            ("1.9B", 2),
            ("0.0014M", 1400),
            ("1e3", 1000),
            ("1e3k", 1_000_000),
            ("1e-1k", 100),
            ("1E", 1_000_000_000_000_000_000),
            ("1EiB", 1 << 60),
            ("1p", 1_000_000_000_000_000),
            ("1z", u64::MAX),
        ] {
            assert_eq!(parse_data_size(text), Some(size), "{text}");
        }
        for bad in ["", "k", ".5k", "1x", "1kilo", "1kibi", "+1", "-1", "1é", "one", "inf", "nan"] {
            assert_eq!(parse_data_size(bad), None, "{bad}");
        }
    }
}
