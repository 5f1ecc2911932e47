//! `trib daemon`: the engine in the foreground.

use std::fs::OpenOptions;
use std::io::IsTerminal as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::ExitCode;
use std::sync::Mutex;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tributary_engine::engine::EngineError;
use tributary_engine::{Engine, Home, logging};

/// Runs until SIGTERM, SIGINT or a command to quit.
pub(crate) async fn run() -> ExitCode {
    match try_run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let hint = match error.downcast_ref::<EngineError>() {
                Some(EngineError::Running) => "`trib status` shows how it is doing; a home has one engine.",
                _ => "Look at the folder that TRIBUTARY_HOME names, or ~/.config and ~/.local/state.",
            };
            eprintln!("trib: {error:#}.\n{hint}");
            ExitCode::FAILURE
        }
    }
}

async fn try_run() -> anyhow::Result<()> {
    let home = Home::from_environment()?;
    start_log(&home)?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let engine = Engine::start(home).await?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "started");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = engine.stopped() => {}
    }
    engine.shut_down().await;
    tracing::info!("stopped");
    Ok(())
}

/// The log goes to a file, and to a terminal when there is one.
fn start_log(home: &Home) -> anyhow::Result<()> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(home.log_file())?;
    let filter = EnvFilter::try_from_env(logging::VARIABLE).unwrap_or_else(|_| logging::FILTER.into());
    let to_file = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Mutex::new(file));
    let to_terminal = std::io::stderr()
        .is_terminal()
        .then(|| tracing_subscriber::fmt::layer().with_writer(std::io::stderr).without_time());
    tracing_subscriber::registry().with(filter).with(to_file).with(to_terminal).init();
    Ok(())
}
