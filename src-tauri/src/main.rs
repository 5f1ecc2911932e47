//! `tributary`: the desktop program. Reads its arguments, sets up the log, and hands over to the shell.

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;
use tributary_engine::logging;
use tributary_shell::Clicked;

const USAGE: &str = "\
Usage: tributary [--hidden] [LINK]

Shows Tributary's window, or the one of the running program.

  LINK         an invitation (tributary:…): shown with what it leads to, and nothing is joined before you say so
  --hidden     start without a window, in the tray
  --version    print the version and exit
  --help       print this text and exit
";

#[allow(clippy::print_stdout)] // The answer to --help and --version belongs on standard output.
fn main() -> ExitCode {
    tributary_engine::memory::limit();
    let mut start = tributary_shell::Start::default();
    for argument in std::env::args_os().skip(1) {
        match argument.to_str() {
            Some("--hidden") => start.hidden = true,
            Some("--version") => {
                println!("tributary {}", env!("CARGO_PKG_VERSION"));
                return ExitCode::SUCCESS;
            }
            Some("--help") => {
                print!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            Some(other) if Clicked::of(other).is_some() => start.invitation = Clicked::of(other),
            _ => {
                eprint!("tributary: unknown argument {}\n{USAGE}", argument.display());
                return ExitCode::from(2);
            }
        }
    }
    let filter =
        EnvFilter::try_from_env(logging::VARIABLE).unwrap_or_else(|_| EnvFilter::new(logging::FILTER));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match tributary_shell::run(start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tributary: {error:#}");
            ExitCode::FAILURE
        }
    }
}
