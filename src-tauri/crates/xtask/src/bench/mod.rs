//! `cargo xtask bench`: how fast a change is there, beside the programs that people use today, in one run on one
//! machine.
//!
//! Ours goes the longer way, through a transfer point that runs nothing of ours; the others speak to each other
//! directly. The floor is what the machine itself needs for the same bytes.

mod contestant;
mod files;
mod floor;
mod git_annex;
mod ours;
mod row;
mod syncthing;
mod table;
mod unison;
mod usage;

use std::time::Duration;

use contestant::Contestant;
use row::{Plan, Row, Stage};
use table::{Entry, Table};

use crate::failure::{Context, Failure, Result};
use crate::warden::Warden;
use crate::{build, checkout, setup};

/// Our own name in the table.
const OURS: &str = "Tributary";

/// Runs of each row that moves much; the row of one file has [`row::ONE_FILE_RUNS`].
const RUNS: usize = 3;

/// How long one run may take before it counts as not done: the slowest peer would need nine minutes for a row.
const LIMIT: Duration = Duration::from_secs(180);

/// What the command line asks for.
struct Wish {
    rows: Vec<Row>,
    only: Option<String>,
    plan: Plan,
}

/// Measures and prints the table; the figures go to `bench.json` in the target folder as well.
pub fn command(arguments: &[String]) -> Result<()> {
    let wish = wish(arguments)?;
    let annex = setup::for_bench()?;
    let contestants = contestants(wish.only.as_deref(), annex)?;
    let warden = Warden::start()?;

    let mut table = Table::default();
    println!("Measuring what the machine needs by itself.");
    for &row in &wish.rows {
        let folder = Folder::make(&warden)?;
        if let Some(figures) = floor::measure(row, &folder.0, &wish.plan)? {
            table.enter(Entry { row, contestant: table::FLOOR, outcome: Ok(figures) });
        }
    }
    for contestant in &contestants {
        println!("{}: {}", contestant.name(), contestant.about());
        table.present(contestant.name(), contestant.about());
        // The start is measured on a folder of its own, the others one after the other in one.
        let (start, rest): (Vec<Row>, Vec<Row>) = wish.rows.iter().partition(|row| **row == Row::Start);
        for rows in [rest, start] {
            compete(contestant.as_ref(), &rows, &wish.plan, &warden, &mut table)?;
        }
    }

    let path = checkout::target().join("bench.json");
    std::fs::write(&path, table.json()).context(|| format!("could not write {}", path.display()))?;
    println!("\n{}\nThe figures of each run are in {}.", table.markdown(), path.display());
    Ok(())
}

/// Who is here, or the one that was asked for.
fn contestants(only: Option<&str>, annex: std::path::PathBuf) -> Result<Vec<Box<dyn Contestant>>> {
    let wanted = |name: &str| only.is_none_or(|only| only.eq_ignore_ascii_case(name));
    let mut contestants: Vec<Box<dyn Contestant>> = Vec::new();
    if wanted(OURS) {
        println!("Building trib for release (the first time takes minutes).");
        contestants.push(Box::new(ours::Ours { trib: build::trib_for_release()? }));
    }
    let mut peers: Vec<Box<dyn Contestant>> = Vec::new();
    peers.extend(unison::Unison::found().map(|found| Box::new(found) as _));
    peers.extend(syncthing::Syncthing::found().map(|found| Box::new(found) as _));
    peers.push(Box::new(git_annex::GitAnnex { dir: annex }));
    contestants.extend(peers.into_iter().filter(|peer| wanted(peer.name())));
    match only {
        Some(only) if contestants.is_empty() => {
            Err(Failure::usage(format!("no program here is called \"{only}\"")))
        }
        _ => Ok(contestants),
    }
}

/// Measures the rows, in order, with one pair of folders. A row that fails ends it: the folders are no longer known to
/// be quiet.
fn compete(
    contestant: &dyn Contestant,
    rows: &[Row],
    plan: &Plan,
    warden: &Warden,
    table: &mut Table,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let folder = Folder::make(warden)?;
    let mut stage = contestant.start(&folder.0, warden).map(|pair| Stage::new(pair, &folder.0));
    for &row in rows {
        let outcome = match &mut stage {
            Ok(stage) => stage.measure(row, plan, warden).map_err(|failure| failure.to_string()),
            Err(failure) => Err(failure.to_string()),
        };
        match &outcome {
            Ok(figures) => println!("  {:<13} {}", row.name(), table::cell(row, figures)),
            Err(why) => println!("  {:<13} not measured: {why}", row.name()),
        }
        if outcome.is_err() && stage.is_ok() {
            stage = Err(Failure::new(format!("{} before it failed", row.name())));
        }
        table.enter(Entry { row, contestant: contestant.name(), outcome });
    }
    Ok(())
}

/// A scratch folder that goes when it is dropped, or with the warden.
struct Folder(std::path::PathBuf);

impl Folder {
    fn make(warden: &Warden) -> Result<Self> {
        let folder = checkout::scratch("bench").context(|| "could not make a temporary folder".into())?;
        if !checkout::keep() {
            warden.remove(&folder)?;
        }
        Ok(Folder(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if checkout::keep() {
            println!("  kept: {}", self.0.display());
        } else {
            // What remains, the warden removes.
            crate::warden::remove_all(&self.0).ok();
        }
    }
}

fn wish(arguments: &[String]) -> Result<Wish> {
    let mut wish = Wish { rows: Vec::new(), only: None, plan: Plan { runs: RUNS, limit: LIMIT } };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut value =
            || words.next().cloned().ok_or_else(|| Failure::usage(format!("{word} needs a value")));
        let number = |value: String| match value.parse::<u64>() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(Failure::usage(format!("\"{value}\" is no number above zero"))),
        };
        match word.as_str() {
            "--runs" => wish.plan.runs = number(value()?)?.try_into().unwrap_or(usize::MAX),
            "--limit" => wish.plan.limit = Duration::from_secs(number(value()?)?),
            "--only" => wish.only = Some(value()?),
            name => match Row::named(name) {
                Some(row) => wish.rows.push(row),
                None => return Err(Failure::usage(format!("bench has no row \"{name}\""))),
            },
        }
    }
    if wish.rows.is_empty() {
        wish.rows = Row::ALL.to_vec();
    }
    // In their own order, each once: some lean on what the one before has put there.
    wish.rows = Row::ALL.iter().copied().filter(|row| wish.rows.contains(row)).collect();
    Ok(wish)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wished(line: &str) -> Result<Wish> {
        wish(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_command_line_is_read() {
        let wish = wished("rename one-file --runs 5 --limit 20 rename --only unison").unwrap();
        assert_eq!(wish.rows, [Row::OneFile, Row::Rename]);
        assert_eq!((wish.plan.runs, wish.plan.limit), (5, Duration::from_secs(20)));
        assert_eq!(wish.only.as_deref(), Some("unison"));
        assert_eq!(wished("").unwrap().rows, Row::ALL);
        for wrong in ["--runs", "--runs 0", "--runs x", "two-files"] {
            assert!(wished(wrong).err().is_some_and(|failure| failure.is_usage()), "{wrong}");
        }
    }
}
