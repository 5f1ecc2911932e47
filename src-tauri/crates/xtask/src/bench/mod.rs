//! `cargo xtask bench`.

use crate::failure::Result;

/// Measures.
pub fn command(_arguments: &[String]) -> Result<()> {
    todo!()
}
