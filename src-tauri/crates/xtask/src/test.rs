//! `cargo xtask test`: every check, as CI runs it.
//!
//! A failed step does not hide the ones after it: all run, the table in the end says which failed and how long each
//! took, and the whole has a limit of time, so that a test that hangs becomes a message instead of a CI job that is cut
//! off.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::failure::{Context, Failure, Result};
use crate::process::run_within;
use crate::toolchain::{cargo, has_nextest};
use crate::warden::Warden;
use crate::{build, checkout, front_end, setup};

/// CI ends a job after 90 minutes; a little is left to say what was running.
const LIMIT: Duration = Duration::from_secs(80 * 60);

/// Elsewhere: a first build on a slow machine, and the sizes of `--full`, may take their time.
const LIMIT_AT_HOME: Duration = Duration::from_secs(6 * 60 * 60);

/// A check: its name on the command line, what it does, and how.
struct Step {
    name: &'static str,
    about: &'static str,
    run: fn(&Checks) -> Result<()>,
}

/// The quick ones first, so that their message does not wait for the long ones.
const STEPS: &[Step] = &[
    Step { name: "fmt", about: "the sources are formatted", run: formatted },
    Step { name: "ui", about: "the windows: types and tests", run: windows },
    Step { name: "clippy", about: "no warning from the compiler or clippy", run: linted },
    Step {
        name: "rust",
        about: "all tests of the crates, and the journeys through the built programs",
        run: rust,
    },
    Step { name: "doctest", about: "the examples in the documentation", run: doctests },
    Step { name: "bindings", about: "the TypeScript types are those of the Rust ones", run: bindings },
    Step { name: "doc", about: "the documentation has no broken link", run: documented },
];

/// What the steps work with.
struct Checks {
    annex: PathBuf,
    full: bool,
    nextest: bool,
    deadline: Instant,
    warden: Warden,
}

/// Sets up and runs the checks.
pub fn command(arguments: &[String]) -> Result<()> {
    let (full, chosen) = chosen(arguments)?;
    let begun = Instant::now();
    let annex = setup::for_test()?;
    let set_up = begun.elapsed();
    let in_ci = std::env::var_os("CI").is_some();
    let checks = Checks {
        annex,
        full,
        nextest: has_nextest(),
        deadline: begun + if in_ci && !full { LIMIT } else { LIMIT_AT_HOME },
        warden: Warden::start()?,
    };
    let mut rows = vec![Row { name: "setup", took: set_up, outcome: Ok(()) }];
    for step in chosen {
        heading(&format!("{}: {}", step.name, step.about));
        let begun = Instant::now();
        let outcome = (step.run)(&checks);
        if let Err(failure) = &outcome {
            println!("{} FAILED: {failure}", step.name);
        }
        rows.push(Row { name: step.name, took: begun.elapsed(), outcome });
    }
    summary(&rows, begun.elapsed(), checks.nextest);
    let failed: Vec<_> = rows.iter().filter(|row| row.outcome.is_err()).map(|row| row.name).collect();
    if failed.is_empty() { Ok(()) } else { Err(Failure::new(format!("failed: {}", failed.join(", ")))) }
}

/// The steps that were named, in their own order; all when none was.
fn chosen(arguments: &[String]) -> Result<(bool, Vec<&'static Step>)> {
    let full = arguments.iter().any(|argument| argument == "--full");
    let names: Vec<_> = arguments.iter().filter(|argument| *argument != "--full").collect();
    if let Some(unknown) = names.iter().find(|name| STEPS.iter().all(|step| step.name != ***name)) {
        return Err(Failure::usage(format!("test has no step \"{unknown}\"")));
    }
    let wanted = |step: &&Step| names.is_empty() || names.iter().any(|name| *name == step.name);
    Ok((full, STEPS.iter().filter(wanted).collect()))
}

impl Checks {
    /// Runs a command in the checkout with the tests' environment.
    fn run(&self, command: &mut Command) -> Result<()> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::new("no time is left"));
        }
        if command.get_current_dir().is_none() {
            command.current_dir(checkout::root());
        }
        command.env("TRIBUTARY_ANNEX_NEW", &self.annex);
        if self.full {
            command.env("TRIBUTARY_FULL", "1");
        }
        run_within(command, left, &self.warden)
    }

    /// `cargo SUBCOMMAND` over every crate; `rest` goes after it.
    fn cargo(&self, subcommand: &[&str], rest: &[&str]) -> Result<()> {
        let mut command = cargo(subcommand);
        command.args(build::locked()).args(build::EVERYTHING).args(rest);
        self.run(&mut command)
    }
}

fn formatted(checks: &Checks) -> Result<()> {
    checks.run(&mut cargo(&["fmt", "--all", "--check"]))
}

fn linted(checks: &Checks) -> Result<()> {
    checks.cargo(&["clippy", "--quiet"], &["--all-targets", "--", "--deny", "warnings"])
}

fn rust(checks: &Checks) -> Result<()> {
    if checks.nextest {
        let profile = if checks.full { "full" } else { "default" };
        let rest = ["--config-file", "src-tauri/nextest.toml", "--profile", profile, "--no-fail-fast"];
        checks.cargo(&["nextest", "run"], &rest)
    } else {
        checks.cargo(&["test"], &["--no-fail-fast"])
    }
}

fn doctests(checks: &Checks) -> Result<()> {
    // `cargo test` has run them in the step before.
    if checks.nextest { checks.cargo(&["test", "--doc"], &[]) } else { Ok(()) }
}

fn windows(checks: &Checks) -> Result<()> {
    let ui = checkout::front_end();
    checks.run(front_end::npm(&["run", "--silent", "check"]).current_dir(&ui))?;
    checks.run(front_end::npm(&["run", "--silent", "test"]).current_dir(&ui))
}

fn documented(checks: &Checks) -> Result<()> {
    let mut command = cargo(&["doc", "--quiet", "--no-deps"]);
    command.args(build::locked()).args(build::EVERYTHING).env("RUSTDOCFLAGS", "--deny warnings");
    checks.run(&mut command)
}

/// Generates the types afresh beside the checkout and compares.
fn bindings(checks: &Checks) -> Result<()> {
    let fresh = checkout::target().join("generated-types");
    match std::fs::remove_dir_all(&fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).context(|| format!("could not remove {}", fresh.display()));
        }
        _ => {}
    }
    let mut command = cargo(&["test", "--quiet"]);
    command.args(build::locked()).args(build::EVERYTHING).args(["--lib", "export_bindings"]);
    checks.run(command.env("TS_RS_EXPORT_DIR", &fresh))?;
    let kept = checkout::front_end().join("src/generated");
    let mut differing = differing(&kept, &fresh)?;
    if differing.is_empty() {
        return Ok(());
    }
    differing.sort();
    Err(Failure::new(format!("ui/src/generated is not up to date: {}", differing.join(", ")))
        .hint("`cargo test -p tributary-status` writes it; commit what it writes, and remove what it no longer does"))
}

/// The names of the files that are not the same in both folders.
fn differing(one: &Path, other: &Path) -> Result<Vec<String>> {
    let files = |folder: &Path| -> Result<std::collections::BTreeMap<String, Vec<u8>>> {
        let read = || format!("could not read {}", folder.display());
        let mut files = std::collections::BTreeMap::new();
        for entry in std::fs::read_dir(folder).context(read)? {
            let entry = entry.context(read)?;
            if entry.file_type().context(read)?.is_file() {
                let name = entry.file_name().to_string_lossy().into_owned();
                files.insert(name, std::fs::read(entry.path()).context(read)?);
            }
        }
        Ok(files)
    };
    let (one, other) = (files(one)?, files(other)?);
    let names: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
    Ok(names.into_iter().filter(|name| one.get(*name) != other.get(*name)).cloned().collect())
}

struct Row {
    name: &'static str,
    took: Duration,
    outcome: Result<()>,
}

fn heading(text: &str) {
    println!("\n── {text}");
}

fn summary(rows: &[Row], total: Duration, nextest: bool) {
    heading("summary");
    for row in rows {
        let outcome = match &row.outcome {
            Ok(()) => "ok",
            Err(_) => "FAILED",
        };
        println!("{:<10} {:>8}  {outcome}", row.name, shown(row.took));
    }
    println!(
        "{:<10} {:>8}  with {}",
        "all",
        shown(total),
        if nextest { "cargo-nextest" } else { "cargo test" }
    );
}

fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02} min", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arguments: &[&str]) -> Result<(bool, Vec<&'static str>)> {
        let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        chosen(&arguments).map(|(full, steps)| (full, steps.iter().map(|step| step.name).collect()))
    }

    #[test]
    fn steps_are_chosen_by_name_and_run_in_their_own_order() {
        assert_eq!(names(&["ui", "--full", "fmt"]).unwrap(), (true, vec!["fmt", "ui"]));
        assert_eq!(names(&[]).unwrap().1.len(), STEPS.len());
        assert!(names(&["everything"]).unwrap_err().is_usage());
    }

    #[test]
    fn a_file_that_differs_or_is_alone_is_named() {
        let folder = checkout::scratch("bindings-test").unwrap();
        let (one, other) = (folder.join("one"), folder.join("other"));
        for (side, files) in
            [(&one, [("a", "1"), ("b", "1"), ("c", "1")]), (&other, [("a", "1"), ("b", "2"), ("d", "1")])]
        {
            std::fs::create_dir(side).unwrap();
            for (name, text) in files {
                std::fs::write(side.join(name), text).unwrap();
            }
        }
        let found = differing(&one, &other);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found.unwrap(), ["b", "c", "d"]);
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_all_that_it_started() {
        // The inner sleep stands for a test's own server: the pipe would stay open if it lived on.
        let warden = Warden::deaf();
        let mut command = crate::process::program("sh", ["-c", "sleep 300 & wait"]);
        let failure = run_within(&mut command, Duration::from_millis(200), &warden).unwrap_err();
        assert!(failure.to_string().contains("was ended"), "{failure}");
    }
}
