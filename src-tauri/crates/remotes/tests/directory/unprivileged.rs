//! Permissions hold nobody up who is root, so root runs the tests once more as nobody.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use tributary_testkit::{Sandbox, run};

/// The user and group that own nothing.
const NOBODY: u32 = 65_534;

#[test]
fn the_same_for_a_user_who_is_not_root() {
    if !rustix::process::geteuid().is_root() {
        // Then the other tests are such a run themselves.
        return;
    }
    let sandbox = Sandbox::new();
    let dir = sandbox.dir("open");
    for path in [sandbox.path(), &dir] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    // Where the build put the program nobody may not look.
    let program = dir.join("tests");
    fs::copy(env::current_exe().unwrap(), &program).unwrap();
    let mut command = sandbox.command(&program);
    command.args(["mount::", "suite::"]).env("TMPDIR", &dir).env("HOME", &dir).uid(NOBODY).gid(NOBODY);
    let finished = run(command).ok();
    assert!(finished.stdout().contains("suite::whole ... ok"), "the suite was among them: {finished}");
}
