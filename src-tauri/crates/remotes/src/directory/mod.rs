//! The `directory` special remote: contents in a directory of this machine, such as a removable drive.
