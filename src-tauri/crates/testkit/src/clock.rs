//! A clock that can be set: programs started with it see another time, and a test moves it while they run.
//!
//! A small library is built that stands in front of the C library's clock; nothing else of the machine changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::run;
use crate::sandbox::Sandbox;

/// What answers in place of `clock_gettime`: the true time and as many seconds more as a file says. Only the time of
/// day is moved, since nothing else of a clock can be wrong.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    int done = syscall(SYS_clock_gettime, clock, now);
    const char *path = getenv("TEST_CLOCK");
    if (done == 0 && clock == CLOCK_REALTIME && path) {
        char text[32] = {0};
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            if (read(file, text, sizeof text - 1) > 0) now->tv_sec += atoll(text);
            close(file);
        }
    }
    return done;
}
"#;

/// A clock of its own.
#[derive(Debug, Clone)]
pub struct Clock {
    library: PathBuf,
    ahead: PathBuf,
}

impl Clock {
    /// The programs it needs, for [`need_all`](crate::need_all).
    pub const NEEDS: &'static [&'static str] = &["cc"];

    /// A clock that is right, until it is set.
    ///
    /// # Panics
    ///
    /// When the library cannot be built.
    #[track_caller]
    pub fn new(sandbox: &Sandbox, name: &str) -> Clock {
        let dir = sandbox.dir(name);
        let (source, library, ahead) = (dir.join("clock.c"), dir.join("clock.so"), dir.join("ahead"));
        fs::write(&source, SOURCE).expect("the test's own folder can be written");
        let mut build = Command::new("cc");
        build.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
        run(build).ok();
        let clock = Clock { library, ahead };
        clock.set_ahead(Duration::ZERO);
        clock
    }

    /// Lets the programs of a machine see this clock.
    pub fn configure(&self, machine: &mut Sandbox) {
        machine.set("LD_PRELOAD", text(&self.library));
        machine.set("TEST_CLOCK", text(&self.ahead));
    }

    /// Sets it: so much later than it is.
    #[track_caller]
    pub fn set_ahead(&self, by: Duration) {
        // Replaced as a whole: a program may look at any moment.
        let new = self.ahead.with_extension("new");
        let written = fs::write(&new, by.as_secs().to_string()).and_then(|()| fs::rename(&new, &self.ahead));
        written.expect("the test's own folder can be written");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the tests' own paths are UTF-8")
}
