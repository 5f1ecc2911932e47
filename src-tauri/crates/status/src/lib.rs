//! What crosses the border between engine and windows: plain data.
