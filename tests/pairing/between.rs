//! Somebody in between: whoever runs the server can answer for either side, and gets one guess for each code shown.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tributary_testkit::eventually;
use tributary_xmpp::account::{DeviceTag, FullJid};
use tributary_xmpp::device::DeviceKeys;
use tributary_xmpp::pairing::{Card, Code, Invitations, InviterEvent, Joiner, JoinerEvent, PairingError};
use tributary_xmpp::session::{self, Session, SessionEvent, Timeouts};

use crate::member::{LIMIT, Member};
use crate::party::{ANN, BEN, Pairs, Party, is_absent, said};

/// A client of somebody's account that is none of the person's.
struct Impostor {
    session: Session,
    keys: Arc<DeviceKeys>,
    card: Card,
}

impl Impostor {
    async fn of(party: &Party, user: &str) -> Impostor {
        let (account, secret) = party.account(user);
        let (session, mut events) = session::start(account, secret, Timeouts::default());
        let bound = loop {
            match events.recv().await.expect("the session goes on") {
                SessionEvent::FreshSession { bound } => break bound,
                _ => continue,
            }
        };
        // What happens besides is of no interest, and has to go on.
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        let keys = Arc::new(DeviceKeys::generate());
        let card = Card::own(&keys, DeviceTag::random(), "ann", bound);
        Impostor { session, keys, card }
    }

    /// Answers for the inviter, until its guess was tried.
    async fn answers_for_the_inviter(&self, shown: &Code) -> InviterEvent {
        let mut packets = self.session.courier().listen();
        let mut invitations = Invitations::new(self.keys.clone(), self.card.clone());
        // Numbers are given in their order, words at random: it takes the number that is shown, and guesses.
        while invitations.make_code(now()).expect("there are free numbers").slot() != shown.slot() {}
        loop {
            let delivery = packets.recv().await.expect("the session goes on");
            let (answer, event) = invitations.take(&delivery.from, delivery.packet.clone(), now());
            delivery.answer(answer);
            if let Some((_, event)) = event {
                return event;
            }
        }
    }

    /// Guesses at the inviter in the joiner's place.
    async fn answers_for_the_joiner(&self, inviter: FullJid, guess: Code) -> JoinerEvent {
        let (mut joiner, mut packet) =
            Joiner::by_code(self.keys.clone(), self.card.clone(), inviter.clone(), guess, now());
        loop {
            let answer = self.session.courier().send(&inviter, packet).await.expect("the inviter answers");
            match joiner.take(&inviter, answer, now()) {
                (_, Some(event)) => return event,
                (Some(next), None) => packet = next,
                (None, None) => panic!("nothing follows"),
            }
        }
    }
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("it is after 1970").as_secs()
}

/// Where a computer is.
fn address(party: &Party, computer: &Member) -> FullJid {
    let text = std::fs::read(computer.node.home().join("config/config.json")).expect("it is configured");
    let config: Value = serde_json::from_slice(&text).expect("it is JSON");
    format!("{}/{}", party.jid(ANN), said(&config["account"], "resource")).parse().expect("it is an address")
}

#[test]
fn who_is_in_between_gets_one_guess_and_both_sides_are_told() {
    let Some(party) = Party::new() else { return };
    let (mut ann, ben) = (party.inviter(), party.computer("ben", BEN));
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let impostor = runtime.block_on(Impostor::of(&party, ANN));
    let code = said(&ann.invites(&["--accept"]), "code");
    let shown: Code = code.parse().expect("it is a code");

    // Ann's computer hears nothing: the one in between answers.
    ann.node.freeze();
    std::thread::scope(|scope| {
        let joining = scope.spawn(|| ben.joins(&code, &["--from", &party.jid(ANN)]));
        let tried = runtime.block_on(async {
            tokio::time::timeout(4 * LIMIT, impostor.answers_for_the_inviter(&shown)).await
        });
        assert_eq!(tried.expect("Ben's computer comes"), InviterEvent::Ended(PairingError::WrongCode));
        let finished = joining.join().expect("the command does not panic");
        assert!(!finished.success() && finished.stderr().contains("wrong"), "Ben is told: {finished}");
    });
    ben.is_clean();
    assert!(is_absent(&ben.dir), "nothing was made");

    ann.node.thaw();
    ann.comes_online();
    let guess = if code.ends_with("acid-acid") { "actor-acid" } else { "acid-acid" };
    let guess: Code = format!("{}-{guess}", shown.slot()).parse().expect("it is a code");
    let tried = runtime.block_on(async {
        let guessing = impostor.answers_for_the_joiner(address(&party, &ann), guess);
        tokio::time::timeout(Duration::from_secs(60), guessing).await
    });
    assert_eq!(tried.expect("Ann's computer answers"), JoinerEvent::Ended(PairingError::WrongCode));
    eventually(LIMIT, "Ann is told", || {
        let problems = ann.node.json(["status"])["problems"].clone();
        let told = |problem: &Value| {
            problem["code"] == "pairingFailed" && problem["sentence"].to_string().contains("wrong code")
        };
        problems.as_array()?.iter().any(told).then_some(())
    });
    // The code is spent for everybody, the right words included.
    let right = runtime.block_on(async {
        let trying = impostor.answers_for_the_joiner(address(&party, &ann), shown);
        tokio::time::timeout(Duration::from_secs(60), trying).await
    });
    assert!(matches!(right.expect("Ann's computer answers"), JoinerEvent::Ended(_)));
    assert!(ann.peers().is_empty());
}
