//! The seed of a randomised test: taken from `TRIBUTARY_SEED`, else fresh, and always printed.

use std::env;

/// The seed to use, and a line on standard error that says how to run the test with it again.
///
/// The test runner shows that line only when the test fails, which is when it is wanted.
///
/// # Panics
///
/// When `TRIBUTARY_SEED` is set to something that is not a number.
#[track_caller]
pub fn seed() -> u64 {
    let seed = match env::var("TRIBUTARY_SEED") {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("TRIBUTARY_SEED={text} is not a number")),
        Err(_) => rand::random(),
    };
    let caller = std::panic::Location::caller();
    eprintln!("{}:{}: TRIBUTARY_SEED={seed} runs this again", caller.file(), caller.line());
    seed
}
