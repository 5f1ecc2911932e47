//! The assistant: threads that keep folders in sync.
