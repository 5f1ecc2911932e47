//! git-annex's formats: text to values and back, no I/O, no clock.
