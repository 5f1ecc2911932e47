//! Notifications as a daemon sees them: the test is the daemon.

use std::collections::HashMap;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use zbus::object_server::SignalEmitter;
use zbus::zvariant::OwnedValue;

use super::*;
use crate::testing;

/// What was asked of the daemon.
#[derive(Debug, PartialEq)]
enum Asked {
    Show { replaces: u32, summary: String, body: String, actions: Vec<String>, category: String },
    Close(u32),
}

/// A daemon that notes what it is asked, and gives each bubble the next number.
struct Daemon {
    asked: UnboundedSender<Asked>,
    last: u32,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Daemon {
    #[allow(clippy::too_many_arguments)] // The specification's.
    fn notify(
        &mut self,
        _app_name: String,
        replaces_id: u32,
        _app_icon: String,
        summary: String,
        body: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedValue>,
        _expire_timeout: i32,
    ) -> u32 {
        let category = String::try_from(hints["category"].clone()).expect("text");
        let shown = Asked::Show { replaces: replaces_id, summary, body, actions, category };
        self.asked.send(shown).expect("the test waits");
        if replaces_id != 0 {
            return replaces_id;
        }
        self.last += 1;
        self.last
    }
    fn close_notification(&self, id: u32) {
        self.asked.send(Asked::Close(id)).expect("the test waits");
    }
    fn get_capabilities(&self) -> Vec<&str> {
        vec!["body", "body-markup", "actions"]
    }
    #[zbus(signal)]
    async fn action_invoked(emitter: &SignalEmitter<'_>, id: u32, action_key: &str) -> zbus::Result<()>;
    #[zbus(signal)]
    async fn notification_closed(emitter: &SignalEmitter<'_>, id: u32, reason: u32) -> zbus::Result<()>;
}

fn note(body: &str) -> Change {
    Change::Show(Note {
        key: "arrived /home/ann/Sync".into(),
        summary: "Sync".into(),
        body: body.into(),
        category: "transfer.complete",
        urgency: 0,
        stays: false,
        buttons: vec![
            Button { label: "Open folder", wish: Wish::OpenFolder("/home/ann/Sync".into()) },
            Button { label: "Sync now", wish: Wish::SyncNow },
        ],
    })
}

#[test]
fn a_bubble_is_replaced_chosen_and_withdrawn() {
    testing::on_own_bus("notify::tests::a_bubble_is_replaced_chosen_and_withdrawn", async {
        let (asked, mut wanted) = unbounded_channel();
        let daemon = zbus::connection::Builder::session()
            .and_then(|bus| bus.serve_at("/org/freedesktop/Notifications", Daemon { asked, last: 40 }))
            .and_then(|bus| bus.name("org.freedesktop.Notifications"))
            .expect("names and paths are right")
            .build()
            .await
            .expect("a bus of our own");
        let (said, mut heard) = unbounded_channel();
        let mut notifier = Notifier::connect(said).await.expect("a bus of our own");

        notifier.apply(note("desktop changed 1 file in <b>")).await;
        let actions: Vec<String> =
            ["default", "Open folder", "act", "Open folder", "second", "Sync now"].map(String::from).into();
        let first = Asked::Show {
            replaces: 0,
            summary: "Sync".into(),
            body: "desktop changed 1 file in &lt;b&gt;".into(),
            actions,
            category: "transfer.complete".into(),
        };
        assert_eq!(wanted.recv().await, Some(first), "a daemon that reads markup must not read it in names");
        notifier.apply(note("desktop changed 2 files")).await;
        let second = wanted.recv().await.expect("shown");
        assert!(matches!(second, Asked::Show { replaces: 41, .. }), "one bubble for a folder: {second:?}");

        let emitter = SignalEmitter::new(&daemon, "/org/freedesktop/Notifications").expect("a path");
        Daemon::action_invoked(&emitter, 41, "act").await.expect("sent");
        assert_eq!(heard.recv().await, Some(Heard::Chosen(41, "act".into())));
        for action in ["default", "act"] {
            assert_eq!(notifier.wish_of(41, action), Some(Wish::OpenFolder("/home/ann/Sync".into())));
        }
        assert_eq!(notifier.wish_of(41, "second"), Some(Wish::SyncNow), "each button does its own");
        assert_eq!(notifier.wish_of(41, "third"), None, "there is no such button");
        assert_eq!(notifier.wish_of(41, "other"), None, "nor one that the daemon made up");
        assert_eq!(notifier.wish_of(7, "act"), None, "another program's bubble is none of ours");
        Daemon::notification_closed(&emitter, 41, 2).await.expect("sent");
        assert_eq!(heard.recv().await, Some(Heard::Closed(41)));
        assert_eq!(notifier.forget(41).as_deref(), Some("arrived /home/ann/Sync"));

        notifier.apply(note("desktop changed 1 file")).await;
        let third = wanted.recv().await.expect("shown");
        assert!(
            matches!(third, Asked::Show { replaces: 0, .. }),
            "a closed bubble is not replaced: {third:?}"
        );
        notifier.apply(Change::Withdraw("arrived /home/ann/Sync".into())).await;
        assert_eq!(wanted.recv().await, Some(Asked::Close(42)));
        notifier.apply(Change::Withdraw("never shown".into())).await;
        assert!(wanted.try_recv().is_err(), "nothing to withdraw");
    });
}
