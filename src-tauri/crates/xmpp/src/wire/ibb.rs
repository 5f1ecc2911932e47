//! In-band bytestreams: their requests to values and back.
//!
//! Source: XEP-0047 2.0.1, in IQ mode alone, which tells the sender when a block was taken.

use xmpp_parsers::ibb::{Close, Data, Open, Stanza as Mode, StreamId};
use xmpp_parsers::iq::{Iq, IqHeader, IqPayload};
use xmpp_parsers::minidom::Element;
use xmpp_parsers::ns;
use xmpp_parsers::stanza_error::{DefinedCondition, ErrorType, StanzaError};

use super::NS;
use crate::account::FullJid;

/// The mark of a close that is a failure.
const LOST: &str = "lost";
/// Longest name of a stream that is taken from others: they are held as long as the stream is.
const MAX_NAME: usize = 128;

/// A request about a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Shall we have a stream?
    Open { stream: String, block_size: u16 },
    /// The next block.
    Data { stream: String, seq: u16, data: Vec<u8> },
    /// A block that cannot be read.
    Garbled { stream: String },
    /// The stream ends; `lost`: not as its user wished, and what is under way is gone.
    Close { stream: String, lost: bool },
    /// Something else in this namespace.
    Malformed,
}

/// Reads a request; `None` when it is not about in-band bytestreams.
pub(crate) fn read(payload: &Element) -> Option<Request> {
    if payload.ns() != ns::IBB {
        return None;
    }
    let stream = payload.attr("sid").unwrap_or_default().to_owned();
    if stream.is_empty() || stream.len() > MAX_NAME {
        return Some(Request::Malformed);
    }
    Some(match payload.name() {
        "open" => match Open::try_from(payload.clone()) {
            Ok(open) if open.stanza == Mode::Iq => Request::Open { stream, block_size: open.block_size },
            _ => Request::Malformed,
        },
        "data" => match Data::try_from(payload.clone()) {
            Ok(data) => Request::Data { stream, seq: data.seq, data: data.data },
            Err(_) => Request::Garbled { stream },
        },
        "close" => Request::Close { stream, lost: payload.has_child(LOST, NS) },
        _ => Request::Malformed,
    })
}

/// The request for a stream.
pub(crate) fn open(id: &str, to: &FullJid, stream: &str, block_size: u16) -> Iq {
    let open = Open { block_size, sid: StreamId(stream.to_owned()), stanza: Mode::Iq };
    Iq::from_set(id, open).with_to(to.0.clone().into())
}

/// The next block.
pub(crate) fn data(id: &str, to: &FullJid, stream: &str, seq: u16, data: Vec<u8>) -> Iq {
    let data = Data { seq, sid: StreamId(stream.to_owned()), data };
    Iq::from_set(id, data).with_to(to.0.clone().into())
}

/// The end of the stream.
pub(crate) fn close(id: &str, to: &FullJid, stream: &str) -> Iq {
    Iq::from_set(id, Close { sid: StreamId(stream.to_owned()) }).with_to(to.0.clone().into())
}

/// The end of a stream that failed. To clients of other make it is a close like any other.
pub(crate) fn abort(id: &str, to: &FullJid, stream: &str) -> Iq {
    let mut payload = Element::from(Close { sid: StreamId(stream.to_owned()) });
    payload.append_child(Element::bare(LOST, NS));
    header(id, to).assemble(IqPayload::Set(payload))
}

/// The answer that a request was carried out.
pub(crate) fn done(id: &str, to: &FullJid) -> Iq {
    header(id, to).assemble(IqPayload::Result(None))
}

/// The answer that it was not.
pub(crate) fn refused(id: &str, to: &FullJid, kind: ErrorType, condition: DefinedCondition) -> Iq {
    let error = StanzaError { type_: kind, ..StanzaError::new(ErrorType::Cancel, condition, "en", "") };
    header(id, to).assemble(IqPayload::Error(error))
}

fn header(id: &str, to: &FullJid) -> IqHeader {
    IqHeader { from: None, to: Some(to.0.clone().into()), id: id.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(xml: &str) -> Option<Request> {
        read(&xml.replace(" sid", " xmlns='http://jabber.org/protocol/ibb' sid").parse().unwrap())
    }

    fn payload(iq: Iq) -> Element {
        match iq {
            Iq::Set { payload, .. } => payload,
            other => panic!("not a request: {other:?}"),
        }
    }

    #[test]
    fn requests_come_back() {
        let to: FullJid = "bob@e.test/trib-1".parse().unwrap();
        let stream = "t1".to_owned();
        insta::assert_snapshot!(super::super::text(open("1", &to, "t1", 4096)), @"<iq xmlns='jabber:client' id='1' to='bob@e.test/trib-1' type='set'><open xmlns='http://jabber.org/protocol/ibb' block-size='4096' sid='t1'/></iq>");
        insta::assert_snapshot!(super::super::text(data("2", &to, "t1", 7, b"abc".to_vec())), @"<iq xmlns='jabber:client' id='2' to='bob@e.test/trib-1' type='set'><data xmlns='http://jabber.org/protocol/ibb' seq='7' sid='t1'>YWJj</data></iq>");
        insta::assert_snapshot!(super::super::text(close("3", &to, "t1")), @"<iq xmlns='jabber:client' id='3' to='bob@e.test/trib-1' type='set'><close xmlns='http://jabber.org/protocol/ibb' sid='t1'/></iq>");
        assert_eq!(
            read(&payload(open("1", &to, "t1", 4096))),
            Some(Request::Open { stream: stream.clone(), block_size: 4096 })
        );
        assert_eq!(
            read(&payload(data("1", &to, "t1", 65535, b"abc".to_vec()))),
            Some(Request::Data { stream: stream.clone(), seq: 65535, data: b"abc".to_vec() })
        );
        let closed = |lost| Some(Request::Close { stream: stream.clone(), lost });
        assert_eq!(read(&payload(close("1", &to, "t1"))), closed(false));
        insta::assert_snapshot!(super::super::text(abort("4", &to, "t1")), @"<iq xmlns='jabber:client' id='4' to='bob@e.test/trib-1' type='set'><close xmlns='http://jabber.org/protocol/ibb' sid='t1'><lost xmlns='urn:tributary:xmpp:0'/></close></iq>");
        assert_eq!(read(&payload(abort("1", &to, "t1"))), closed(true));
    }

    #[test]
    fn what_is_not_understood_is_told_apart() {
        assert_eq!(read(&"<ping xmlns='urn:xmpp:ping'/>".parse().unwrap()), None);
        let garbled = Some(Request::Garbled { stream: "t1".to_owned() });
        assert_eq!(reads("<data sid='t1' seq='1'>!!!</data>"), garbled);
        assert_eq!(reads("<data sid='t1' seq='65536'>YWJj</data>"), garbled);
        assert_eq!(reads("<data sid='t1'>YWJj</data>"), garbled);
        for malformed in [
            "<open sid='t1'/>".to_owned(),
            "<open sid='t1' block-size='4096' stanza='message'/>".to_owned(),
            "<open sid='t1' block-size='70000'/>".to_owned(),
            "<data sid='' seq='0'/>".to_owned(),
            "<dance sid='t1'/>".to_owned(),
            format!("<close sid='{}'/>", "x".repeat(MAX_NAME + 1)),
        ] {
            assert_eq!(reads(&malformed), Some(Request::Malformed), "{malformed}");
        }
    }
}
