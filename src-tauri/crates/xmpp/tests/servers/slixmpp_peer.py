"""A client of another make (slixmpp) for the tests of in-band bytestreams.

Usage: slixmpp_peer.py JID PASSWORD PORT CA ROLE [PEER] [ARGUMENT]
Roles: send PEER LENGTH | receive | hostile PEER | rude PEER
Says what happens in one line each; the bytes are those of the SHA-256 of a counter, so both sides can make them.
"""

import asyncio
import hashlib
import sys
import time

import slixmpp
from slixmpp.exceptions import IqError, IqTimeout


def noise(length):
    blocks = (hashlib.sha256(at.to_bytes(8, "big")).digest() for at in range(length // 32 + 1))
    return b"".join(blocks)[:length]


def say(*words):
    print(*words, flush=True)


class Peer(slixmpp.ClientXMPP):
    def __init__(self, jid, password, ca, role, arguments):
        super().__init__(jid, password)
        self.ca_certs = ca
        self.enable_direct_tls = False
        self.register_plugin("xep_0047", {"auto_accept": True})
        self.role, self.arguments = role, arguments
        self.add_event_handler("session_start", self.start)
        self.add_event_handler("failed_auth", lambda _: say("refused"))
        if role == "receive":
            self.add_event_handler("ibb_stream_start", self.receive)

    async def start(self, _event):
        say("ready", self.boundjid.full)
        try:
            if self.role == "send":
                await self.send_all(*self.arguments)
            elif self.role == "hostile":
                await self.misbehave(*self.arguments)
            elif self.role == "rude":
                await self.be_rude(*self.arguments)
        except (IqError, IqTimeout) as error:
            say("error", getattr(error, "condition", "timeout"))
        if self.role != "receive":
            self.disconnect()

    async def send_all(self, peer, length):
        stream = await self["xep_0047"].open_stream(slixmpp.JID(peer), block_size=4096)
        data = noise(int(length))
        began = time.monotonic()
        await stream.sendall(data, timeout=60)
        took = time.monotonic() - began
        await stream.close(timeout=60)
        say("sent", hashlib.sha256(data).hexdigest(), f"{took:.3f}")

    async def receive(self, stream):
        say("block", stream.block_size)
        data = await stream.gather(timeout=120)
        # What came after the last event is still in the queue.
        while not stream.recv_queue.empty():
            data += stream.recv_queue.get_nowait()
        say("received", hashlib.sha256(data).hexdigest(), len(data))
        self.disconnect()

    async def misbehave(self, peer):
        """Everything that somebody who was not let in can try; each answer is told."""
        space = "http://jabber.org/protocol/ibb"
        tries = {
            "open": f"<open xmlns='{space}' sid='s1' block-size='4096'/>",
            "data": f"<data xmlns='{space}' sid='s1' seq='0'>YWJj</data>",
            "close": f"<close xmlns='{space}' sid='s1'/>",
            "garbage": f"<data xmlns='{space}' sid='s1' seq='x'>???</data>",
            "oversize": f"<data xmlns='{space}' sid='s1' seq='0'>{'AAAA' * 40000}</data>",
        }
        for name, payload in tries.items():
            iq = self.make_iq_set(ito=slixmpp.JID(peer))
            iq.append(slixmpp.ET.fromstring(payload))
            try:
                await iq.send(timeout=20)
                say("answer", name, "result")
            except IqError as error:
                say("answer", name, error.condition)
        # An endless stream of blocks that waits for no answer.
        for at in range(2000):
            iq = self.make_iq_set(ito=slixmpp.JID(peer))
            iq.append(slixmpp.ET.fromstring(f"<data xmlns='{space}' sid='s1' seq='{at}'>{'AAAA' * 250}</data>"))
            iq.send(callback=lambda _: None)
            if at % 50 == 0:
                await asyncio.sleep(0)
        last = self.make_iq_get(ito=slixmpp.JID(peer))
        last.append(slixmpp.ET.fromstring("<ping xmlns='urn:xmpp:ping'/>"))
        try:
            await last.send(timeout=60)
        except IqError as error:
            say("answer", "last", error.condition)


    async def be_rude(self, peer):
        """Everything that somebody who was let in can do to a stream; what ended it is told."""
        space = "http://jabber.org/protocol/ibb"

        def request(payload):
            iq = self.make_iq_set(ito=slixmpp.JID(peer))
            iq.append(slixmpp.ET.fromstring(payload))
            return iq

        def block(stream, seq, text="YWJj"):
            return request(f"<data xmlns='{space}' sid='{stream}' seq='{seq}'>{text}</data>")

        breaches = {
            "gap": [(0, "YWJj"), (2, "YWJj")],
            "doubled": [(0, "YWJj"), (0, "YWJj")],
            "garbage": [(0, "???")],
            "oversize": [(0, "AAAA" * 2000)],
        }
        for name, blocks in breaches.items():
            await request(f"<open xmlns='{space}' sid='{name}' block-size='4096'/>").send(timeout=60)
            answer = "result"
            for seq, text in blocks:
                try:
                    await block(name, seq, text).send(timeout=60)
                except IqError as error:
                    answer = error.condition
            say("breach", name, answer)
        # As many blocks as there may be, and no waiting for an answer.
        await request(f"<open xmlns='{space}' sid='endless' block-size='4096'/>").send(timeout=60)
        ended = asyncio.get_event_loop().create_future()

        def answered(iq):
            if iq["type"] == "error" and not ended.done():
                ended.set_result(iq["error"]["condition"])

        for seq in range(600):
            block("endless", seq, "AAAA" * 1024).send(callback=answered)
            if seq % 20 == 0:
                await asyncio.sleep(0)
        say("breach", "endless", await asyncio.wait_for(ended, 120))


def main():
    jid, password, port, ca, role, *arguments = sys.argv[1:]
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    peer = Peer(jid, password, ca, role, arguments)
    peer.connect("127.0.0.1", int(port))
    loop.run_until_complete(asyncio.wait_for(peer.disconnected, 150))


main()
