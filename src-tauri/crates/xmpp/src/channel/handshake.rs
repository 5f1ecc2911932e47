//! The handshake: Noise KK, two messages with nothing in them. Both sides know each other's keys from the pairing.
//!
//! The first message of KK can be replayed and is not forward secret, so nothing is said in it: what is wanted comes as
//! the first frame, when both have proven themselves.

use snow::{Builder, HandshakeState, StatelessTransportState};

use super::{Binding, ChannelError};
use crate::device::{DeviceKeys, PublicKeys};

const PATTERN: &str = "Noise_KK_25519_ChaChaPoly_BLAKE2s";
/// Bytes of each message: an ephemeral key and the mark of an empty payload.
pub(crate) const MESSAGE: usize = 32 + 16;

/// One side of a handshake. The initiator writes and reads, the responder reads and writes; then both finish.
pub(crate) struct Handshake(HandshakeState);

impl Handshake {
    /// The side that opened the stream.
    pub(crate) fn initiate(own: &DeviceKeys, peer: &PublicKeys, binding: &Binding) -> Handshake {
        build(own, peer, binding, |builder| builder.build_initiator())
    }

    /// The side that accepted it.
    pub(crate) fn accept(own: &DeviceKeys, peer: &PublicKeys, binding: &Binding) -> Handshake {
        build(own, peer, binding, |builder| builder.build_responder())
    }

    /// The next message of this side.
    pub(crate) fn write(&mut self) -> [u8; MESSAGE] {
        let mut message = [0; MESSAGE];
        let length = self.0.write_message(&[], &mut message).expect("the turn is ours, the room is enough");
        assert_eq!(length, MESSAGE, "both messages of KK have one length");
        message
    }

    /// Takes the next message of the other side.
    pub(crate) fn read(&mut self, message: &[u8; MESSAGE]) -> Result<(), ChannelError> {
        self.0.read_message(message, &mut []).map(drop).map_err(|_| ChannelError::Forged)
    }

    /// The ciphers for both directions.
    pub(crate) fn finish(self) -> StatelessTransportState {
        self.0.into_stateless_transport_mode().expect("both messages were exchanged")
    }
}

fn build(
    own: &DeviceKeys,
    peer: &PublicKeys,
    binding: &Binding,
    role: impl FnOnce(Builder<'_>) -> Result<HandshakeState, snow::Error>,
) -> Handshake {
    let prologue = binding.prologue();
    let builder = Builder::new(PATTERN.parse().expect("a pattern that snow knows"))
        .local_private_key(own.channel())
        .and_then(|builder| builder.remote_public_key(peer.channel()))
        .and_then(|builder| builder.prologue(&prologue));
    // Each was set once, and both keys have 32 bytes.
    Handshake(builder.and_then(role).expect("everything that the pattern needs is there"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Carrier, Party};

    fn binding(own: &DeviceKeys, peer: &DeviceKeys) -> Binding {
        let party = |keys: &DeviceKeys, address: &str| Party {
            device: keys.public().id(),
            address: address.parse().unwrap(),
        };
        Binding {
            carrier: Carrier::InBand,
            stream: "t1".to_owned(),
            initiator: party(own, "alice@p.test/trib-1"),
            responder: party(peer, "bob@e.test/trib-2"),
        }
    }

    /// Whether a handshake comes to its end when both sides see these.
    fn agrees(
        own: &DeviceKeys,
        seen: &DeviceKeys,
        peer: &DeviceKeys,
        ours: &Binding,
        theirs: &Binding,
    ) -> bool {
        let mut initiator = Handshake::initiate(own, &peer.public(), ours);
        let mut responder = Handshake::accept(peer, &seen.public(), theirs);
        responder.read(&initiator.write()).is_ok() && initiator.read(&responder.write()).is_ok()
    }

    #[test]
    fn only_for_this_stream_and_these_devices() {
        let [alice, bob, mallory] = [(); 3].map(|()| DeviceKeys::generate());
        let right = binding(&alice, &bob);
        assert!(agrees(&alice, &alice, &bob, &right, &right));
        assert!(!agrees(&mallory, &alice, &bob, &right, &right), "a stranger in the name of Alice");
        let mut wrong = vec![right.clone(); 5];
        wrong[0].carrier = Carrier::Socks5;
        wrong[1].stream = "t2".to_owned();
        (wrong[2].initiator, wrong[2].responder) = (right.responder.clone(), right.initiator.clone());
        wrong[3].initiator.address = "alice@p.test/trib-3".parse().unwrap();
        wrong[4].responder.device = mallory.public().id();
        for theirs in wrong {
            assert!(!agrees(&alice, &alice, &bob, &right, &theirs), "{theirs:?}");
        }
    }

    #[test]
    fn a_replayed_opening_leads_nowhere() {
        let (alice, bob) = (DeviceKeys::generate(), DeviceKeys::generate());
        let binding = binding(&alice, &bob);
        let mut initiator = Handshake::initiate(&alice, &bob.public(), &binding);
        let recorded = initiator.write();
        let mut first = Handshake::accept(&bob, &alice.public(), &binding);
        let mut second = Handshake::accept(&bob, &alice.public(), &binding);
        first.read(&recorded).unwrap();
        second.read(&recorded).unwrap();
        let (answer, _) = (first.write(), second.write());
        initiator.read(&answer).unwrap();
        let mut sealed = [0; 64];
        let length = initiator.finish().write_message(0, b"request", &mut sealed).unwrap();
        let mut opened = [0; 64];
        assert!(
            second.finish().read_message(0, &sealed[..length], &mut opened).is_err(),
            "what is recorded with the opening does not fit a second stream"
        );
    }
}
