//! The rows of the table: what is done in one folder, and what is awaited in the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::contestant::Pair;
use super::files::{self, Batch, Noise};
use super::usage;
use crate::failure::{Context, Failure, Result};
use crate::process::{self, program};
use crate::warden::Warden;

/// Runs of the row of one file: enough for a 95th percentile.
pub const ONE_FILE_RUNS: usize = 20;

/// Bytes of a small file.
pub const SMALL: usize = 1024;

/// How long nothing happens in the idle row.
const IDLE: Duration = Duration::from_secs(60);

/// The idle row begins when no processor time was used for so long: what the rows before it left to do is theirs. Who never
/// rests is not waited for longer than the second.
const REST: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// Filling a folder with 100,000 files is not what is measured; it may take this many limits.
const FILL_LIMITS: u32 = 5;

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// One file of 1 KiB, saved here, readable there.
    OneFile,
    /// A file of 1 GiB.
    OneGib,
    /// 10,000 files of 1 KiB.
    TenThousand,
    /// The folder of those gets another name.
    Rename,
    /// A minute with them in which nothing happens.
    Idle,
    /// A start on 100,000 files that did not change.
    Start,
}

impl Row {
    /// In the order in which they are measured.
    pub const ALL: &'static [Row] =
        &[Row::OneFile, Row::OneGib, Row::TenThousand, Row::Rename, Row::Idle, Row::Start];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Row::OneFile => "one-file",
            Row::OneGib => "one-gib",
            Row::TenThousand => "ten-thousand",
            Row::Rename => "rename",
            Row::Idle => "idle",
            Row::Start => "start",
        }
    }

    /// As in the table.
    pub fn title(self) -> &'static str {
        match self {
            Row::OneFile => "one 1 KiB file, saved to readable",
            Row::OneGib => "1 GiB",
            Row::TenThousand => "10,000 files of 1 KiB",
            Row::Rename => "rename of the folder of 10,000",
            Row::Idle => "idle 60 s with them (CPU, memory)",
            Row::Start => "start on 100,000 unchanged files",
        }
    }

    /// The row of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|row| row.name() == name)
    }
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Runs of the rows that move much.
    pub runs: usize,
    /// For one run.
    pub limit: Duration,
}

/// What came out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Each run; for the idle row, processor time.
    pub seconds: Vec<f64>,
    /// Memory in use, in the idle row.
    pub memory: Option<u64>,
    /// Content bytes that a rename moved, where they could be counted.
    pub moved: Option<u64>,
    /// Bytes read by a start, where they could be counted.
    pub read: Option<u64>,
}

/// 10,000 files of 1 KiB; a seed of its own for each run.
pub fn ten_thousand(run: usize) -> Batch {
    Batch { seed: 1_000 + run as u64, files: 10_000, size: SMALL }
}

/// 100,000 files of 1 KiB.
pub fn hundred_thousand() -> Batch {
    Batch { seed: 2_000, files: 100_000, size: SMALL }
}

/// A pair of folders, and what the rows so far have put into them.
pub struct Stage {
    pair: Box<dyn Pair>,
    scratch: PathBuf,
    /// The folder of 10,000 files that the later rows use.
    many: Option<(String, Batch)>,
    noise: Noise,
}

impl Stage {
    /// Nothing has been put into the folders; `scratch` is on the same disk.
    pub fn new(pair: Box<dyn Pair>, scratch: &Path) -> Self {
        Stage { pair, scratch: scratch.to_owned(), many: None, noise: Noise::new(0) }
    }

    /// Measures one row.
    pub fn measure(&mut self, row: Row, plan: &Plan, warden: &Warden) -> Result<Figures> {
        match row {
            Row::OneFile => self.one_file(plan),
            Row::OneGib => self.one_gib(plan),
            Row::TenThousand => self.ten_thousand(plan, plan.runs),
            Row::Rename => self.rename(plan),
            Row::Idle => self.idle(plan),
            Row::Start => self.start(plan, warden),
        }
    }

    /// Quiet on both sides, and nothing left for the disk to write.
    fn settle(&mut self, plan: &Plan) -> Result<()> {
        self.pair.settle(Instant::now() + plan.limit)?;
        process::run(&mut Command::new("sync"))
    }

    fn one_file(&mut self, plan: &Plan) -> Result<Figures> {
        let mut figures = Figures::default();
        for run in 0..ONE_FILE_RUNS {
            self.settle(plan)?;
            // At any moment of a program's rounds, not always just after one.
            thread::sleep(Duration::from_millis(self.noise.number() % 1000));
            let (name, content) = (format!("one file {run}.bin"), self.noise.bytes(SMALL));
            let begun = Instant::now();
            let path = self.pair.here().join(&name);
            fs::write(&path, &content).context(|| format!("could not write {}", path.display()))?;
            files::readable(&self.pair.there().join(&name), &content, begun + plan.limit)?;
            figures.seconds.push(begun.elapsed().as_secs_f64());
        }
        Ok(figures)
    }

    fn one_gib(&mut self, plan: &Plan) -> Result<Figures> {
        let mut figures = Figures::default();
        for run in 0..plan.runs {
            let source = self.scratch.join("gib.bin");
            write_gib(&source, run)?;
            self.settle(plan)?;
            let name = format!("gib {run}.bin");
            let (here, there) = (self.pair.here().join(&name), self.pair.there().join(&name));
            let begun = Instant::now();
            process::output(program("cp", [&source, &here]).arg("--"))?;
            files::sized(&there, GIB, begun + plan.limit)?;
            figures.seconds.push(begun.elapsed().as_secs_f64());
            process::output(&mut program("cmp", [&source, &there]))
                .map_err(|failure| failure.hint("it arrived with another content"))?;
        }
        Ok(figures)
    }

    fn ten_thousand(&mut self, plan: &Plan, runs: usize) -> Result<Figures> {
        let mut figures = Figures::default();
        for run in 0..runs {
            self.settle(plan)?;
            let (top, batch) = (format!("ten thousand {run}"), ten_thousand(run));
            let begun = Instant::now();
            batch.write(&self.pair.here().join(&top))?;
            let there = self.pair.there().join(&top);
            batch.arrived(&there, begun + plan.limit)?;
            figures.seconds.push(begun.elapsed().as_secs_f64());
            batch.verify(&there)?;
            self.many = Some((top, batch));
        }
        Ok(figures)
    }

    /// The folder of 10,000, put there now if the row of that name was not asked for.
    fn many(&mut self, plan: &Plan) -> Result<(String, Batch)> {
        if self.many.is_none() {
            self.ten_thousand(plan, 1)?;
        }
        self.many.clone().ok_or_else(|| Failure::new("there is no folder of 10,000"))
    }

    fn rename(&mut self, plan: &Plan) -> Result<Figures> {
        let (mut top, batch) = self.many(plan)?;
        let mut figures = Figures::default();
        for run in 0..plan.runs {
            self.settle(plan)?;
            let before = self.pair.in_between()?;
            let renamed = format!("renamed {run}");
            let from = self.pair.here().join(&top);
            let begun = Instant::now();
            fs::rename(&from, self.pair.here().join(&renamed))
                .context(|| format!("could not rename {}", from.display()))?;
            batch.arrived(&self.pair.there().join(&renamed), begun + plan.limit)?;
            files::gone(&self.pair.there().join(&top), begun + plan.limit)?;
            figures.seconds.push(begun.elapsed().as_secs_f64());
            if let (Some(before), Some(after)) = (before, self.pair.in_between()?) {
                *figures.moved.get_or_insert(0) += after.saturating_sub(before);
            }
            top = renamed;
        }
        self.many = Some((top, batch));
        Ok(figures)
    }

    fn idle(&mut self, plan: &Plan) -> Result<Figures> {
        self.many(plan)?;
        self.settle(plan)?;
        let groups = self.pair.groups();
        let sum =
            |used: fn(usage::Usage) -> f64| -> f64 { groups.iter().map(|&id| used(usage::of(id))).sum() };
        let cpu = |usage: usage::Usage| usage.cpu.as_secs_f64();
        let (begun, mut before) = (Instant::now(), sum(cpu));
        while begun.elapsed() < REST.1 {
            thread::sleep(REST.0);
            let now = sum(cpu);
            if now <= before {
                break;
            }
            before = now;
        }
        let before = sum(cpu);
        // Not waiting for something: this is the time that is measured.
        thread::sleep(IDLE);
        let used = sum(cpu) - before;
        let memory = sum(|usage| usage.memory as f64);
        Ok(Figures { seconds: vec![used], memory: Some(memory as u64), ..Figures::default() })
    }

    fn start(&mut self, plan: &Plan, warden: &Warden) -> Result<Figures> {
        let batch = hundred_thousand();
        let write = |folder: &Path| batch.write(&folder.join("hundred thousand"));
        self.pair.fill(&write, warden, Instant::now() + plan.limit * FILL_LIMITS)?;
        let mut figures = Figures::default();
        for _ in 0..plan.runs {
            process::run(&mut Command::new("sync"))?;
            let restart = self.pair.restart(warden, Instant::now() + plan.limit)?;
            figures.seconds.push(restart.took.as_secs_f64());
            figures.read = figures.read.max(restart.read);
        }
        Ok(figures)
    }
}

/// Bytes in a gibibyte.
pub const GIB: u64 = 1 << 30;

/// Writes 1 GiB of noise.
pub fn write_gib(path: &Path, run: usize) -> Result<()> {
    use std::io::Write as _;
    const PIECE: usize = 1 << 20;
    let written = || format!("could not write {}", path.display());
    let mut noise = Noise::new(3_000 + run as u64);
    let mut file = fs::File::create(path).context(written)?;
    for _ in 0..GIB / PIECE as u64 {
        file.write_all(&noise.bytes(PIECE)).context(written)?;
    }
    Ok(())
}
