//! Whether a new window gets its first picture onto the screen: with some graphics drivers the web view stays blank.
//!
//! The page says when it is painted, and until then, every moment, that it is not. Those words are counted, not seconds:
//! each of them went through the page and through the main thread, which have to work for a picture too. So neither a
//! machine that is busy nor an engine that takes its time is mistaken for a driver that draws nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// So many times a page that can be seen says that it is not painted, before it is taken for blank. It pauses for
/// 0.1 s in between.
const BLANK: u32 = 50;
/// A page that says nothing for so long is dead: its process may have ended over its graphics driver.
const SILENCE: Duration = Duration::from_secs(60);

/// What the page of the newest window has said so far.
#[derive(Clone, Default)]
pub struct FirstPaint(Arc<Mutex<watch::Sender<Said>>>);

#[derive(Debug, Clone, Copy, Default)]
struct Said {
    painted: bool,
    blank: u32,
}

/// The words of one window's page.
pub struct Page(watch::Receiver<Said>);

impl FirstPaint {
    /// There is a new window; what the one before it said counts no more.
    pub fn begin(&self) -> Page {
        let (sender, page) = watch::channel(Said::default());
        *self.sender() = sender;
        Page(page)
    }

    /// The page is painted.
    pub fn painted(&self) {
        self.sender().send_modify(|said| said.painted = true);
    }

    /// The page is not painted yet; `visible` tells whether it would be. Answers whether anybody wants to hear more.
    pub fn unpainted(&self, visible: bool) -> bool {
        let sender = self.sender();
        sender.send_modify(|said| said.blank += u32::from(visible));
        sender.receiver_count() > 0
    }

    fn sender(&self) -> std::sync::MutexGuard<'_, watch::Sender<Said>> {
        self.0.lock().expect("nobody panics while holding it")
    }
}

impl Page {
    /// Waits until it is clear whether the page stays blank. One whose window was replaced does not count.
    pub async fn stays_blank(mut self) -> bool {
        loop {
            let said = *self.0.borrow_and_update();
            if said.painted || said.blank >= BLANK {
                return !said.painted;
            }
            match timeout(SILENCE, self.0.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return false,
                Err(_) => return true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_page_that_is_slow_is_not_blank() {
        let paint = FirstPaint::default();
        let judged = tokio::spawn(paint.begin().stays_blank());
        for _ in 1..BLANK {
            assert!(paint.unpainted(true), "somebody wants to know");
            tokio::time::sleep(SILENCE / 2).await;
        }
        paint.painted();
        assert!(!judged.await.unwrap(), "it took long, but it was painted");
        assert!(!paint.unpainted(true), "nobody wants to know any more");
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_works_and_is_not_painted_is_blank() {
        let paint = FirstPaint::default();
        let judged = tokio::spawn(paint.begin().stays_blank());
        for _ in 0..BLANK {
            paint.unpainted(true);
        }
        assert!(judged.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_sees_need_not_be_painted() {
        let paint = FirstPaint::default();
        let judged = tokio::spawn(paint.begin().stays_blank());
        for _ in 0..10 * BLANK {
            assert!(paint.unpainted(false), "a minimised window may be shown later");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        paint.painted();
        assert!(!judged.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_says_nothing_at_all_is_dead() {
        assert!(FirstPaint::default().begin().stays_blank().await, "nobody painted");
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_that_was_replaced_is_not_judged() {
        let paint = FirstPaint::default();
        let first = tokio::spawn(paint.begin().stays_blank());
        let second = tokio::spawn(paint.begin().stays_blank());
        assert!(!first.await.unwrap());
        (0..BLANK).for_each(|_| {
            paint.unpainted(true);
        });
        assert!(second.await.unwrap());
    }
}
