//! What the session carries for others: bytestreams, and the packets of pairings.

use super::{Act, Conversation, Now, RESERVED};
use crate::courier::{Dispatch, Reply};
use crate::ibb::Opening;
use crate::ibb::streams::Pumped;
use crate::socks5::Ask;

impl Conversation {
    /// Somebody here wants a stream to another client.
    pub(crate) fn open_stream(&mut self, opening: Opening, now: Now) {
        self.streams.open(opening, self.online, now.tick);
    }

    /// Somebody here sends a packet of a pairing.
    pub(crate) fn dispatch(&mut self, dispatch: Dispatch, now: Now) {
        let knocks = matches!(dispatch, Dispatch::Knock { .. });
        self.desk.send(dispatch, self.online, now.tick);
        if knocks && self.online {
            for stanza in self.desk.take_out() {
                self.send(stanza);
            }
            // Those who had our presence anyway, our own account above all, take us for gone when a knock is taken back.
            self.greet();
        }
    }

    /// Somebody here asks for, or about, a SOCKS5 stream.
    pub(crate) fn ask_about_socks5(&mut self, ask: Ask, now: Now) {
        self.socks5.ask(ask, self.online, now.tick);
    }

    /// Waits for an answer of somebody here to a packet of a pairing.
    pub(crate) async fn next_reply(&mut self) -> Option<Reply> {
        self.desk.next_reply().await
    }

    /// Somebody here answered a packet of a pairing.
    pub(crate) fn reply(&mut self, reply: Reply) {
        self.desk.answer(reply);
    }

    /// Lets streams and exchanges send what they can, with room in the line's queue for so many stanzas.
    pub(crate) fn pump(&mut self, room: usize, now: Now) -> Pumped {
        self.room = room;
        if !self.online {
            return Pumped::default();
        }
        let due = [self.desk.tick(now.tick), self.socks5.tick(now.tick)];
        let pumped = self.streams.pump(room.saturating_sub(RESERVED), now.tick);
        self.send_streams();
        Pumped { again: due.into_iter().chain([pumped.again]).flatten().min(), ..pumped }
    }

    pub(super) fn send_streams(&mut self) {
        // Packets first: a person waits for them.
        let out = self.desk.take_out().into_iter().chain(self.socks5.take_out());
        let out = out.chain(self.streams.take_out());
        self.acts.extend(out.map(|stanza| Act::Send(Box::new(stanza))));
    }
}
