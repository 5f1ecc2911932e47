//! What is in a session's tray, read and used over D-Bus as the panel does: no pixels, no coordinates.

use std::time::Duration;

use serde_json::Value;

use crate::deadline::eventually;
use crate::desktop::Desktop;

/// An item in the tray.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrayItem {
    /// Its name on the bus.
    pub bus: String,
    /// Its object.
    pub path: String,
}

/// An entry of a tray menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrayMenuEntry {
    /// Its number, which may change.
    pub id: i32,
    /// Its text, without the underscore of a shortcut; empty for a separator.
    pub label: String,
    /// Whether it can be chosen.
    pub enabled: bool,
    /// Whether it is shown.
    pub visible: bool,
    /// Whether it has a tick, when it can have one.
    pub checked: Option<bool>,
    /// Its submenu.
    pub children: Vec<TrayMenuEntry>,
}

impl Desktop {
    /// The items in the tray; none without a tray host.
    #[track_caller]
    pub fn tray_items(&self) -> Vec<TrayItem> {
        let watcher =
            ["org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher", "org.kde.StatusNotifierWatcher"];
        let args = ["--user", "--json=short", "get-property"].iter().chain(&watcher);
        let args: Vec<&str> = args.chain(&["RegisteredStatusNotifierItems"]).copied().collect();
        let listed = self.run("busctl", &args);
        if !listed.success() {
            return Vec::new();
        }
        let listed = json(&listed.stdout());
        let names = listed["data"].as_array().into_iter().flatten().filter_map(Value::as_str);
        // The bus name, then the path from its first slash on.
        let item = |name: &str| {
            let slash = name.find('/')?;
            Some(TrayItem { bus: name[..slash].to_owned(), path: name[slash..].to_owned() })
        };
        names.filter_map(item).collect()
    }

    /// Waits for the item whose `Id` or `Title` contains `name`, in any case.
    ///
    /// # Panics
    ///
    /// When there is none after `limit`.
    #[track_caller]
    pub fn tray_item(&self, name: &str, limit: Duration) -> TrayItem {
        let wanted = name.to_lowercase();
        let is_wanted = |item: &TrayItem| {
            let properties = self.try_tray_properties(item);
            ["Id", "Title"].iter().any(|property| {
                let value = properties.as_ref().and_then(|properties| properties[property]["data"].as_str());
                value.is_some_and(|value| value.to_lowercase().contains(&wanted))
            })
        };
        eventually(limit, &format!("{name} is in the tray"), || self.tray_items().into_iter().find(is_wanted))
    }

    /// The properties of a tray item (`Title`, `ToolTip`, `Status`, `IconName`, …), as `busctl --json=short` gives
    /// them: `properties["Title"]["data"]`.
    ///
    /// # Panics
    ///
    /// When the item does not answer.
    #[track_caller]
    pub fn tray_properties(&self, item: &TrayItem) -> Value {
        self.try_tray_properties(item).unwrap_or_else(|| panic!("{item:?} does not answer"))
    }

    fn try_tray_properties(&self, item: &TrayItem) -> Option<Value> {
        let method = ["org.freedesktop.DBus.Properties", "GetAll", "s", "org.kde.StatusNotifierItem"];
        let answer = self.call(&item.bus, &item.path, &method)?;
        Some(answer["data"][0].clone())
    }

    /// The menu of a tray item.
    ///
    /// # Panics
    ///
    /// When the item has none.
    #[track_caller]
    pub fn tray_menu(&self, item: &TrayItem) -> Vec<TrayMenuEntry> {
        let menu = self.menu_path(item);
        // From the root, all levels, all properties.
        let method = ["com.canonical.dbusmenu", "GetLayout", "iias", "0", "-1", "0"];
        let answer = self.call(&item.bus, &menu, &method).unwrap_or_else(|| panic!("{item:?} shows no menu"));
        let root = entry(&answer["data"][1]).unwrap_or_else(|| panic!("no menu: {answer}"));
        root.children
    }

    /// Chooses the entry with that label; `["Pause", "30 minutes"]` leads into a submenu.
    ///
    /// # Panics
    ///
    /// With the menu when there is no such entry, or it cannot be chosen.
    #[track_caller]
    pub fn tray_click(&self, item: &TrayItem, labels: &[&str]) {
        let menu = self.tray_menu(item);
        let mut level = &menu;
        let mut chosen = None;
        for label in labels {
            let found = level.iter().find(|entry| entry.label == *label && entry.visible && entry.enabled);
            let entry = found.unwrap_or_else(|| panic!("no entry {label:?} that can be chosen in {menu:#?}"));
            level = &entry.children;
            chosen = Some(entry.id);
        }
        let id = chosen.expect("a click needs a label").to_string();
        let method = ["com.canonical.dbusmenu", "Event", "isvu", &id, "clicked", "i", "0", "0"];
        let answer = self.call(&item.bus, &self.menu_path(item), &method);
        assert!(answer.is_some(), "the click on {labels:?} was refused");
    }

    /// Clicks on the icon itself (`Activate`).
    ///
    /// # Panics
    ///
    /// When the item does not take clicks.
    #[track_caller]
    pub fn tray_activate(&self, item: &TrayItem) {
        let method = ["org.kde.StatusNotifierItem", "Activate", "ii", "0", "0"];
        assert!(self.call(&item.bus, &item.path, &method).is_some(), "{item:?} takes no click");
    }

    #[track_caller]
    fn menu_path(&self, item: &TrayItem) -> String {
        let properties = self.tray_properties(item);
        let path = properties["Menu"]["data"].as_str();
        path.unwrap_or_else(|| panic!("{item:?} has no menu")).to_owned()
    }

    /// Calls a method: interface, member, signature, arguments. `None` when it fails.
    fn call(&self, bus: &str, path: &str, method: &[&str]) -> Option<Value> {
        let args: Vec<&str> =
            ["--user", "--json=short", "--", "call", bus, path].iter().chain(method).copied().collect();
        let answer = self.run("busctl", &args);
        let text = answer.stdout();
        // A method that returns nothing prints nothing.
        answer.success().then(|| if text.trim().is_empty() { Value::Null } else { json(&text) })
    }
}

#[track_caller]
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|cause| panic!("busctl prints no JSON ({cause}): {text}"))
}

/// Reads `(id, properties, children)`; children are variants of the same.
fn entry(layout: &Value) -> Option<TrayMenuEntry> {
    let [id, properties, children] = layout.as_array()?.as_slice() else { return None };
    let property = |name: &str| properties.get(name).map(|value| &value["data"]);
    let flag = |name: &str| property(name).and_then(Value::as_bool).unwrap_or(true);
    let label = property("label").and_then(Value::as_str).unwrap_or_default();
    // An underscore marks the shortcut; a doubled one is one.
    let label = label.replace("__", "\u{0}").replace('_', "").replace('\u{0}', "_");
    let can_be_checked = property("toggle-type").and_then(Value::as_str).is_some_and(|kind| !kind.is_empty());
    let checked = can_be_checked.then(|| property("toggle-state").and_then(Value::as_i64) == Some(1));
    Some(TrayMenuEntry {
        id: i32::try_from(id.as_i64()?).ok()?,
        label,
        enabled: flag("enabled"),
        visible: flag("visible"),
        checked,
        children: children.as_array()?.iter().filter_map(|child| entry(&child["data"])).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shape in which `busctl --json=short call … GetLayout` gives a menu.
    const LAYOUT: &str = r#"{"type":"u(ia{sv}av)","data":[1,[0,{"children-display":{"type":"s","data":"submenu"}},[
        {"type":"(ia{sv}av)","data":[1,{"label":{"type":"s","data":"Up to _date"},"enabled":{"type":"b","data":false}},[]]},
        {"type":"(ia{sv}av)","data":[2,{"type":{"type":"s","data":"separator"}},[]]},
        {"type":"(ia{sv}av)","data":[3,{"label":{"type":"s","data":"Pause__d"},"toggle-type":{"type":"s","data":"checkmark"},
            "toggle-state":{"type":"i","data":1}},[
            {"type":"(ia{sv}av)","data":[4,{"label":{"type":"s","data":"30 minutes"}},[]]}]]}]]]}"#;

    #[test]
    fn reads_a_layout() {
        let menu = entry(&json(LAYOUT)["data"][1]).expect("a layout").children;
        let shown: Vec<_> =
            menu.iter().map(|entry| (entry.id, entry.label.as_str(), entry.enabled, entry.checked)).collect();
        let wanted = [(1, "Up to date", false, None), (2, "", true, None), (3, "Pause_d", true, Some(true))];
        assert_eq!(shown, wanted);
        assert_eq!(menu[2].children[0].label, "30 minutes");
    }
}
