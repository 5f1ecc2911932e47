//! What a channel is bound to: a handshake that was recorded on one stream fits no other.

use crate::account::FullJid;
use crate::device::DeviceId;

/// The protocol and its version: two that do not agree on it do not talk.
const PROTOCOL: &[u8] = b"tributary channel 1";

/// The stream that a channel runs over. Both ends must see the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// What carries it.
    pub carrier: Carrier,
    /// Its name, chosen by the initiator.
    pub stream: String,
    /// Who opened it.
    pub initiator: Party,
    /// Who accepted it.
    pub responder: Party,
}

/// What carries a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// In-band bytestream (XEP-0047).
    InBand,
    /// SOCKS5 bytestream (XEP-0065).
    Socks5,
}

/// One end of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// The device.
    pub device: DeviceId,
    /// Its address.
    pub address: FullJid,
}

impl Binding {
    /// The Noise prologue: every field behind its length in two bytes, highest first.
    pub(crate) fn prologue(&self) -> Vec<u8> {
        let carrier: &[u8] = match self.carrier {
            Carrier::InBand => b"ibb",
            Carrier::Socks5 => b"s5b",
        };
        let (from, to) = (&self.initiator, &self.responder);
        let fields: [&[u8]; 7] = [
            PROTOCOL,
            carrier,
            self.stream.as_bytes(),
            from.device.as_bytes(),
            to.device.as_bytes(),
            from.address.as_str().as_bytes(),
            to.address.as_str().as_bytes(),
        ];
        fields.into_iter().flat_map(with_length).collect()
    }
}

/// A field behind its length. Longer than two bytes can say is longer than any address or name that a server passes;
/// the whole of it is kept all the same, so two that differ never look alike.
fn with_length(field: &[u8]) -> Vec<u8> {
    let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), field].concat()
}
