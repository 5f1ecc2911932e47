//! `cargo xtask setup`: everything that the other commands set up by themselves, at once.

use crate::failure::{Failure, Result};
use crate::{annex, front_end, packages, toolchain};

/// Installs what is missing to build, run and test, and with `--bench` the programs to compare with.
pub fn command(arguments: &[String]) -> Result<()> {
    let bench = match arguments {
        [] => false,
        [flag] if flag == "--bench" => true,
        _ => return Err(Failure::usage("setup knows --bench alone")),
    };
    for_test()?;
    if bench {
        for_bench()?;
    }
    println!("Everything is there.");
    Ok(())
}

/// What a build and a start need.
pub fn for_run() -> Result<()> {
    packages::install(packages::BUILD)?;
    front_end::build()
}

/// What the tests need; gives the folder of the newest git-annex.
pub fn for_test() -> Result<std::path::PathBuf> {
    // In one go, so that apt reads its lists once.
    packages::install(&[packages::BUILD, packages::TEST].concat())?;
    toolchain::components()?;
    front_end::build()?;
    annex::install()
}

/// What the demonstration needs.
pub fn for_demo() -> Result<()> {
    packages::install(&[packages::BUILD, packages::DEMO].concat())?;
    front_end::build()
}

/// What the bench needs; gives the folder of the newest git-annex.
pub fn for_bench() -> Result<std::path::PathBuf> {
    packages::install(&[packages::BUILD, packages::BENCH].concat())?;
    annex::install()
}
