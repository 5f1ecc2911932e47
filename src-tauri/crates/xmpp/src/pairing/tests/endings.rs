//! How a pairing ends: well, by a person's no, by time, by somebody who vanished.

use super::*;

#[test]
fn both_learn_who_the_other_is() {
    for (alice, bob, mut table) in [
        {
            let (a, b, _, t) = by_link();
            (a, b, t)
        },
        {
            let (a, b, _, t) = by_code();
            (a, b, t)
        },
    ] {
        table.run(NOW);
        let (here, there) = (table.inviter_joined().unwrap(), table.joiner_joined().unwrap());
        assert_eq!(here, &Paired { card: bob.card.clone(), grant: grant() });
        assert_eq!(there, &Paired { card: alice.card.clone(), grant: grant() });
        assert_eq!(table.told[0], JoinerEvent::Meets(alice.card), "shown before anything is offered");
    }
}

#[test]
fn nothing_is_said_about_the_folder_before_a_person_said_yes() {
    let (_, _, link, mut table) = by_link();
    while table.carry(NOW, &mut |_, packet| Some(packet)) {}
    assert_eq!(table.invitations.stage(link.slot()), Some(InviterStage::Asking));
    assert_eq!(table.joiner.stage(), JoinerStage::Waiting);
    let sent = table.invitations.decide(link.slot(), None, NOW).unwrap();
    table.to_joiner.extend(sent.map(|(_, packet)| packet));
    table.run(NOW);
    assert_eq!(table.told.last(), Some(&JoinerEvent::Ended(PairingError::Declined)));
    assert!(table.joiner_joined().is_none() && table.inviter_joined().is_none());
}

#[test]
fn the_joining_person_may_say_no() {
    let (_, _, link, mut table) = by_link();
    while table.carry(NOW, &mut |_, packet| Some(packet)) {}
    let sent = table.invitations.decide(link.slot(), Some(grant()), NOW).unwrap();
    table.to_joiner.extend(sent.map(|(_, packet)| packet));
    table.carry(NOW, &mut |_, packet| Some(packet));
    table.to_inviter.extend(table.joiner.answer(false, NOW).0);
    while table.carry(NOW, &mut |_, packet| Some(packet)) {}
    assert_eq!(table.asked.last().unwrap().1, InviterEvent::Ended(PairingError::Declined));
    assert_eq!(table.joiner.stage(), JoinerStage::Over(PairingError::Declined));
}

#[test]
fn a_wrong_code_is_spent() {
    let (alice, bob) = (Device::new("Anna's laptop", ALICE), Device::new("Ben's desktop", BOB));
    let mut invitations = alice.invitations();
    let code = invitations.make_code(NOW).unwrap();
    let mut table = Table::new(invitations, BOB, bob.by_code(&wrong(&code), NOW));
    table.run(NOW);
    assert_eq!(table.told, [JoinerEvent::Ended(PairingError::WrongCode)]);
    assert_eq!(
        table.asked,
        [(code.slot(), InviterEvent::Ended(PairingError::WrongCode))],
        "a new one is shown"
    );
    let mut late = Table::new(table.invitations, BOB, bob.by_code(&code, NOW));
    late.run(NOW);
    assert_eq!(late.told, [JoinerEvent::Ended(PairingError::WrongCode)], "the right one is too late");
    let fresh = late.invitations.make_code(NOW).unwrap();
    assert_ne!(fresh.slot(), code.slot(), "its number is not used again while it explains itself");
}

#[test]
fn a_wrong_secret_does_not_burn_a_link_but_has_to_wait() {
    let (_, bob, link, table) = by_link();
    let mallory = Device::new("Mallory", MALLORY);
    let other = Link::random(jid(ALICE), link.slot(), link.expires());
    let mut invitations = table.invitations;
    for round in 0..3 {
        let mut table = Table::new(invitations, MALLORY, mallory.by_link(&other, NOW));
        table.run(NOW);
        let expected = if round == 0 { PairingError::Unknown } else { PairingError::Busy };
        assert_eq!(table.told, [JoinerEvent::Ended(expected)]);
        assert_eq!(table.asked, [], "nobody is bothered");
        invitations = table.invitations;
    }
    let mut table = Table::new(invitations, BOB, bob.by_link(&link, NOW));
    table.run(NOW);
    assert!(table.joiner_joined().is_some(), "the one who has the link is not held up");
}

#[test]
fn invitations_end() {
    let (_, bob, link, table) = by_link();
    let after = link.expires() + 1;
    let mut late = Table::new(table.invitations, BOB, bob.by_link(&link, after));
    late.run(after);
    assert_eq!(late.told, [JoinerEvent::Ended(PairingError::Expired)]);
    let long_after = link.expires() + CLOCK_SLACK + 1;
    let refused = Joiner::by_link(Arc::clone(&bob.keys), bob.card.clone(), &link, long_after);
    assert_eq!(refused.err(), Some(PairingError::Expired), "seen without asking anybody");
    late.invitations.tick(long_after);
    assert_eq!(late.invitations.stage(link.slot()), None, "and forgotten in the end");

    let (_, bob, code, table) = by_code();
    let after = NOW + CODE_LIFE + 1;
    let mut late = Table::new(table.invitations, BOB, bob.by_code(&code, after));
    late.run(after);
    assert_eq!(late.told, [JoinerEvent::Ended(PairingError::Expired)]);
}

#[test]
fn a_clock_that_is_two_days_off_changes_nothing() {
    const OFF: Seconds = 2 * 24 * 3600;
    let (alice, bob) = (Device::new("Anna's laptop", ALICE), Device::new("Ben's desktop", BOB));
    for bobs_clock in [NOW - OFF, NOW + OFF, NOW + LINK_LIFE + OFF] {
        let mut invitations = alice.invitations();
        let link = invitations.make_link(NOW).unwrap();
        let mut table = Table::new(invitations, BOB, bob.by_link(&link, bobs_clock));
        table.run(NOW);
        assert!(table.joiner_joined().is_some(), "the inviter's clock decides");
    }
}

#[test]
fn a_link_is_good_for_one_device() {
    let (_, _, link, mut table) = by_link();
    table.run(NOW);
    assert!(table.joiner_joined().is_some());
    let other = Device::new("Ben's other computer", BOB);
    let mut again = Table::new(table.invitations, BOB, other.by_link(&link, NOW));
    again.run(NOW);
    assert_eq!(again.told, [JoinerEvent::Ended(PairingError::Used)]);
    assert_eq!(again.asked, []);
}

#[test]
fn an_interrupted_device_goes_on_and_nobody_else_does() {
    let (_, bob, link, mut table) = by_link();
    // Bob's program is killed before the grant arrives.
    while table.carry(NOW, &mut |_, packet| Some(packet)) {}
    table.invitations.decide(link.slot(), Some(grant()), NOW).unwrap();
    let thief = Device::new("Mallory", BOB);
    let mut stolen = Table::new(table.invitations, BOB, thief.by_link(&link, NOW));
    stolen.run(NOW);
    assert_eq!(
        stolen.told.last(),
        Some(&JoinerEvent::Ended(PairingError::Used)),
        "a copied link is too late"
    );
    let mut again = Table::new(stolen.invitations, BOB, bob.by_link(&link, NOW));
    again.run(NOW);
    assert!(again.joiner_joined().is_some() && again.inviter_joined().is_some());
    assert!(again.asked.iter().all(|(_, event)| !matches!(event, InviterEvent::Asks(_))), "asked about once");
}

#[test]
fn two_invitations_at_once_do_not_disturb_each_other() {
    let alice = Device::new("Anna's laptop", ALICE);
    let (bob, carol) = (Device::new("Ben", BOB), Device::new("Carol", MALLORY));
    let mut invitations = alice.invitations();
    let (code, link) = (invitations.make_code(NOW).unwrap(), invitations.make_link(NOW).unwrap());
    let (mut by_code, first) = bob.by_code(&code, NOW);
    let (mut by_link, second) = carol.by_link(&link, NOW);
    let (mut first, mut second) = (Some(first), Some(second));
    // Step by step in turn.
    for _ in 0..4 {
        for (joiner, packet, at) in [(&mut by_code, &mut first, BOB), (&mut by_link, &mut second, MALLORY)] {
            if let Some(request) = packet.take() {
                let (answer, _) = invitations.take(&jid(at), request, NOW);
                *packet = joiner.take(&jid(ALICE), answer, NOW).0;
            }
        }
    }
    assert_eq!((by_code.stage(), by_link.stage()), (JoinerStage::Waiting, JoinerStage::Waiting));
    invitations.withdraw(code.slot());
    assert_eq!(invitations.stage(link.slot()), Some(InviterStage::Asking), "one withdrawn, the other stands");
    let (_, sealed) = invitations.decide(link.slot(), Some(grant()), NOW).unwrap().unwrap();
    by_link.take(&jid(ALICE), sealed, NOW);
    assert_eq!(by_link.stage(), JoinerStage::Offered);
}

#[test]
fn both_sides_can_stop() {
    for (steps, by_joiner) in (0..6).flat_map(|steps| [(steps, true), (steps, false)]) {
        let (_, _, link, mut table) = by_link();
        for _ in 0..steps {
            table.carry(NOW, &mut |_, packet| Some(packet));
        }
        table.to_inviter.clear();
        table.to_joiner.clear();
        if by_joiner {
            table.to_inviter.extend(table.joiner.cancel());
        } else {
            table.to_joiner.extend(table.invitations.withdraw(link.slot()).map(|(_, packet)| packet));
        }
        table.run(NOW);
        table.wait_for_ever();
        assert!(matches!(table.joiner.stage(), JoinerStage::Over(_)), "{steps} {by_joiner}");
        assert!(table.inviter_joined().is_none() && table.joiner_joined().is_none());
    }
}

#[test]
fn only_who_shows_a_code_answers_a_knock() {
    let mut invitations = Device::new("Anna's laptop", ALICE).invitations();
    let (code, link) = (invitations.make_code(NOW).unwrap(), invitations.make_link(NOW).unwrap());
    let mut knock = |slot| invitations.take(&jid(BOB), Packet { slot, step: Step::Knock }, NOW);
    assert_eq!(knock(code.slot()), (Packet { slot: code.slot(), step: Step::Here }, None));
    for slot in [link.slot(), Slot(99)] {
        assert!(
            matches!(knock(slot).0.step, Step::Refused(_)),
            "a link says where it leads, a stranger is not told"
        );
    }
    invitations.withdraw(code.slot());
    let (answer, _) = invitations.take(&jid(BOB), Packet { slot: code.slot(), step: Step::Knock }, NOW);
    assert!(matches!(answer.step, Step::Refused(_)));
}

#[test]
fn invitations_are_bounded() {
    let mut invitations = Device::new("Anna's laptop", ALICE).invitations();
    let made = (0..1000).take_while(|_| invitations.make_link(NOW).is_ok()).count();
    assert_eq!((made, invitations.make_code(NOW).err()), (64, Some(PairingError::Busy)));
    invitations.tick(NOW + LINK_LIFE + 1);
    invitations.tick(NOW + LINK_LIFE + CLOCK_SLACK + 1);
    assert!(invitations.make_code(NOW + LINK_LIFE + CLOCK_SLACK + 2).is_ok(), "what is over makes room");
}

#[test]
fn who_invites_often_is_not_kept_from_it_by_what_is_over() {
    let mut invitations = Device::new("Anna's laptop", ALICE).invitations();
    for _ in 0..200 {
        let (link, code) = (invitations.make_link(NOW).unwrap(), invitations.make_code(NOW).unwrap());
        invitations.withdraw(link.slot());
        invitations.withdraw(code.slot());
        assert!(invitations.stage(link.slot()).is_some(), "who comes late hears that it is over");
    }
    let kept = invitations.make_link(NOW).unwrap();
    for _ in 0..100 {
        let link = invitations.make_link(NOW).unwrap();
        invitations.withdraw(link.slot());
    }
    assert_eq!(invitations.stage(kept.slot()), Some(InviterStage::Open), "one that is open stays");
}

#[test]
fn links_outlive_the_program() {
    let (alice, bob, link, table) = by_link();
    drop(table);
    let mut invitations = alice.invitations();
    invitations.restore(link.clone()).unwrap();
    let mut table = Table::new(invitations, BOB, bob.by_link(&link, NOW));
    table.run(NOW);
    assert!(table.joiner_joined().is_some());
    let elsewhere = Device::new("Another", MALLORY).invitations().restore(link);
    assert_eq!(elsewhere, Err(PairingError::Unknown));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whichever packet is the last that arrives: everybody ends, with one error, and the joiner never believes in a
    /// pairing that the inviter does not.
    #[test]
    fn vanishing_leaves_nobody_waiting(last in 0_usize..14, code in any::<bool>(), lost in any::<bool>()) {
        let mut table = if code { by_code().3 } else { by_link().3 };
        // Either everything after is lost, or one packet alone is.
        table.run_with(NOW, &mut |at, packet| if at <= last || (!lost && at > last + 1) { Some(packet) } else { None });
        table.wait_for_ever();
        let (here, there) = (table.inviter_joined().is_some(), table.joiner_joined().is_some());
        prop_assert!(here || !there, "the joiner is sure only of what the inviter has heard");
        let stage = table.joiner.stage();
        prop_assert!(matches!(stage, JoinerStage::Done | JoinerStage::Over(_)), "{:?}", stage);
        let ended = table.told.iter().filter(|event| matches!(event, JoinerEvent::Ended(_) | JoinerEvent::Joined(_)));
        prop_assert_eq!(ended.count(), 1, "one clear end: {:?}", table.told);
        let waiting = table.asked.iter().filter(|(_, event)| matches!(event, InviterEvent::Asks(_))).count();
        let ends = table.asked.iter().filter(|(_, event)| !matches!(event, InviterEvent::Asks(_))).count();
        prop_assert!(ends >= waiting, "whoever was asked about is resolved: {:?}", table.asked);
    }

    /// A yes whose echo was lost is said again, and heard once.
    #[test]
    fn a_yes_is_heard_however_often_it_is_said(times in 1_usize..5) {
        let (_, _, _, mut table) = by_link();
        let mut short = 0;
        // Of the sealed packets with one byte in them the first is the yes, the second its echo.
        table.run_with(NOW, &mut |_, packet| {
            short += usize::from(matches!(&packet.step, Step::Sealed(bytes) if bytes.len() == 1 + 16));
            (short < 2).then_some(packet)
        });
        prop_assert_eq!(table.joiner.stage(), JoinerStage::Answering);
        for _ in 0..times {
            table.to_inviter.extend(table.joiner.again());
        }
        table.run(NOW);
        prop_assert!(table.joiner_joined().is_some());
        let joined = table.asked.iter().filter(|(_, event)| matches!(event, InviterEvent::Joined(_)));
        prop_assert_eq!(joined.count(), 1);
    }
}

#[test]
fn who_waits_for_a_person_notices_that_the_other_side_is_gone() {
    let asking = || {
        let (alice, _, link, mut table) = by_link();
        while table.carry(NOW, &mut |_, packet| Some(packet)) {}
        assert_eq!(table.joiner.stage(), JoinerStage::Waiting);
        (alice, link, table)
    };
    let (_, link, mut table) = asking();
    let mut now = NOW;
    for _ in 0..100 {
        now += STILL_EVERY;
        let still = table.joiner.still_waits().expect("it does");
        let (answer, _) = table.invitations.take(&jid(BOB), still, now);
        assert_eq!(table.joiner.still_awaited(Some(answer)), None);
        assert!(table.invitations.tick(now).is_empty() && table.joiner.tick(now).is_none());
    }
    assert_eq!(
        table.invitations.stage(link.slot()),
        Some(InviterStage::Asking),
        "it is there as long as it says so"
    );
    let others = Packet { slot: link.slot(), step: Step::Noted };
    let (answer, _) = table.invitations.take(&jid("mallory@p.test/trib-9"), others, now);
    assert_ne!(answer.step, Step::Noted, "others are not waited for");
    let gone = table.invitations.tick(now + STILL_PATIENCE + 1);
    assert_eq!(gone, [(link.slot(), InviterEvent::Interrupted(PairingError::Vanished))]);
    let still = table.joiner.still_waits().expect("it has not heard of that");
    let (answer, _) = table.invitations.take(&jid(BOB), still, now);
    let vanished = Some(JoinerEvent::Ended(PairingError::Vanished));
    assert_eq!(table.joiner.still_awaited(Some(answer)), vanished, "nobody waits for the other for ever");
    assert!(table.joiner.still_waits().is_none());

    let (_, _, mut table) = asking();
    assert_eq!(table.joiner.still_awaited(None), vanished, "nobody is there at all");
    let (alice, link, mut table) = asking();
    let mut anew = alice.invitations();
    anew.restore(link).unwrap();
    let (answer, _) = anew.take(&jid(BOB), table.joiner.still_waits().unwrap(), NOW);
    assert_eq!(table.joiner.still_awaited(Some(answer)), vanished, "or it was started anew");
}

#[test]
fn a_yes_that_waited_for_an_inviter_that_was_away_is_heard() {
    let (_, _, link, mut table) = by_link();
    let mut yes = None;
    // The inviter is away from the moment on in which the joiner says yes.
    table.run_with(NOW, &mut |_, packet| match &packet.step {
        Step::Sealed(bytes) if bytes.len() == 1 + 16 => {
            yes = Some(packet);
            None
        }
        _ => Some(packet),
    });
    assert_eq!(table.invitations.stage(link.slot()), Some(InviterStage::Granted));
    let later = NOW + 10 * STILL_PATIENCE;
    table.invitations.is_back(later);
    assert!(table.invitations.tick(later).is_empty(), "nobody is late who could not be heard");
    let (answer, event) = table.invitations.take(&jid(BOB), yes.expect("it was said"), later);
    assert!(matches!(answer.step, Step::Sealed(_)), "it is told that it was heard: {answer:?}");
    assert!(matches!(event, Some((_, InviterEvent::Joined(_)))), "{event:?}");
}
