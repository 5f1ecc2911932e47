//! Who commits. A missing identity is never an error: a desktop program cannot ask for `git config`.

use git2::{Signature, Time};

/// `user.name` and `user.email`; what is missing or cannot be used is LOGIN and LOGIN@HOST.
pub(super) fn author(git: &git2::Repository) -> Signature<'static> {
    if let Ok(signature) = git.signature() {
        return signature.to_owned();
    }
    let login = login_name();
    let configured = |name: &str| git.config().and_then(|config| config.get_string(name)).ok();
    let name = configured("user.name").unwrap_or_else(|| login.clone());
    let email = configured("user.email").unwrap_or_else(|| format!("{login}@{}", host_name()));
    Signature::now(&name, &email).unwrap_or_else(|_| {
        Signature::now("tributary", "tributary@localhost").expect("a plain name makes a signature")
    })
}

/// The same person at another time, in UTC.
pub(super) fn at(who: &Signature<'_>, seconds: u64) -> Signature<'static> {
    let time = Time::new(i64::try_from(seconds).unwrap_or(i64::MAX), 0);
    let (name, email) =
        (String::from_utf8_lossy(who.name_bytes()), String::from_utf8_lossy(who.email_bytes()));
    Signature::new(&name, &email, &time).unwrap_or_else(|_| who.to_owned())
}

/// The login name as the session gives it, else the number of the user.
fn login_name() -> String {
    let usable =
        |name: &String| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
    ["LOGNAME", "USER"]
        .into_iter()
        .filter_map(|variable| std::env::var(variable).ok())
        .find(usable)
        .unwrap_or_else(|| format!("user{}", rustix::process::getuid().as_raw()))
}

fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}
