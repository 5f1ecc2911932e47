//! The account's form, filled in by keyboard.

use tributary_testkit::eventually;
use tributary_testkit::xmpp_servers::{Prosody, XmppServer as _};

use crate::shell::LIMIT;
use crate::web_driver::{ENTER, TAB, Window};

/// Fills in the form, which has just been opened, and sends it.
#[track_caller]
pub fn fill_in(window: &Window, server: &Prosody, user: &str, password: &str) {
    eventually(LIMIT, "the form has the focus", || (window.focused() == "Address").then_some(()));
    fill_in_fields(window, server, user, password);
}

/// Goes on to the fields and fills them in, and sends the form that they are a part of. The server is found by no name
/// here, and its certificate is of an authority of its own.
#[track_caller]
pub fn fill_in_fields(window: &Window, server: &Prosody, user: &str, password: &str) {
    window.tab_to("Address");
    window.press(&format!("{user}@{}{TAB}", server.domain()));
    assert_eq!(window.focused(), "Password");
    window.press(password);
    window.tab_to("Server and certificate");
    window.press(&ENTER.to_string());
    window.tab_to("Server, when");
    window.press(&format!("127.0.0.1:{}", server.starttls_port()));
    window.tab_to("File with");
    window.press(server.ca().to_str().expect("a temporary folder's name is UTF-8"));
    window.press(&ENTER.to_string());
}
