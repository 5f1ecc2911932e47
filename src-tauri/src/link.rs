//! The one door between the shell and the engine, hosted in this process or found running (`trib daemon`).

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use async_trait::async_trait;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{broadcast, watch};
use tracing::warn;
use tributary_engine::{Home, Link, open_or_join};
use tributary_status::{Command, Failure, NumberedEvent, ProblemCode, Reply, Snapshot};

use crate::wish::Wish;

/// The program's name on the session bus, as in tauri.conf.json.
const IDENTIFIER: &str = "org.tributary.Tributary";

/// What the shell needs of an engine.
#[async_trait]
pub trait Assistant: Send + Sync + 'static {
    /// Carries out a wish and answers it.
    async fn command(&self, command: Command) -> Reply;
    /// Events from now on.
    ///
    /// # Errors
    /// The engine is gone.
    async fn subscribe(&self) -> anyhow::Result<Source>;
    /// Waits until the engine ends by itself or by somebody's wish.
    async fn ended(&self) -> Ended;
    /// Ends the engine when it is hosted here; lets go of it otherwise.
    async fn stop(&self);
}

/// Where the engine was that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// In this process: the program ends with it.
    Here,
    /// In a process of its own: from now on it is hosted here.
    Elsewhere,
}

/// The engine once it is there: windows may ask before it is, and wait.
#[derive(Clone)]
pub struct Engine(watch::Receiver<Opened>);

/// The end that says how the opening went.
pub type Opening = Arc<watch::Sender<Opened>>;

/// Events of an engine that was opened.
pub type Source = broadcast::Receiver<NumberedEvent>;

/// How long to wait before an engine that could not be opened is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// How far the opening of the engine is.
#[derive(Clone, Default)]
pub enum Opened {
    /// Under way.
    #[default]
    NotYet,
    /// There.
    Ready(Arc<dyn Assistant>),
    /// It could not be opened; the reason in one line.
    Failed(String),
}

impl Engine {
    /// An engine that is not there yet, and the end to say so when it is.
    pub fn opening() -> (Opening, Self) {
        let (sender, receiver) = watch::channel(Opened::NotYet);
        (Arc::new(sender), Self(receiver))
    }

    /// Waits for the engine.
    ///
    /// # Errors
    /// It could not be opened.
    pub async fn ready(&self) -> anyhow::Result<Arc<dyn Assistant>> {
        let mut opened = self.0.clone();
        let opened = opened
            .wait_for(|opened| !matches!(opened, Opened::NotYet))
            .await
            .context("Tributary ended while it was starting")?
            .clone();
        match opened {
            Opened::Ready(assistant) => Ok(assistant),
            Opened::Failed(reason) => bail!(reason),
            Opened::NotYet => unreachable!("waited for anything else"),
        }
    }

    /// The engine if it is there already.
    pub fn now(&self) -> Option<Arc<dyn Assistant>> {
        match &*self.0.borrow() {
            Opened::Ready(assistant) => Some(assistant.clone()),
            _ => None,
        }
    }

    /// Carries out a wish once the engine is there; that it never comes is an answer too.
    pub async fn command(&self, command: Command) -> Reply {
        match self.ready().await {
            Ok(assistant) => assistant.command(command).await,
            Err(error) => failed(&error),
        }
    }

    /// Everything, at this moment.
    ///
    /// # Errors
    /// The engine is not there, or answered something else.
    pub async fn snapshot(&self) -> anyhow::Result<Snapshot> {
        match self.command(Command::Status { folder: None }).await {
            Reply::Status { snapshot } => Ok(*snapshot),
            Reply::Failed { failure } => bail!(failure.sentence),
            other => bail!("the engine answered {other:?} when asked for its state"),
        }
    }
}

/// Opens the engine, or joins the one that runs, and hands over its events: again when the one that it joined ends,
/// and after a while when there is none to be had. Asks to quit when the engine of this process ends.
pub async fn keep_open(opening: Opening, sources: UnboundedSender<Source>, wishes: UnboundedSender<Wish>) {
    loop {
        let opened = async {
            let assistant = open().await?;
            let source = assistant.subscribe().await?;
            anyhow::Ok((assistant, source))
        };
        match opened.await {
            Ok((assistant, source)) => {
                opening.send_replace(Opened::Ready(assistant.clone()));
                let _ = sources.send(source); // The other end is gone only while the program ends.
                if assistant.ended().await == Ended::Here {
                    let _ = wishes.send(Wish::Quit);
                    return;
                }
                opening.send_replace(Opened::NotYet);
            }
            Err(error) => {
                warn!(error = format!("{error:#}"), "no engine; trying again");
                opening.send_replace(Opened::Failed(format!("{error:#}")));
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// The name under which a second start finds this program: one for each home, so that several nodes can live in one
/// session.
pub fn instance_id() -> String {
    instance_of(std::env::var_os("TRIBUTARY_HOME"))
}

fn instance_of(home: Option<OsString>) -> String {
    match home.filter(|home| !home.is_empty()).and_then(|home| std::path::absolute(home).ok()) {
        Some(home) => format!("{IDENTIFIER}.h{:016x}", fnv(home.as_os_str().as_bytes())),
        None => IDENTIFIER.into(),
    }
}

/// FNV-1a, 64 bit: short, and the same in every version of the program, unlike the standard library's hashes.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

async fn open() -> anyhow::Result<Arc<dyn Assistant>> {
    let home = Home::from_environment()?;
    Ok(Arc::new(open_or_join(home).await?))
}

#[async_trait]
impl Assistant for Link {
    async fn command(&self, command: Command) -> Reply {
        Link::command(self, command).await.unwrap_or_else(|error| failed(&error.into()))
    }

    async fn subscribe(&self) -> anyhow::Result<Source> {
        Ok(Link::subscribe(self).await?)
    }

    async fn ended(&self) -> Ended {
        match self {
            Link::Here(engine) => {
                engine.stopped().await;
                Ended::Here
            }
            Link::There(client) => {
                client.gone().await;
                Ended::Elsewhere
            }
        }
    }

    async fn stop(&self) {
        Link::stop(self).await;
    }
}

/// That there was no engine to answer is an answer too.
fn failed(error: &anyhow::Error) -> Reply {
    Reply::Failed {
        failure: Failure {
            code: Some(ProblemCode::Internal),
            sentence: format!("{error:#}."),
            hint: "Quit Tributary from the tray and start it again.".into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_home_has_its_own_instance() {
        let plain = instance_of(None);
        let one = instance_of(Some("/tmp/one".into()));
        assert_eq!(plain, IDENTIFIER);
        assert_ne!(one, instance_of(Some("/tmp/two".into())), "two nodes must not find each other");
        assert_eq!(one, instance_of(Some("/tmp/one".into())), "a second start must find the first");
        assert!(
            one.starts_with("org.tributary.Tributary.h"),
            "an element of a bus name cannot start with a digit"
        );
    }
}
