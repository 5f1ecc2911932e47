//! What the programs that host an engine log.

/// The log may be made to say something else by this variable, in the words of tracing's filters.
pub const VARIABLE: &str = "TRIBUTARY_LOG";

/// What is logged otherwise. The XMPP library's own targets can show passwords and stay off; the desktop's bus and the
/// library that watches folders report what is no fault of theirs or ours.
pub const FILTER: &str = "info,tokio_xmpp=off,xmpp_parsers=off,zbus=warn,notify=error";
