//! Large graphs, one walk each, chosen by a seed that is printed when it fails.
//!
//! `TRIBUTARY_SIM_GRAPHS` sets how many random graphs are walked through,
//! `TRIBUTARY_SIM_VERTICES` how large they may be, `TRIBUTARY_SIM_SEED` walks through a single one.

mod economy;
mod shapes;
mod together;
mod walk;
