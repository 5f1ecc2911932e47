//! What the applier is woken for.
//!
//! A content that arrives concerns the paths that wait for it and no others, so that thousands that wait are not walked
//! through for each slice of a transfer.

use std::sync::Mutex;

use tokio::sync::Notify;
use tributary_formats::key::Key;

/// Wakes the applier, and says what for. Nothing is lost when it is told before it waits.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    what: Mutex<Option<Arrived>>,
    told: Notify,
}

/// What arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// Versions to place, or a reason to try again: every path that waits is looked at.
    Versions,
    /// These contents.
    Contents(Vec<Key>),
}

impl Arrivals {
    /// Every path that waits is to be looked at.
    pub(crate) fn versions(&self) {
        *self.what.lock().expect("no holder panics") = Some(Arrived::Versions);
        self.told.notify_one();
    }

    /// These contents are here now.
    pub(crate) fn contents(&self, keys: Vec<Key>) {
        {
            let mut what = self.what.lock().expect("no holder panics");
            match &mut *what {
                None => *what = Some(Arrived::Contents(keys)),
                Some(Arrived::Contents(before)) => before.extend(keys),
                Some(Arrived::Versions) => {}
            }
        }
        self.told.notify_one();
    }

    /// Waits until something arrived, and takes it all.
    pub(crate) async fn next(&self) -> Arrived {
        loop {
            if let Some(arrived) = self.what.lock().expect("no holder panics").take() {
                return arrived;
            }
            self.told.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u32) -> Key {
        Key::parse(format!("SHA256-s{n}--{n:064x}").as_bytes()).unwrap()
    }

    #[tokio::test]
    async fn what_arrives_meanwhile_is_taken_together() {
        let arrivals = Arrivals::default();
        arrivals.contents(vec![key(1)]);
        arrivals.contents(vec![key(2)]);
        assert_eq!(arrivals.next().await, Arrived::Contents(vec![key(1), key(2)]));
        arrivals.contents(vec![key(3)]);
        arrivals.versions();
        arrivals.contents(vec![key(4)]);
        assert_eq!(arrivals.next().await, Arrived::Versions);
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(20), arrivals.next());
        assert!(waiting.await.is_err(), "nothing is told twice");
    }
}
