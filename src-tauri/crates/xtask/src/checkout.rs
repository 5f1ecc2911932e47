//! Where the sources, the build output and the caches are.

use std::env;
use std::path::PathBuf;

/// The folder of the root `Cargo.toml`.
pub fn root() -> PathBuf {
    // What cargo says when it runs us goes before what it said when it built us: checkouts that share a target folder,
    // as those of CI do, share this program too.
    let manifest = env::var_os("CARGO_MANIFEST_DIR");
    let manifest = manifest.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.ancestors().nth(3).expect("the crate lies three folders below the root").to_owned()
}

/// The front end's sources.
pub fn front_end() -> PathBuf {
    root().join("ui")
}

/// Cargo's build output: `CARGO_TARGET_DIR`, else `target` in the checkout.
pub fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) if !folder.is_empty() => root().join(folder),
        _ => root().join("target"),
    }
}

/// A program that cargo built, such as `trib`, in `debug` or `release`.
pub fn built(program: &str, release: bool) -> PathBuf {
    target().join(if release { "release" } else { "debug" }).join(program)
}

/// What set-up downloads and keeps between checkouts: `$XDG_CACHE_HOME/tributary`.
pub fn cache() -> PathBuf {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME")
        .filter(|folder| folder.is_absolute())
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(target)
        .join("tributary")
}

/// A folder of this name, made new, on a real disk where the machine has one: `/tmp` is memory on many desktops, and
/// what is measured or shown there would not be what people get. Short, because it will hold sockets.
pub fn scratch(name: &str) -> std::io::Result<PathBuf> {
    let base = env::var_os("TRIBUTARY_SCRATCH").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
    let base = if base.is_dir() { base } else { env::temp_dir() };
    let mut number = std::process::id();
    loop {
        let folder = base.join(format!("tributary-{name}-{number}"));
        match std::fs::create_dir(&folder) {
            Ok(()) => {
                use std::os::unix::fs::PermissionsExt as _;
                std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))?;
                return Ok(folder);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Whether scratch folders stay, with the logs in them, for somebody who looks for a fault: `TRIBUTARY_KEEP` is set.
pub fn keep() -> bool {
    env::var_os("TRIBUTARY_KEEP").is_some()
}

/// The first program of that name on `PATH`.
pub fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().join(".cargo/config.toml").is_file(), "{} is not the root", root().display());
        assert!(root().join("src-tauri/crates/xtask").is_dir());
    }
}
