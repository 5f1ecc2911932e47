//! Meters: how many bytes of a transfer have moved, told at most twice a second, and a heartbeat that shows a stall.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Shortest time between two reports of one transfer: more often nobody can read them.
const REPORT_PAUSE: Duration = Duration::from_millis(500);
/// A transfer that moves nothing is reported this often, with the time since its last byte.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// How far a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that need not be moved any more, those of an earlier try included.
    pub bytes_done: u64,
    /// Bytes in all, when known.
    pub bytes_total: Option<u64>,
    /// The time since the last byte moved: what tells a stall from slowness.
    pub idle: Duration,
}

/// Counts the bytes of one transfer. Clones count together.
#[derive(Clone)]
pub struct Meter(Arc<Counter>);

struct Counter {
    done: AtomicU64,
    total: Option<u64>,
    stopped: AtomicBool,
    times: Mutex<Times>,
    report: Option<Box<dyn Fn(Progress) + Send + Sync>>,
}

/// When something last happened.
struct Times {
    moved: Instant,
    reported: Option<Instant>,
}

impl Meter {
    /// A meter that calls `report` at most twice a second, from whatever thread moves the bytes; so `report` must not
    /// block.
    pub fn new(total: Option<u64>, report: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self::with(total, Some(Box::new(report)))
    }

    /// A meter that only counts, and stops.
    pub fn silent() -> Self {
        Self::with(None, None)
    }

    fn with(total: Option<u64>, report: Option<Box<dyn Fn(Progress) + Send + Sync>>) -> Self {
        Meter(Arc::new(Counter {
            done: AtomicU64::new(0),
            total,
            stopped: AtomicBool::new(false),
            times: Mutex::new(Times { moved: Instant::now(), reported: None }),
            report,
        }))
    }

    /// Bytes so far.
    pub fn bytes_done(&self) -> u64 {
        self.0.done.load(Ordering::Relaxed)
    }

    /// Counts `bytes` more.
    pub fn advance(&self, bytes: u64) {
        self.0.done.fetch_add(bytes, Ordering::Relaxed);
        self.moved();
    }

    /// Says how many bytes are done in all: after a resume, or when a try starts from nothing.
    pub fn set(&self, bytes_done: u64) {
        self.0.done.store(bytes_done, Ordering::Relaxed);
        self.moved();
    }

    fn moved(&self) {
        // A transfer that nobody watches takes no lock.
        if self.0.report.is_none() {
            return;
        }
        let now = Instant::now();
        let due = {
            let mut times = self.times();
            times.moved = now;
            let due = times.reported.is_none_or(|last| now - last >= REPORT_PAUSE);
            if due {
                times.reported = Some(now);
            }
            due
        };
        if due {
            self.report(Duration::ZERO);
        }
    }

    /// Asks the transfer to end soon. It answers with its error `Stopped`; what has moved is kept for the next try.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether the transfer was asked to end.
    pub fn stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Relaxed)
    }

    /// Runs a transfer with a heartbeat: while it moves nothing, the report comes every two seconds, with the time since
    /// the last byte. When the transfer ends, its last state is reported.
    pub async fn beating<T>(&self, transfer: impl Future<Output = T>) -> T {
        let mut transfer = std::pin::pin!(transfer);
        loop {
            match tokio::time::timeout(HEARTBEAT, &mut transfer).await {
                Ok(ended) => {
                    self.report(self.idle());
                    return ended;
                }
                Err(_) => {
                    if self.idle() >= HEARTBEAT {
                        self.report(self.idle());
                    }
                }
            }
        }
    }

    fn idle(&self) -> Duration {
        self.times().moved.elapsed()
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        // The times are whole between any two statements that could panic.
        self.0.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, idle: Duration) {
        if let Some(report) = &self.0.report {
            report(Progress { bytes_done: self.bytes_done(), bytes_total: self.0.total, idle });
        }
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").field("done", &self.bytes_done()).field("total", &self.0.total).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Reports = Arc<Mutex<Vec<Progress>>>;

    fn watched(total: Option<u64>) -> (Meter, Reports) {
        let reports = Reports::default();
        let seen = Arc::clone(&reports);
        (Meter::new(total, move |progress| seen.lock().expect("no report panics").push(progress)), reports)
    }

    fn taken(reports: &Reports) -> Vec<Progress> {
        std::mem::take(&mut reports.lock().expect("no report panics"))
    }

    #[tokio::test(start_paused = true)]
    async fn reports_at_most_twice_a_second_and_always_the_end() {
        let (meter, reports) = watched(Some(1_000));
        let transfer = async {
            for _ in 0..1_000 {
                meter.advance(1);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        meter.beating(transfer).await;
        let reports = taken(&reports);
        // Ten seconds: one at the start, then one each half second, and the last.
        assert_eq!(reports.len(), 21, "{reports:?}");
        assert!(reports.is_sorted_by_key(|report| report.bytes_done), "{reports:?}");
        assert_eq!(
            reports.last().map(|last| (last.bytes_done, last.bytes_total)),
            Some((1_000, Some(1_000)))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_stall_is_seen() {
        let (meter, reports) = watched(None);
        let transfer = async {
            meter.advance(7);
            tokio::time::sleep(Duration::from_secs(9)).await;
        };
        meter.beating(transfer).await;
        let idle: Vec<u64> = taken(&reports).iter().map(|report| report.idle.as_secs()).collect();
        assert_eq!(idle, [0, 2, 4, 6, 8, 9], "the first byte, a heartbeat each two seconds, the end");
    }

    #[test]
    fn clones_count_and_stop_together() {
        let meter = Meter::silent();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let clone = meter.clone();
                scope.spawn(move || (0..1_000).for_each(|_| clone.advance(1)));
            }
        });
        assert_eq!(meter.bytes_done(), 4_000);
        meter.clone().stop();
        assert!(meter.stopped());
    }
}
