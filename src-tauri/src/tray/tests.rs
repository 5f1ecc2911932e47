//! The tray as a host sees it: the test is the StatusNotifierWatcher, and reads the item over the bus.

use std::collections::HashMap;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tributary_status::{FolderState, PauseLength};
use zbus::Connection;
use zbus::zvariant::{OwnedValue, Value};

use super::*;
use crate::testing;
use crate::wish::View;

/// A tray host that only notes who registers.
struct Watcher(UnboundedSender<String>);

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&self, service: String) {
        self.0.send(service).expect("the test waits");
    }
    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }
}

async fn host() -> (Connection, UnboundedReceiver<String>) {
    let (registered, items) = unbounded_channel();
    let bus = zbus::connection::Builder::session()
        .and_then(|bus| bus.serve_at("/StatusNotifierWatcher", Watcher(registered)))
        .and_then(|bus| bus.name("org.kde.StatusNotifierWatcher"))
        .expect("names and paths are right");
    (bus.build().await.expect("a bus of our own"), items)
}

/// Pictures: width, height, ARGB.
type Pixmaps = Vec<(i32, i32, Vec<u8>)>;

#[zbus::proxy(
    interface = "org.kde.StatusNotifierItem",
    default_path = "/StatusNotifierItem",
    assume_defaults = false
)]
trait Seen {
    #[zbus(property)]
    fn title(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn status(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn tool_tip(&self) -> zbus::Result<(String, Pixmaps, String, String)>;
    #[zbus(property)]
    fn icon_pixmap(&self) -> zbus::Result<Pixmaps>;
    fn activate(&self, x: i32, y: i32) -> zbus::Result<()>;
}

type Layout = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

#[zbus::proxy(interface = "com.canonical.dbusmenu", default_path = "/MenuBar", assume_defaults = false)]
trait Menu {
    fn get_layout(&self, parent: i32, depth: i32, names: &[&str]) -> zbus::Result<(u32, Layout)>;
    fn event(&self, id: i32, event: &str, data: &Value<'_>, timestamp: u32) -> zbus::Result<()>;
}

struct Entry {
    id: i32,
    label: String,
    enabled: bool,
    visible: bool,
}

async fn entries(menu: &MenuProxy<'_>, depth: i32) -> Vec<Entry> {
    fn read(layout: Layout, into: &mut Vec<Entry>) {
        let (id, properties, children) = layout;
        let flag =
            |name: &str| properties.get(name).is_none_or(|value| bool::try_from(value).expect("a flag"));
        let label = properties.get("label").map(|value| String::try_from(value.clone()).expect("text"));
        if id != 0 {
            let (enabled, visible) = (flag("enabled"), flag("visible"));
            into.push(Entry { id, label: label.unwrap_or_default(), enabled, visible });
        }
        for child in children {
            read(child.try_into().expect("a layout"), into);
        }
    }
    let (_, layout) = menu.get_layout(0, depth, &[]).await.expect("a menu");
    let mut all = Vec::new();
    read(layout, &mut all);
    all
}

async fn click(menu: &MenuProxy<'_>, label: &str) {
    let all = entries(menu, -1).await;
    let entry = all.iter().find(|entry| entry.label == label && entry.visible && entry.enabled);
    let entry = entry.unwrap_or_else(|| panic!("no entry {label}"));
    menu.event(entry.id, "clicked", &Value::from(0), 0).await.expect("clicked");
}

async fn proxies(bus: &Connection, item: &str) -> (SeenProxy<'static>, MenuProxy<'static>) {
    let no = zbus::proxy::CacheProperties::No;
    let seen = SeenProxy::builder(bus).destination(item.to_owned()).expect("a bus name");
    let menu = MenuProxy::builder(bus).destination(item.to_owned()).expect("a bus name");
    (seen.cache_properties(no).build().await.expect("an item"), menu.build().await.expect("a menu"))
}

#[test]
fn each_state_has_its_own_picture_title_and_tooltip() {
    testing::on_own_bus("tray::tests::each_state_has_its_own_picture_title_and_tooltip", async {
        let (bus, mut items) = host().await;
        let (wishes, _asked) = unbounded_channel();
        let tray = Tray::start(Face::starting(), Tone::Light, wishes).await;
        let (seen, _) = proxies(&bus, &items.recv().await.expect("registered")).await;
        let mut pictures = Vec::new();
        for (state, title) in [
            (FolderState::UpToDate, "Tributary: Up to date"),
            (FolderState::Working, "Tributary: Working"),
            (FolderState::Waiting, "Tributary: Waiting"),
            (FolderState::Paused, "Tributary: Paused"),
            (FolderState::NeedsYou, "Tributary: Needs you"),
        ] {
            let sentence = format!("{state:?} & <so>");
            let snapshot =
                tributary_status::Snapshot { state, sentence: sentence.clone(), ..testing::snapshot() };
            tray.show(Face::of(&snapshot), Tone::Light).await;
            assert_eq!(seen.title().await.expect("a title"), title);
            assert_eq!(seen.status().await.expect("a status"), "Active", "hosts hide Passive items");
            let (_, _, _, tip) = seen.tool_tip().await.expect("a tooltip");
            assert_eq!(tip, escape(&sentence), "hosts read it as markup");
            let icons = seen.icon_pixmap().await.expect("pictures");
            let sizes: Vec<_> =
                icons.iter().map(|(width, height, data)| (*width, *height, data.len())).collect();
            assert_eq!(sizes, [(16, 16, 1024), (22, 22, 1936), (32, 32, 4096)], "one for each size, in ARGB");
            pictures.push(icons);
        }
        for (at, picture) in pictures.iter().enumerate() {
            assert!(!pictures[..at].contains(picture), "every state has its own shape");
        }
    });
}

#[test]
fn the_menu_is_fixed_and_says_what_was_chosen() {
    testing::on_own_bus("tray::tests::the_menu_is_fixed_and_says_what_was_chosen", async {
        let (bus, mut items) = host().await;
        let (wishes, mut asked) = unbounded_channel();
        let mut snapshot = testing::snapshot();
        snapshot.folders = (1..=6).map(|n| testing::folder(&format!("/home/ann/My_folder {n}"))).collect();
        snapshot.problems = vec![testing::problem("example.org")];
        let tray = Tray::start(Face::of(&snapshot), Tone::Light, wishes).await;
        let (seen, menu) = proxies(&bus, &items.recv().await.expect("registered")).await;

        let before = entries(&menu, 1).await;
        let visible: Vec<_> =
            before.iter().filter(|entry| entry.visible).map(|entry| entry.label.as_str()).collect();
        assert_eq!(
            visible,
            [
                "Open Tributary",
                "Up to date.",
                "My__folder 1: Up to date",
                "My__folder 2: Up to date",
                "My__folder 3: Up to date",
                "My__folder 4: Up to date",
                "Sync now",
                "Pause",
                "Problems (1)",
                "Settings",
                "Quit"
            ],
            "an underscore would be eaten as the mark of an access key"
        );
        assert!(!before[1].enabled, "the sentence is there to be read");

        seen.activate(0, 0).await.expect("a left click");
        assert_eq!(asked.recv().await, Some(Wish::Show(None)));
        for (label, wish) in [
            ("My__folder 2: Up to date", Wish::OpenFolder("/home/ann/My_folder 2".into())),
            ("Sync now", Wish::SyncNow),
            ("2 hours", Wish::Pause(PauseLength::Seconds { seconds: 7200 })),
            ("Until I resume", Wish::Pause(PauseLength::UntilResumed)),
            ("Problems (1)", Wish::Show(Some(View::Problems))),
            ("Settings", Wish::Show(Some(View::Settings))),
            ("Quit", Wish::Quit),
        ] {
            click(&menu, label).await;
            assert_eq!(asked.recv().await, Some(wish), "{label}");
        }

        snapshot.folders.truncate(1);
        snapshot.problems.clear();
        for folder in &mut snapshot.folders {
            folder.paused_until = Some(String::new());
        }
        tray.show(Face::of(&snapshot), Tone::Light).await;
        let after = entries(&menu, 1).await;
        let ids = |entries: &[Entry]| entries.iter().map(|entry| entry.id).collect::<Vec<_>>();
        assert_eq!(ids(&before), ids(&after), "an open menu changes in place");
        assert!(after.iter().all(|entry| entry.label != "Pause" || !entry.visible), "all is paused already");
        click(&menu, "Resume").await;
        assert_eq!(asked.recv().await, Some(Wish::Resume));
    });
}

#[test]
fn the_item_appears_when_a_host_comes_and_when_it_comes_back() {
    testing::on_own_bus("tray::tests::the_item_appears_when_a_host_comes_and_when_it_comes_back", async {
        let (wishes, _asked) = unbounded_channel();
        let _tray = Tray::start(Face::starting(), Tone::Dark, wishes).await;
        for _ in 0..2 {
            let (bus, mut items) = host().await;
            let (seen, _) = proxies(&bus, &items.recv().await.expect("registered")).await;
            assert_eq!(seen.title().await.expect("a title"), "Tributary: Working");
            bus.close().await.expect("the panel ends");
        }
    });
}
