//! The tray's menu: fixed entries that are only renamed, shown and hidden, so that it changes in place under an open
//! menu. At most twelve are ever visible.

use ksni::MenuItem;
use ksni::menu::{StandardItem, SubMenu};
use tributary_status::PauseLength;

use super::Item;
use super::face::{Face, MOST_FOLDERS};
use crate::wish::{View, Wish};

/// The lengths that the Pause entry offers.
const PAUSES: [(&str, PauseLength); 4] = [
    ("30 minutes", PauseLength::Seconds { seconds: 30 * 60 }),
    ("2 hours", PauseLength::Seconds { seconds: 2 * 60 * 60 }),
    ("Until tomorrow", PauseLength::UntilTomorrow),
    ("Until I resume", PauseLength::UntilResumed),
];

/// The menu for this face.
pub(super) fn of(face: &Face) -> Vec<MenuItem<Item>> {
    let mut menu = vec![
        entry("Open Tributary", Wish::Show(None)).into(),
        StandardItem { label: plain(&face.sentence), enabled: false, ..StandardItem::default() }.into(),
    ];
    for at in 0..MOST_FOLDERS {
        let item = match face.folders.get(at) {
            Some(folder) => entry(&folder.label, Wish::OpenFolder(folder.path.clone())),
            None => StandardItem { visible: false, ..StandardItem::default() },
        };
        menu.push(item.into());
    }
    let any = !face.folders.is_empty();
    menu.push(StandardItem { enabled: any, ..entry("Sync now", Wish::SyncNow) }.into());
    menu.push(
        SubMenu {
            label: "Pause".into(),
            enabled: any,
            visible: face.running || !face.paused,
            submenu: PAUSES.map(|(label, length)| entry(label, Wish::Pause(length)).into()).into(),
            ..SubMenu::default()
        }
        .into(),
    );
    menu.push(StandardItem { visible: face.paused, ..entry("Resume", Wish::Resume) }.into());
    let problems = match face.problems {
        0 => "No problems".into(),
        n => format!("Problems ({n})"),
    };
    menu.push(
        StandardItem { enabled: face.problems > 0, ..entry(&problems, Wish::Show(Some(View::Problems))) }
            .into(),
    );
    menu.push(entry("Settings", Wish::Show(Some(View::Settings))).into());
    menu.push(entry("Quit", Wish::Quit).into());
    menu
}

fn entry(label: &str, wish: Wish) -> StandardItem<Item> {
    StandardItem {
        label: plain(label),
        activate: Box::new(move |item: &mut Item| item.wish(wish.clone())),
        ..StandardItem::default()
    }
}

/// dbusmenu reads a single underscore as the mark of an access key.
fn plain(label: &str) -> String {
    label.replace('_', "__")
}
