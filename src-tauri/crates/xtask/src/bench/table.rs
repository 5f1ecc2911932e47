//! The figures, for people (Markdown) and for programs (JSON).

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use super::OURS;
use super::ours::goals;
use super::row::{Figures, Row};

/// The floor's name among the contestants.
pub const FLOOR: &str = "floor";

/// One cell.
#[derive(Debug)]
pub struct Entry {
    /// What was measured.
    pub row: Row,
    /// With what.
    pub contestant: &'static str,
    /// What came out, or why nothing did.
    pub outcome: Result<Figures, String>,
}

/// All cells.
#[derive(Debug, Default)]
pub struct Table {
    entries: Vec<Entry>,
    contestants: Vec<(&'static str, String)>,
}

/// A mark of ours and whether it was reached.
#[derive(Debug, PartialEq)]
struct Verdict {
    text: String,
    met: bool,
}

impl Table {
    /// Says who takes part.
    pub fn present(&mut self, name: &'static str, about: String) {
        self.contestants.push((name, about));
    }

    /// Adds a cell.
    pub fn enter(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    fn figures(&self, row: Row, contestant: &str) -> Option<&Figures> {
        self.outcome(row, contestant)?.as_ref().ok()
    }

    fn outcome(&self, row: Row, contestant: &str) -> Option<&Result<Figures, String>> {
        self.entries.iter().find(|e| e.row == row && e.contestant == contestant).map(|e| &e.outcome)
    }

    fn rows(&self) -> impl Iterator<Item = Row> {
        Row::ALL.iter().copied().filter(|&row| self.entries.iter().any(|entry| entry.row == row))
    }

    /// A table with the floor, everyone in order, our ratios, and our marks.
    pub fn markdown(&self) -> String {
        let mut text = String::from("| | floor |");
        for (name, _) in &self.contestants {
            let _ = write!(text, " {name} |");
        }
        text.push_str(" ours / floor | best peer / ours | our mark |\n|");
        text.push_str(&" --- |".repeat(self.contestants.len() + 5));
        text.push('\n');
        for row in self.rows() {
            let _ = write!(text, "| {} | {} |", row.title(), self.cell(row, FLOOR));
            for (name, _) in &self.contestants {
                let _ = write!(text, " {} |", self.cell(row, name));
            }
            let ours = self.figures(row, OURS).map(|figures| median(&figures.seconds));
            // One call of the system is no floor to be a multiple of.
            let counted = |_: &&Figures| !matches!(row, Row::OneFile | Row::Rename);
            let floor = self.figures(row, FLOOR).filter(counted).map(|figures| median(&figures.seconds));
            let ratio = |top: Option<f64>, bottom: Option<f64>| match (top, bottom) {
                (Some(top), Some(bottom)) if bottom > 0.0 => format!("{:.1}", top / bottom),
                _ => "–".into(),
            };
            let marks: Vec<_> = self.verdicts(row).into_iter().map(|verdict| verdict.text).collect();
            let (floors, peers) = (ratio(ours, floor), ratio(self.best_peer(row), ours));
            let _ = writeln!(text, " {floors} | {peers} | {} |", marks.join("; "));
        }
        text.push('\n');
        for (name, about) in &self.contestants {
            let _ = writeln!(text, "- {name}: {about}");
        }
        text
    }

    fn cell(&self, row: Row, contestant: &str) -> String {
        match self.outcome(row, contestant) {
            Some(Ok(figures)) => cell(row, figures),
            Some(Err(why)) => why.lines().next().unwrap_or_default().replace('|', "/"),
            None => "–".into(),
        }
    }

    fn best_peer(&self, row: Row) -> Option<f64> {
        let peers = self.contestants.iter().map(|(name, _)| *name).filter(|name| *name != OURS);
        peers.filter_map(|name| Some(median(&self.figures(row, name)?.seconds))).min_by(f64::total_cmp)
    }

    /// Our marks in a row, with how much is missing.
    fn verdicts(&self, row: Row) -> Vec<Verdict> {
        let Some(ours) = self.figures(row, OURS) else { return Vec::new() };
        let floor = self.figures(row, FLOOR).map(|figures| median(&figures.seconds));
        let middle = median(&ours.seconds);
        let within = |what: &str, value: f64, mark: f64, unit: &str| {
            let met = value <= mark;
            let text = if met {
                format!("{what} ≤ {mark}{unit}: met")
            } else {
                format!("{what} ≤ {mark}{unit}: MISSED by {:.3}{unit}", value - mark)
            };
            Verdict { text, met }
        };
        let floors =
            |mark| floor.filter(|&floor| floor > 0.0).map(|floor| within("floors", middle / floor, mark, ""));
        match row {
            Row::OneFile => vec![
                within("p50", middle, goals::ONE_FILE_MEDIAN.as_secs_f64(), " s"),
                within("p95", percentile(&ours.seconds, 95), goals::ONE_FILE_P95.as_secs_f64(), " s"),
            ],
            Row::OneGib => floors(goals::ONE_GIB_FLOORS).into_iter().collect(),
            Row::TenThousand => floors(goals::TEN_THOUSAND_FLOORS).into_iter().collect(),
            Row::Rename => {
                let moved = ours.moved.map(|moved| within("content moved", moved as f64, 0.0, " B"));
                let mut marks = vec![within("time", middle, goals::RENAME.as_secs_f64(), " s")];
                marks.extend(moved);
                marks
            }
            Row::Idle => {
                let mib = |bytes: u64| bytes as f64 / (1 << 20) as f64;
                let memory =
                    ours.memory.map(|used| within("memory", mib(used), mib(goals::IDLE_MEMORY), " MiB"));
                let mut marks = vec![within("CPU", middle, goals::IDLE_CPU.as_secs_f64(), " s")];
                marks.extend(memory);
                marks
            }
            Row::Start => vec![within("time", middle, goals::START.as_secs_f64(), " s")],
        }
    }

    /// Everything, each run included.
    pub fn json(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let contestants =
            list(self.contestants.iter().map(|(name, about)| {
                format!("{{\"name\": {}, \"about\": {}}}", quoted(name), quoted(about))
            }));
        let entries = list(self.entries.iter().map(entry_json));
        let marks =
            list(self.rows().flat_map(|row| self.verdicts(row).into_iter().map(move |v| (row, v))).map(
                |(row, verdict)| {
                    let (row, mark) = (quoted(row.name()), quoted(&verdict.text));
                    format!("{{\"row\": {row}, \"mark\": {mark}, \"met\": {}}}", verdict.met)
                },
            ));
        format!(
            "{{\n\"time\": {now},\n\"cores\": {cores},\n\"contestants\": {contestants},\n\"figures\": {entries},\n\
             \"marks\": {marks}\n}}\n"
        )
    }
}

/// A cell for people.
pub fn cell(row: Row, figures: &Figures) -> String {
    let middle = median(&figures.seconds);
    match row {
        Row::OneFile => format!("{} (p95 {})", seconds(middle), seconds(percentile(&figures.seconds, 95))),
        Row::Idle => {
            let memory = figures.memory.unwrap_or(0) as f64 / (1 << 20) as f64;
            format!("{}, {memory:.0} MiB", seconds(middle))
        }
        Row::Rename => match figures.moved {
            Some(moved) => format!("{}, {moved} content bytes", seconds(middle)),
            None => seconds(middle),
        },
        Row::Start => match figures.read {
            Some(read) => format!("{}, {:.0} MiB read", seconds(middle), read as f64 / (1 << 20) as f64),
            None => seconds(middle),
        },
        Row::OneGib | Row::TenThousand => seconds(middle),
    }
}

fn seconds(value: f64) -> String {
    match value {
        small if small < 0.01 => format!("{:.2} ms", small * 1e3),
        middle if middle < 1.0 => format!("{middle:.3} s"),
        long => format!("{long:.1} s"),
    }
}

/// The middle of the runs, or the mean of the two in the middle.
fn median(runs: &[f64]) -> f64 {
    let sorted = sorted(runs);
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => (sorted[even / 2 - 1] + sorted[even / 2]) / 2.0,
    }
}

/// The smallest run that is not exceeded by `percent` of them (nearest rank).
fn percentile(runs: &[f64], percent: usize) -> f64 {
    let sorted = sorted(runs);
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

fn sorted(runs: &[f64]) -> Vec<f64> {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn entry_json(entry: &Entry) -> String {
    let head =
        format!("{{\"row\": {}, \"contestant\": {}", quoted(entry.row.name()), quoted(entry.contestant));
    match &entry.outcome {
        Err(why) => format!("{head}, \"error\": {}}}", quoted(why)),
        Ok(figures) => {
            let runs: Vec<_> = figures.seconds.iter().map(|run| format!("{run:.6}")).collect();
            let or_null = |value: Option<u64>| value.map_or("null".into(), |value| value.to_string());
            format!(
                "{head}, \"seconds\": [{}], \"memoryBytes\": {}, \"movedBytes\": {}, \"readBytes\": {}}}",
                runs.join(", "),
                or_null(figures.memory),
                or_null(figures.moved),
                or_null(figures.read)
            )
        }
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[\n  {}\n]", items.collect::<Vec<_>>().join(",\n  "))
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if control < ' ' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn middles_and_percentiles() {
        let twenty: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        assert_eq!(median(&twenty), 10.5);
        assert_eq!(percentile(&twenty, 95), 19.0);
        assert_eq!((median(&[3.0]), percentile(&[3.0], 95)), (3.0, 3.0));
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_missed_mark_says_by_how_much() {
        let mut table = Table::default();
        table.present(OURS, "x".into());
        let figures = |seconds| Ok(Figures { seconds: vec![seconds], ..Figures::default() });
        table.enter(Entry { row: Row::TenThousand, contestant: FLOOR, outcome: figures(1.0) });
        table.enter(Entry { row: Row::TenThousand, contestant: OURS, outcome: figures(6.5) });
        let verdicts = table.verdicts(Row::TenThousand);
        assert_eq!(verdicts.len(), 1);
        assert!(!verdicts[0].met);
        assert!(verdicts[0].text.ends_with("MISSED by 1.500"), "{}", verdicts[0].text);
        assert!(
            table.markdown().contains("| 10,000 files of 1 KiB | 1.0 s | 6.5 s | 6.5 | – |"),
            "{}",
            table.markdown()
        );
    }

    #[test]
    fn text_is_quoted_for_json() {
        assert_eq!(quoted("a \"b\"\\\n"), r#""a \"b\"\\\u000a""#);
    }
}
