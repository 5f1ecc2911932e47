//! The desktop program in a session of its own: X server, tray host, notification daemon and keyring are the real ones.
//!
//! What a person sees is read where it is shown: the tray over D-Bus, notifications where the daemon gets them, the
//! window through WebKit's own driver, the password with `secret-tool`. Pictures of every view are left in `shots/`
//! beside the built program.

mod account;
mod beside;
mod first_run;
mod joining;
mod links;
mod memory;
mod pairing;
mod pairing_steps;
mod preferences;
mod shell;
mod tray;
mod views;
mod web_driver;
mod window;
