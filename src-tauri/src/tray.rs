//! The tray: one picture, one sentence and a fixed menu, as a StatusNotifierItem.
//!
//! It is an extra: the program starts and runs where there is no tray host, and the item appears when one comes.
//! The state is in the picture's shape, the title, the tooltip and the menu, so that it can be read by anybody.
//! Status is always Active, because hosts hide Passive items. ksni is used and not tauri's own tray, because it
//! takes a picture per size, waits for a host, and needs neither GTK nor libayatana.
//! Source: specifications.freedesktop.org/status-notifier-item, and com.canonical.dbusmenu for the menu.

mod face;
mod menu;
mod pictures;

use std::time::Duration;

use ksni::{Category, OfflineReason, Status, ToolTip, TrayMethods};
use tokio::sync::mpsc::UnboundedSender;
use tracing::{debug, info};

pub use face::{Face, name as folder_name};
pub use pictures::Tone;

use crate::wish::Wish;

/// How long to wait before the next try when the session bus itself cannot be used.
const RETRY: Duration = Duration::from_secs(30);

/// What is on the bus.
struct Item {
    face: Face,
    tone: Tone,
    wishes: UnboundedSender<Wish>,
}

/// The tray's handle: shows what it is given.
pub struct Tray(ksni::Handle<Item>);

impl Tray {
    /// Puts the item on the session bus, trying again while there is no bus. A missing tray host is no failure.
    pub async fn start(face: Face, tone: Tone, wishes: UnboundedSender<Wish>) -> Self {
        loop {
            let item = Item { face: face.clone(), tone, wishes: wishes.clone() };
            match item.assume_sni_available(true).spawn().await {
                Ok(handle) => return Self(handle),
                Err(error) => info!(%error, "no tray; trying again later"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Shows this from now on, drawn for that panel; what stays the same is not sent again.
    pub async fn show(&self, face: Face, tone: Tone) {
        self.0.update(|item| (item.face, item.tone) = (face, tone)).await;
    }
}

impl ksni::Tray for Item {
    fn id(&self) -> String {
        "tributary".into()
    }

    fn category(&self) -> Category {
        Category::ApplicationStatus
    }

    fn status(&self) -> Status {
        Status::Active
    }

    fn title(&self) -> String {
        format!("Tributary: {}", face::word(self.face.state))
    }

    fn icon_pixmap(&self) -> Vec<ksni::Icon> {
        pictures::of(self.face.state, self.tone)
    }

    fn tool_tip(&self) -> ToolTip {
        ToolTip {
            title: self.title(),
            // Hosts may read this as markup.
            description: escape(&self.face.sentence),
            ..ToolTip::default()
        }
    }

    fn activate(&mut self, _x: i32, _y: i32) {
        self.wish(Wish::Show(None));
    }

    fn menu(&self) -> Vec<ksni::MenuItem<Self>> {
        menu::of(&self.face)
    }

    fn watcher_offline(&self, reason: OfflineReason) -> bool {
        debug!(?reason, "no tray host; waiting for one");
        true
    }
}

impl Item {
    fn wish(&self, wish: Wish) {
        // The other end is gone only while the program ends.
        let _ = self.wishes.send(wish);
    }
}

/// Text that stays the same where a host reads markup.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
