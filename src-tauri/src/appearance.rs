//! Whether the desktop prefers light or dark, for the tray's strokes. Windows ask their web view instead.
//!
//! Source: flatpak.github.io/xdg-desktop-portal, `org.freedesktop.portal.Settings`, key
//! `org.freedesktop.appearance color-scheme`: 0 no preference, 1 dark, 2 light.

use futures::StreamExt;
use tokio::sync::watch;
use zbus::zvariant::{OwnedValue, Value};

use crate::tray::Tone;

const NAMESPACE: &str = "org.freedesktop.appearance";
const KEY: &str = "color-scheme";
const DARK: u32 = 1;
const LIGHT: u32 = 2;

#[zbus::proxy(
    interface = "org.freedesktop.portal.Settings",
    default_service = "org.freedesktop.portal.Desktop",
    default_path = "/org/freedesktop/portal/desktop"
)]
trait Settings {
    fn read_one(&self, namespace: &str, key: &str) -> zbus::Result<OwnedValue>;
    #[zbus(signal)]
    fn setting_changed(&self, namespace: &str, key: &str, value: Value<'_>) -> zbus::Result<()>;
}

/// Tells the tone for the panel, now and whenever it changes; ends when there is no portal.
///
/// # Errors
/// No session bus, or no portal on it: the tone stays [`untold`].
pub async fn follow(tones: watch::Sender<Tone>) -> zbus::Result<()> {
    let bus = zbus::Connection::session().await?;
    let settings =
        SettingsProxy::builder(&bus).cache_properties(zbus::proxy::CacheProperties::No).build().await?;
    let mut changes = settings.receive_setting_changed().await?;
    let desktop = desktop();
    if let Ok(scheme) = settings.read_one(NAMESPACE, KEY).await {
        tones.send_replace(tone(&scheme, &desktop));
    }
    while let Some(change) = changes.next().await {
        let Ok(change) = change.args() else { continue };
        if change.namespace == NAMESPACE && change.key == KEY {
            tones.send_replace(tone(&change.value, &desktop));
        }
    }
    Ok(())
}

/// The tone for the panel where nobody says whether it is light or dark.
pub fn untold() -> Tone {
    tone(&Value::U32(0), &desktop())
}

fn desktop() -> String {
    std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default()
}

/// GNOME's top bar is dark whatever the windows are; no other desktop says so of its panel.
fn tone(scheme: &Value<'_>, desktop: &str) -> Tone {
    let scheme = match scheme {
        Value::Value(inner) => u32::try_from(&**inner),
        plain => u32::try_from(plain),
    };
    let gnome = desktop.split(':').any(|part| part.eq_ignore_ascii_case("gnome"));
    match scheme {
        _ if gnome => Tone::Light,
        Ok(DARK) => Tone::Light,
        Ok(LIGHT) => Tone::Dark,
        _ => Tone::Middle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_light_panel_gets_dark_strokes() {
        assert_eq!(tone(&Value::U32(2), "KDE"), Tone::Dark);
        assert_eq!(tone(&Value::Value(Box::new(Value::U32(2))), "KDE"), Tone::Dark, "portals wrap the value");
        assert_eq!(tone(&Value::U32(2), "ubuntu:GNOME"), Tone::Light, "GNOME's bar is always dark");
        assert_eq!(tone(&Value::U32(1), "KDE"), Tone::Light);
        assert_eq!(tone(&Value::U32(0), "XFCE"), Tone::Middle, "no preference: a panel of either kind");
        assert_eq!(tone(&Value::Str("2".into()), "KDE"), Tone::Middle, "nonsense is no preference");
    }
}
