//! Repositories, remotes, servers and nodes for tests; only ever a dev-dependency.
