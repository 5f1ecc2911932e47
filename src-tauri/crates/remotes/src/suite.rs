//! The suite that every special remote must pass.
