//! What a program and all that it started use of the machine, read from `/proc`.

use std::collections::HashSet;
use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

use crate::process::{output, program};

/// Used so far, or used between two readings.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Processor time, that of children that have ended included.
    pub cpu: Duration,
    /// Memory in use now, in bytes; pages that processes share count for each.
    pub memory: u64,
    /// Bytes read from files and pipes.
    pub read: u64,
}

/// One process, as `/proc/ID/stat` shows it.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    group: u32,
    ticks: u64,
}

/// What the process group and the descendants of its leader use. Zero when they are gone.
pub fn of(leader: u32) -> Usage {
    let mut tree = HashSet::from([leader]);
    let mut all: Vec<_> = processes().filter_map(|id| Some((id, stat(id)?))).collect();
    // A child may have made a group of its own, and a grandchild may have lost its parent: both are followed.
    loop {
        let before = tree.len();
        for (id, stat) in &all {
            if stat.group == leader || tree.contains(&stat.parent) {
                tree.insert(*id);
            }
        }
        if tree.len() == before {
            break;
        }
    }
    all.retain(|(id, _)| tree.contains(id));
    let mut usage = Usage::default();
    for (id, stat) in &all {
        usage.cpu += Duration::from_secs_f64(stat.ticks as f64 / ticks_per_second());
        usage.memory += field(&read(*id, "status"), "VmRSS:").unwrap_or(0) * 1024;
        usage.read += field(&read(*id, "io"), "rchar:").unwrap_or(0);
    }
    usage
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn stat(id: u32) -> Option<Stat> {
    parse_stat(&read(id, "stat"))
}

/// A process that has ended meanwhile reads as empty.
fn read(id: u32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default()
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name stands in brackets and may hold spaces and brackets itself; the fields are counted after the last one.
    let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    // proc(5): 4 parent, 5 group, 14 to 17 the times of itself and of its ended children; state is 3.
    Some(Stat {
        parent: number(1)?.try_into().ok()?,
        group: number(2)?.try_into().ok()?,
        ticks: number(11)? + number(12)? + number(13)? + number(14)?,
    })
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

fn ticks_per_second() -> f64 {
    static TICKS: OnceLock<f64> = OnceLock::new();
    *TICKS.get_or_init(|| {
        let said = output(&mut program("getconf", ["CLK_TCK"])).ok();
        // 100 on every Linux that people run.
        said.and_then(|text| text.trim().parse().ok()).unwrap_or(100.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let text = "42 (a) b (c) S 7 42 42 0 -1 4194304 1 2 3 4 10 20 3 4 20 0 1 0 99 0 0";
        assert_eq!(parse_stat(text), Some(Stat { parent: 7, group: 42, ticks: 37 }));
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn we_use_memory_ourselves() {
        assert!(of(std::process::id()).memory > 100_000);
        assert_eq!(of(u32::MAX), Usage::default());
    }
}
