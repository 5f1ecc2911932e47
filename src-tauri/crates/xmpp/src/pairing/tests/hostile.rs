//! Somebody in between, and strangers.

use super::*;

/// Somebody who controls the server answers in both names with a guess. He is found out by both, and has no second one.
#[test]
fn somebody_in_between_has_one_guess() {
    for lucky in [false, true] {
        let (alice, bob) = (Device::new("Anna's laptop", ALICE), Device::new("Ben's desktop", BOB));
        let (false_alice, false_bob) =
            (Device::new("Anna's laptop", ALICE), Device::new("Ben's desktop", BOB));
        let mut invitations = alice.invitations();
        let code = invitations.make_code(NOW).unwrap();
        let guess = if lucky { code.clone() } else { wrong(&code) };
        // Towards Alice he is Bob.
        let mut towards_alice = Table::new(invitations, BOB, false_bob.by_code(&guess, NOW));
        towards_alice.run(NOW);
        assert_eq!(
            towards_alice.joiner_joined().is_some(),
            lucky,
            "who knows the code is let in: it is all there is"
        );
        // Towards Bob he is Alice, with a code of his guess in her slot.
        let mut pretends = false_alice.invitations();
        pretends.put_code(guess, NOW);
        let mut towards_bob = Table::new(pretends, BOB, bob.by_code(&code, NOW));
        towards_bob.run(NOW);
        assert_eq!(towards_bob.joiner_joined().is_some(), lucky);
        if !lucky {
            let told = towards_bob.told.last().cloned();
            let Some(JoinerEvent::Ended(why)) = told else { panic!("Bob is told: {told:?}") };
            assert!(!why.may_try_again(), "{why:?}: the same code would be a second guess");
            let alice_heard = &towards_alice.asked;
            assert_eq!(alice_heard[0].1, InviterEvent::Ended(PairingError::WrongCode), "and so is Alice");
            let mut second = Table::new(towards_alice.invitations, BOB, false_bob.by_code(&code, NOW));
            second.run(NOW);
            assert!(second.joiner_joined().is_none(), "there is no second guess");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// A byte changed anywhere: both may fail, but neither is deceived.
    #[test]
    fn what_is_altered_is_not_believed(packet in 1_usize..11, at in any::<usize>(), flip in 1_u8..=255, code in any::<bool>()) {
        let (alice, bob, mut table) = if code {
            let (a, b, _, t) = by_code();
            (a, b, t)
        } else {
            let (a, b, _, t) = by_link();
            (a, b, t)
        };
        table.run_with(NOW, &mut |number, mut carried| {
            if number == packet
                && let Some(bytes) = carried.bytes_mut()
                && !bytes.is_empty()
            {
                let at = at % bytes.len();
                bytes[at] ^= flip;
            }
            Some(carried)
        });
        table.wait_for_ever();
        if let Some(paired) = table.joiner_joined() {
            prop_assert_eq!(&paired.card, &alice.card);
            prop_assert_eq!(&paired.grant, &grant());
        }
        if let Some(paired) = table.inviter_joined() {
            prop_assert_eq!(&paired.card, &bob.card);
        }
        prop_assert!(table.inviter_joined().is_some() || table.joiner_joined().is_none());
    }

    /// Strangers say whatever comes to mind, at any moment: a link's pairing goes on undisturbed.
    #[test]
    fn strangers_do_not_disturb(
        noise in proptest::collection::vec((0_u8..7, proptest::collection::vec(any::<u8>(), 0..200)), 1..20),
    ) {
        let (_, _, link, mut table) = by_link();
        let mut noise = noise.into_iter().cycle();
        for _ in 0..30 {
            let (kind, bytes) = noise.next().unwrap();
            let step = match kind {
                0 => Step::Code(bytes),
                1 => Step::Hail(bytes),
                2 => Step::Card(bytes),
                3 => Step::Prove(bytes),
                4 => Step::Sealed(bytes),
                5 => Step::Noted,
                _ => Step::Refused(Refusal::Cancelled),
            };
            let packet = Packet { slot: link.slot(), step };
            let (answer, event) = table.invitations.take(&jid(MALLORY), packet.clone(), NOW);
            prop_assert!(matches!(answer.step, Step::Refused(_)), "{:?}", answer);
            prop_assert_eq!(event, None);
            let (_, event) = table.joiner.take(&jid(MALLORY), packet, NOW);
            prop_assert_eq!(event, None);
            table.run_with(NOW, &mut |_, packet| Some(packet));
        }
        prop_assert!(table.joiner_joined().is_some() && table.inviter_joined().is_some());
    }
}

impl Packet {
    fn bytes_mut(&mut self) -> Option<&mut Vec<u8>> {
        match &mut self.step {
            Step::Code(bytes)
            | Step::Hail(bytes)
            | Step::Card(bytes)
            | Step::Prove(bytes)
            | Step::Sealed(bytes) => Some(bytes),
            Step::Knock | Step::Here | Step::Noted | Step::Refused(_) => None,
        }
    }
}
