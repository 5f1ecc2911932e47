//! XMPP: session, presence, push hints.
