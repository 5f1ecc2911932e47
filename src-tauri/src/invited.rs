//! The invitation link that somebody clicked, in a mail or a chat. The desktop hands it over as an argument, of this
//! start or of a second one; it waits here until a window takes it and fills in its field. Nothing is joined by a click.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

/// What such a link begins with; schemes have no case, and the engine gets it in this one. The desktop entry names it too.
pub const SCHEME: &str = "tributary";
/// Longer is no link: the engine takes none that is.
const MAX_LENGTH: usize = 12_000;

/// A link as it was clicked. Whether it is any good is for the engine to say. It has a secret in it, so `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Clicked(String);

impl Clicked {
    /// The argument if it looks like one: any page can make a browser start this program with anything.
    pub fn of(argument: &str) -> Option<Self> {
        let (scheme, rest) = argument.split_once(':')?;
        let fits = argument.len() <= MAX_LENGTH && rest.bytes().all(|byte| byte.is_ascii_graphic());
        (fits && scheme.eq_ignore_ascii_case(SCHEME)).then(|| Self(format!("{SCHEME}:{rest}")))
    }
}

impl fmt::Debug for Clicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clicked(…)")
    }
}

/// The newest link that no window has taken yet.
#[derive(Clone, Default)]
pub struct Invited(Arc<Mutex<Option<Clicked>>>);

impl Invited {
    /// Keeps a link, in place of an older one.
    pub fn put(&self, link: Clicked) {
        *self.slot() = Some(link);
    }

    /// Whether one waits.
    pub fn waits(&self) -> bool {
        self.slot().is_some()
    }

    /// Gives it away: a page that is loaded again does not ask twice.
    pub fn take(&self) -> Option<String> {
        self.slot().take().map(|Clicked(link)| link)
    }

    fn slot(&self) -> MutexGuard<'_, Option<Clicked>> {
        self.0.lock().expect("nobody panics while holding it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "tributary:join/1/ann%40example.org%2Ftrib/00ff";

    #[test]
    fn only_what_looks_like_a_link_is_taken() {
        assert!(Clicked::of(LINK).is_some());
        assert_eq!(Clicked::of(&LINK.replace("tributary:", "Tributary:")), Clicked::of(LINK));
        let long = format!("tributary:{}", "a".repeat(MAX_LENGTH));
        for other in [
            "--hidden",
            "",
            "/tmp/tributary:x",
            "https://example.org",
            "tributary: x",
            "tributary:\u{202e}x",
            &long,
        ] {
            assert_eq!(Clicked::of(other), None, "{other:.40}");
        }
    }

    #[test]
    fn one_window_gets_the_newest_link_once() {
        let invited = Invited::default();
        invited.put(Clicked::of("tributary:old").expect("it is a link"));
        invited.clone().put(Clicked::of(LINK).expect("it is a link"));
        assert!(invited.waits());
        assert_eq!(invited.take().as_deref(), Some(LINK));
        assert!(!invited.waits());
        assert_eq!(invited.take(), None);
    }

    #[test]
    fn the_secret_is_not_written_down() {
        let shown = format!("{:?}", Clicked::of(LINK));
        assert!(!shown.contains("00ff"), "{shown}");
    }
}
