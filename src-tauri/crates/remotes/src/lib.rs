//! Special remotes: places that store contents and run nothing of ours.
