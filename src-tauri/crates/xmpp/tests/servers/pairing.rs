//! Two accounts of one server are paired by a code and by a link, and open a secure channel with the keys they got.

use std::sync::Arc;
use std::time::Duration;

use tributary_formats::uuid::RepoUuid;
use tributary_testkit::need_all;
use tributary_testkit::xmpp_servers::{Ejabberd, Prosody, XmppServer};
use tributary_xmpp::account::{BareJid, DeviceTag, FullJid};
use tributary_xmpp::channel::{self, Binding, Carrier, Frame, Party};
use tributary_xmpp::courier::{Courier, CourierError};
use tributary_xmpp::device::DeviceKeys;
use tributary_xmpp::pairing::{
    Card, Code, Grant, Invitations, InviterEvent, Joiner, JoinerEvent, JoinerStage, Packet, Paired,
    PairingError, Refusal, Right, Slot, Step,
};

use crate::device::{Device, PASSWORD, user};
use crate::streams::let_in;

const ACCOUNTS: [(&str, &str); 2] = [("alice", PASSWORD), ("bob", PASSWORD)];
const LIMIT: Duration = Duration::from_secs(60);
const NOW: u64 = 1_795_400_000;

#[tokio::test(flavor = "multi_thread")]
async fn prosody() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let server = Prosody::start("p.test", &ACCOUNTS);
    pair_two_accounts(&server).await;
    let log = server.log();
    assert!(!log.contains("Trip") && !log.contains("Anna"), "the server learns neither folder nor names");
}

#[tokio::test(flavor = "multi_thread")]
async fn ejabberd() {
    if !need_all(Ejabberd::NEEDS) {
        return;
    }
    pair_two_accounts(&Ejabberd::start("e.test", &ACCOUNTS)).await;
}

struct Side {
    device: Device,
    at: FullJid,
    keys: Arc<DeviceKeys>,
    card: Card,
}

impl Side {
    async fn online(server: &dyn XmppServer, account: &str, name: &str) -> Side {
        let mut device = Device::start(user(server, account));
        let (at, _) = device.online().await;
        let keys = Arc::new(DeviceKeys::generate());
        let card = Card::own(&keys, DeviceTag::random(), name, at.clone());
        Side { device, at, keys, card }
    }
}

fn grant() -> Grant {
    Grant {
        repository: RepoUuid::parse("11111111-a").expect("a proper UUID"),
        name: "Trip".to_owned(),
        right: Right::ReadOnly,
        hint_key: zeroize::Zeroizing::new([7; 32]),
        set_up: zeroize::Zeroizing::new(vec![9; 2000]),
        letter: Vec::new(),
        introductions: Vec::new(),
    }
}

/// Answers whoever comes, with a yes from the person, until somebody has joined or the invitation is over.
async fn invite(courier: Courier, mut invitations: Invitations) -> Result<Paired, PairingError> {
    let mut inbox = courier.listen();
    while let Some(delivery) = inbox.recv().await {
        let (answer, event) = invitations.take(&delivery.from, delivery.packet.clone(), NOW);
        delivery.answer(answer);
        match event {
            Some((slot, InviterEvent::Asks(_))) => {
                let sent = invitations.decide(slot, Some(grant()), NOW).expect("it fits");
                let (to, packet) = sent.expect("somebody asks");
                courier.send(&to, packet).await.expect("it is heard");
            }
            Some((_, InviterEvent::Joined(paired))) => return Ok(*paired),
            Some((_, InviterEvent::Ended(why))) => return Err(why),
            Some((_, InviterEvent::Interrupted(_))) | None => (),
        }
    }
    Err(PairingError::Vanished)
}

/// Answers knocks until one was at the right door.
async fn answer_knocks(courier: &Courier, mut invitations: Invitations) -> Invitations {
    let mut inbox = courier.listen();
    loop {
        let delivery =
            tokio::time::timeout(LIMIT, inbox.recv()).await.expect("somebody comes").expect("it runs");
        let (answer, _) = invitations.take(&delivery.from, delivery.packet.clone(), NOW);
        let found = answer.step == Step::Here;
        delivery.answer(answer);
        if found {
            return invitations;
        }
    }
}

/// Finds the client of an account that shows a code.
async fn find(courier: &Courier, account: &BareJid, code: &Code) -> FullJid {
    let mut inbox = courier.listen();
    let nobody = Slot(code.slot().0 + 1);
    for slot in [nobody, code.slot()] {
        courier.knock(account, slot).await.expect("the session runs");
    }
    let here = tokio::time::timeout(LIMIT, inbox.recv()).await.expect("somebody answers").expect("it runs");
    assert_eq!(here.packet, Packet { slot: code.slot(), step: Step::Here }, "and nobody to the wrong number");
    let from = here.from.clone();
    here.answer(Packet { slot: code.slot(), step: Step::Noted });
    from
}

/// Joins, with a yes from the person.
async fn join(courier: Courier, mut joiner: Joiner, first: Packet) -> Result<Paired, PairingError> {
    let mut inbox = courier.listen();
    let inviter = joiner.inviter().clone();
    let mut next = Some(first);
    loop {
        let (packet, delivery) = match next.take() {
            Some(packet) => (courier.send(&inviter, packet).await.map_err(|_| PairingError::Vanished)?, None),
            None => {
                let delivery = inbox.recv().await.expect("the session runs");
                (delivery.packet.clone(), Some(delivery))
            }
        };
        let from = delivery.as_ref().map_or(inviter.clone(), |delivery| delivery.from.clone());
        let (out, event) = joiner.take(&from, packet, NOW);
        match delivery {
            Some(delivery) => delivery.answer(out.expect("a request is answered")),
            None => next = out,
        }
        match event {
            Some(JoinerEvent::Joined(paired)) => return Ok(*paired),
            Some(JoinerEvent::Ended(why)) => return Err(why),
            Some(JoinerEvent::Meets(_) | JoinerEvent::Offered(..)) | None => (),
        }
        if joiner.stage() == JoinerStage::Offered {
            next = joiner.answer(true, NOW).0;
        }
    }
}

async fn pair_two_accounts(server: &dyn XmppServer) {
    let alice = Side::online(server, "alice", "Anna's laptop").await;
    let bob = Side::online(server, "bob", "Ben's desktop").await;
    let (to_bob, to_alice) = (alice.device.session.courier(), bob.device.session.courier());
    let stray = Packet { slot: Slot(1), step: Step::Refused(Refusal::Cancelled) };
    assert_eq!(to_alice.send(&alice.at, stray).await, Err(CourierError::NotThere), "nobody listens yet");

    for by_code in [true, false] {
        let mut invitations = Invitations::new(Arc::clone(&alice.keys), alice.card.clone());
        let (own, card) = (Arc::clone(&bob.keys), bob.card.clone());
        let (joiner, first) = if by_code {
            let code = invitations.make_code(NOW).expect("there is room").to_string();
            let code: Code = code.parse().expect("as it was shown");
            let account = alice.at.to_bare();
            // Bob was told the code and Alice's account; where she is online he has to find out.
            let (inviter, back) =
                tokio::join!(find(&to_alice, &account, &code), answer_knocks(&to_bob, invitations));
            invitations = back;
            assert_eq!(inviter, alice.at);
            Joiner::by_code(own, card, inviter, code, NOW)
        } else {
            let link = invitations.make_link(NOW).expect("there is room").to_string();
            Joiner::by_link(own, card, &link.parse().expect("as it was sent"), NOW).expect("it is fresh")
        };
        let both = async {
            tokio::join!(invite(to_bob.clone(), invitations), join(to_alice.clone(), joiner, first))
        };
        let (here, there) = tokio::time::timeout(LIMIT, both).await.expect("both come to an end");
        assert_eq!(here.expect("Alice has paired"), Paired { card: bob.card.clone(), grant: grant() });
        assert_eq!(there.expect("Bob has paired"), Paired { card: alice.card.clone(), grant: grant() });
    }

    let mut invitations = Invitations::new(Arc::clone(&alice.keys), alice.card.clone());
    let code = invitations.make_code(NOW).expect("there is room");
    let wrong = ["1-guitar-tonic", "1-tiger-zebra"].map(|text| text.parse().expect("a code"));
    let wrong = wrong.into_iter().find(|other| *other != code).expect("one of them is another");
    let (joiner, first) =
        Joiner::by_code(Arc::clone(&bob.keys), bob.card.clone(), alice.at.clone(), wrong, NOW);
    let both =
        async { tokio::join!(invite(to_bob.clone(), invitations), join(to_alice.clone(), joiner, first)) };
    let (here, there) = tokio::time::timeout(LIMIT, both).await.expect("both come to an end");
    assert_eq!((here.err(), there.err()), (Some(PairingError::WrongCode), Some(PairingError::WrongCode)));

    // What was learnt opens the channel.
    let mut inbox = let_in(&alice.device.session.bytestreams(), &bob.at);
    let near = bob.device.session.open_bytestream(&alice.at).await.expect("Alice lets Bob in");
    let far = inbox.recv().await.expect("it arrives");
    let party = |side: &Side| Party { device: side.card.keys.id(), address: side.at.clone() };
    let stream = near.name().to_owned();
    let binding =
        Binding { carrier: Carrier::InBand, stream, initiator: party(&bob), responder: party(&alice) };
    let opening = async {
        tokio::try_join!(
            channel::initiate(near, &bob.keys, &alice.card.keys, &binding, LIMIT),
            channel::accept(far, &alice.keys, &bob.card.keys, &binding, LIMIT),
        )
    };
    let ((mut sender, _), (_, mut receiver)) = opening.await.expect("both are who they say");
    sender.send(Frame::Request(b"what is new?".to_vec())).await.expect("it is taken");
    sender.flush().await.expect("it leaves");
    let asked = receiver.next().await.expect("it is true");
    assert_eq!(asked, Some(Frame::Request(b"what is new?".to_vec())));
    alice.device.session.stop().await;
    bob.device.session.stop().await;
}
