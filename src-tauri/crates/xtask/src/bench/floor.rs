//! What the machine itself needs for the same bytes, with the tools that come with it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::files;
use super::row::{self, Figures, Plan, Row};
use crate::failure::{Context, Result};
use crate::process::{self, program};

/// Measures the floor of a row; idling and renaming many have none but the call itself.
pub fn measure(row: Row, folder: &Path, plan: &Plan) -> Result<Option<Figures>> {
    let runs = if row == Row::OneFile { row::ONE_FILE_RUNS } else { plan.runs };
    let mut figures = Figures::default();
    if matches!(row, Row::Rename | Row::Start) {
        let batch = if row == Row::Rename { row::ten_thousand(0) } else { row::hundred_thousand() };
        batch.write(&folder.join("many"))?;
    }
    for run in 0..runs {
        let prepared = prepare(row, folder, run)?;
        process::run(&mut Command::new("sync"))?;
        let begun = Instant::now();
        match row {
            Row::OneFile => one_file(folder, run)?,
            Row::OneGib => hash_and_copy(&prepared)?,
            Row::TenThousand => write_copy_and_hash(folder, run)?,
            Row::Rename => {
                let names = if run % 2 == 0 { ["many", "renamed"] } else { ["renamed", "many"] };
                let [from, to] = names.map(|name| folder.join(name));
                fs::rename(&from, to).context(|| format!("could not rename {}", from.display()))?;
            }
            Row::Start => drop(files::walk(folder)?),
            Row::Idle => return Ok(None),
        }
        figures.seconds.push(begun.elapsed().as_secs_f64());
    }
    Ok(Some(figures))
}

fn prepare(row: Row, folder: &Path, run: usize) -> Result<std::path::PathBuf> {
    let source = folder.join("gib.bin");
    if row == Row::OneGib {
        row::write_gib(&source, run)?;
    }
    Ok(source)
}

/// Written in one place and copied to another.
fn one_file(folder: &Path, run: usize) -> Result<()> {
    let (from, to) = (folder.join(format!("from {run}")), folder.join(format!("to {run}")));
    let content = files::Noise::new(run as u64).bytes(row::SMALL);
    fs::write(&from, content)
        .and_then(|()| fs::copy(&from, &to))
        .context(|| "could not copy one file".into())?;
    fs::read(&to).context(|| "could not read one file".into()).map(drop)
}

fn hash_and_copy(source: &Path) -> Result<()> {
    process::output(program("openssl", ["sha256"]).arg(source))?;
    process::output(program("cp", ["--"]).arg(source).arg(source.with_extension("copy"))).map(drop)
}

fn write_copy_and_hash(folder: &Path, run: usize) -> Result<()> {
    let (from, to) = (folder.join(format!("from {run}")), folder.join(format!("to {run}")));
    row::ten_thousand(run).write(&from)?;
    process::output(program("cp", ["-r", "--"]).arg(&from).arg(&to))?;
    let hash = "find \"$1\" -type f -print0 | xargs -0 sha256sum";
    process::output(program("sh", ["-c", hash, "sh"]).arg(&to)).map(drop)
}
