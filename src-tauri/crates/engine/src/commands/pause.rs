//! Pause and resume. A pause is kept over a restart, and a timed one ends by itself.

use std::path::Path;
use std::sync::Arc;

use jiff::{ToSpan as _, Zoned};
use tributary_status::{Failure, PauseLength, Reply};

use super::{done, not_kept};
use crate::config::Pause;
use crate::engine::{Engine, now};
use crate::folder_facts::Ask;
use crate::state::problems::clock;
use crate::supervisor::pause_of;

/// The hour of the morning at which "until tomorrow" ends.
const MORNING: i8 = 6;

/// Lets one folder, or all, rest.
pub(crate) fn pause(
    engine: &Arc<Engine>,
    folder: Option<&Path>,
    length: PauseLength,
) -> Result<Reply, Failure> {
    let pause = match length {
        PauseLength::Seconds { seconds } => Pause::Until(now().saturating_add_unsigned(seconds)),
        PauseLength::UntilTomorrow => tomorrow(&Zoned::now()).map_or(Pause::UntilResumed, Pause::Until),
        PauseLength::UntilResumed => Pause::UntilResumed,
    };
    set(engine, folder, pause)?;
    done(match pause_of(pause, now()).flatten() {
        Some(until) => format!("Paused until {}.", clock(&until)),
        None => "Paused until you resume.".into(),
    })
}

/// Lets one folder, or all, go on.
pub(crate) fn resume(engine: &Arc<Engine>, folder: Option<&Path>) -> Result<Reply, Failure> {
    set(engine, folder, Pause::Off)?;
    done("Going on.")
}

fn set(engine: &Arc<Engine>, folder: Option<&Path>, pause: Pause) -> Result<(), Failure> {
    if let Some(path) = folder {
        engine.folder(path)?;
    }
    let paths = engine
        .configure(|config| {
            let mut paths = Vec::new();
            for known in &mut config.folders {
                if folder.is_none_or(|path| path == known.path) {
                    known.pause = pause;
                    paths.push(known.path.clone());
                }
            }
            paths
        })
        .map_err(not_kept)?;
    for path in paths {
        engine.folders.tell(&path, Ask::Pause(pause_of(pause, now())));
        engine.resume_in_time(&path, pause);
    }
    Ok(())
}

/// The next morning, seconds since 1970.
fn tomorrow(now: &Zoned) -> Option<i64> {
    let morning = now.checked_add(1.day()).ok()?.date().at(MORNING, 0, 0, 0);
    Some(morning.to_zoned(now.time_zone().clone()).ok()?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tomorrow_is_the_next_morning() {
        use jiff::civil::date;
        use jiff::tz::TimeZone;
        let now = date(2026, 3, 1).at(23, 30, 0, 0).to_zoned(TimeZone::UTC).unwrap();
        let morning = date(2026, 3, 2).at(6, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap();
        assert_eq!(tomorrow(&now), Some(morning.timestamp().as_second()));
    }
}
