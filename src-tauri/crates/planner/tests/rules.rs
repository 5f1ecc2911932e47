//! The rules, one by one: what the planner starts when it is told something.

use tributary_formats::key::Key;
use tributary_formats::uuid::RepoUuid;
use tributary_planner::{
    Channel, Config, ContentFact, Direction, Effect, Failure, FetchResult, Head, Heads, Input, Instant,
    Millis, Origin, Place, PlaceId, Planner, Presence, PushResult, Site, TransferResult, Why,
};

const A: PlaceId = PlaceId(1);
const B: PlaceId = PlaceId(2);

/// A planner and its clock; `WakeAt` is kept apart from the other effects.
struct Desk {
    planner: Planner,
    now: Instant,
    wake: Option<Instant>,
}

impl Desk {
    /// With these places up and looked at, and nothing to do.
    fn at_rest(places: &[(PlaceId, u32)]) -> Self {
        let uuid = RepoUuid::parse("6f7b6a3e-0000-4000-8000-000000000001").expect("a well formed UUID");
        let mut desk = Self { planner: Planner::new(Config::new(uuid)), now: Instant(1_000_000), wake: None };
        desk.tell(Input::Channel(Channel::Up));
        for (id, cost) in places {
            let (git, contents, readable, writable) = (true, true, true, true);
            let place = Place { id: *id, uuid: None, git, contents, readable, writable, cost: *cost };
            desk.tell(Input::PlaceKnown(place));
            assert_eq!(
                desk.tell(Input::PlaceUp(*id)),
                [Effect::Fetch { place: *id }],
                "it is looked at when it comes up"
            );
            desk.fetched(*id, None);
        }
        desk
    }

    fn tell(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = self.planner.handle(input, self.now);
        effects.retain(|effect| match effect {
            Effect::WakeAt(moment) => {
                self.wake = Some(*moment);
                false
            }
            _ => true,
        });
        effects
    }

    /// Lets time pass until the moment that the planner asked for.
    fn sleep(&mut self) -> Vec<Effect> {
        self.now = self.wake.expect("it waits for something");
        self.tell(Input::Tick)
    }

    fn fetched(&mut self, place: PlaceId, holds: Option<Heads>) -> Vec<Effect> {
        self.tell(Input::FetchEnded { place, result: FetchResult::Done { changed: false, holds } })
    }

    fn pushed(&mut self, place: PlaceId, heads: Heads, result: PushResult) -> Vec<Effect> {
        self.tell(Input::PushEnded { place, pushed: heads, result })
    }

    fn heads(&mut self, number: u8, origin: Origin) -> (Heads, Vec<Effect>) {
        let heads = Heads { branch: Head([number; 20]), annex: Head([number; 20]) };
        (heads, self.tell(Input::Heads { heads, origin }))
    }

    fn transferred(
        &mut self,
        place: PlaceId,
        direction: Direction,
        key: &Key,
        result: TransferResult,
    ) -> Vec<Effect> {
        self.tell(Input::TransferEnded { place, direction, key: key.clone(), result })
    }
}

fn key(number: u64, size: u64) -> Key {
    Key::parse(format!("WORM-s{size}-m1--k{number}").as_bytes()).expect("a well formed key")
}

/// A file that was saved here just now and that places want.
fn saved(key: &Key, wanted_at: &[PlaceId]) -> ContentFact {
    ContentFact {
        key: key.clone(),
        size: key.size(),
        here: true,
        here_on_record: false,
        wanted_here: true,
        present_at: Vec::new(),
        wanted_at: wanted_at.to_vec(),
        fresh: true,
    }
}

/// A file that is wanted here and that places have.
fn elsewhere(key: &Key, present_at: &[PlaceId]) -> ContentFact {
    let present_at = present_at.to_vec();
    ContentFact { here: false, present_at, fresh: false, ..saved(key, &[]) }
}

#[test]
fn a_small_save_costs_one_record_and_one_push() {
    let mut desk = Desk::at_rest(&[(A, 100)]);
    let file = key(1, 1024);
    let effects = desk.tell(Input::Contents(vec![saved(&file, &[A])]));
    assert_eq!(effects, [Effect::Upload { place: A, keys: vec![file.clone()] }], "contents go first");
    assert_eq!(desk.heads(1, Origin::Local).1, [], "names wait for them");
    let effects = desk.transferred(A, Direction::Upload, &file, TransferResult::Done);
    let lines = vec![(file.clone(), Site::Here, Presence::Present), (file, Site::At(A), Presence::Present)];
    assert_eq!(effects, [Effect::Record(lines)], "one record for both sites, at once");
    let (heads, effects) = desk.heads(2, Origin::Recorded);
    assert_eq!(effects, [], "the record is not over yet");
    let effects = desk.tell(Input::RecordEnded { ok: true });
    assert_eq!(effects, [Effect::Push { place: A, heads }], "one push for names and locations");
    assert_eq!(desk.pushed(A, heads, PushResult::Done { news: true }), [Effect::Announce]);
    assert_eq!(desk.tell(Input::AnnounceEnded { ok: true }), []);
    assert!(desk.planner.settled().idle);
}

#[test]
fn names_wait_for_a_slow_place_no_longer_than_a_moment() {
    let mut desk = Desk::at_rest(&[(A, 100)]);
    let began = desk.now;
    desk.tell(Input::Contents(vec![saved(&key(1, 1024), &[A])]));
    let (heads, _) = desk.heads(1, Origin::Local);
    assert_eq!(desk.sleep(), [Effect::Push { place: A, heads }]);
    assert_eq!(desk.now.since(began), Millis(300));
}

#[test]
fn names_of_a_large_save_do_not_wait() {
    let mut desk = Desk::at_rest(&[(A, 100)]);
    desk.tell(Input::Contents((0..65).map(|number| saved(&key(number, 10), &[A])).collect()));
    let (heads, effects) = desk.heads(1, Origin::Local);
    assert_eq!(effects, [Effect::Push { place: A, heads }], "too many files");
    let mut desk = Desk::at_rest(&[(A, 100)]);
    desk.tell(Input::Contents(vec![saved(&key(1, 5 << 20), &[A])]));
    let (heads, effects) = desk.heads(1, Origin::Local);
    assert_eq!(effects, [Effect::Push { place: A, heads }], "too many bytes");
}

#[test]
fn a_long_batch_is_recorded_while_it_runs() {
    let mut desk = Desk::at_rest(&[(A, 100)]);
    let files: Vec<Key> = (0..200).map(|number| key(number, 1 << 20)).collect();
    desk.tell(Input::Contents(files.iter().map(|file| saved(file, &[A])).collect()));
    desk.heads(1, Origin::Local);
    let (mut records, mut last) = (Vec::new(), desk.now);
    for file in &files[..199] {
        desk.now = desk.now.after(Millis(200));
        let effects = desk.transferred(A, Direction::Upload, file, TransferResult::Done);
        if effects.iter().any(|effect| matches!(effect, Effect::Record(_))) {
            records.push(desk.now.since(last).0);
            last = desk.now;
            desk.tell(Input::RecordEnded { ok: true });
        }
    }
    assert!(records.iter().all(|pause| *pause <= 5_200), "at the latest every 5 s: {records:?}");
    assert!(records.len() < 14, "and not much more often: {records:?}");
}

#[test]
fn what_many_wait_for_is_recorded_at_once() {
    let mut desk = Desk::at_rest(&[(A, 100)]);
    let files: Vec<Key> = (0..4_000).map(|number| key(number, 1 << 10)).collect();
    desk.tell(Input::Contents(files.iter().map(|file| saved(file, &[A])).collect()));
    desk.heads(1, Origin::Local);
    let records: Vec<usize> = files[..3_999]
        .iter()
        .enumerate()
        .filter_map(|(number, file)| {
            let effects = desk.transferred(A, Direction::Upload, file, TransferResult::Done);
            effects.iter().any(|effect| matches!(effect, Effect::Record(_))).then_some(number)
        })
        .collect();
    assert_eq!(records, [1_999], "and what comes meanwhile waits for its end");
}

#[test]
fn a_storm_of_arrivals_is_recorded_when_it_is_over() {
    let mut desk = Desk::at_rest(&[(A, 100)]);
    let files: Vec<Key> = (0..40).map(|number| key(number, 10)).collect();
    desk.tell(Input::Contents(files.iter().map(|file| elsewhere(file, &[A])).collect()));
    for file in &files {
        desk.now = desk.now.after(Millis(100));
        let effects = desk.transferred(A, Direction::Download, file, TransferResult::Done);
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Record(_))), "{effects:?}");
    }
    let effects = desk.sleep();
    assert!(matches!(&effects[..], [Effect::Record(lines)] if lines.len() == 40), "{effects:?}");
}

#[test]
fn a_storm_of_arrivals_that_comes_in_parts_is_one_record() {
    let mut desk = Desk::at_rest(&[(A, 100)]);
    let files: Vec<Key> = (0..600).map(|number| key(number, 10)).collect();
    for part in files.chunks(300) {
        // Whoever sends takes a moment for the next part: by then all that came before is here.
        desk.now = desk.now.after(Millis(1_500));
        assert_eq!(desk.tell(Input::Tick), [], "{}", desk.now);
        desk.tell(Input::Contents(part.iter().map(|file| elsewhere(file, &[A])).collect()));
        for file in part {
            let effects = desk.transferred(A, Direction::Download, file, TransferResult::Done);
            assert!(!effects.iter().any(|effect| matches!(effect, Effect::Record(_))), "{effects:?}");
        }
    }
    let effects = desk.sleep();
    assert!(matches!(&effects[..], [Effect::Record(lines)] if lines.len() == 600), "{effects:?}");
}

#[test]
fn a_download_is_on_record_within_a_second() {
    let mut desk = Desk::at_rest(&[(A, 100)]);
    let file = key(1, 10);
    desk.tell(Input::Contents(vec![elsewhere(&file, &[A])]));
    let ended = desk.now;
    assert_eq!(desk.transferred(A, Direction::Download, &file, TransferResult::Done), []);
    let effects = desk.sleep();
    assert_eq!(effects, [Effect::Record(vec![(file, Site::Here, Presence::Present)])]);
    assert!(desk.now.since(ended) <= Millis(1000), "{}", desk.now);
}

#[test]
fn the_cheapest_place_that_has_it_is_asked_and_then_the_next() {
    let mut desk = Desk::at_rest(&[(A, 200), (B, 100)]);
    let file = key(1, 10);
    let fact = ContentFact { here_on_record: false, ..elsewhere(&file, &[A, B]) };
    let effects = desk.tell(Input::Contents(vec![fact]));
    assert_eq!(effects, [Effect::Download { place: B, keys: vec![file.clone()] }], "the cheaper one");
    let effects = desk.transferred(B, Direction::Download, &file, TransferResult::SourceLacks);
    assert_eq!(
        effects,
        [Effect::Download { place: A, keys: vec![file.clone()] }],
        "the other one has it too"
    );
    desk.transferred(A, Direction::Download, &file, TransferResult::Done);
    let lines = vec![(file.clone(), Site::Here, Presence::Present), (file, Site::At(B), Presence::Missing)];
    assert_eq!(desk.sleep(), [Effect::Record(lines)], "what the answer taught us is on record");
}

#[test]
fn what_nobody_reachable_has_waits_for_a_place_or_a_log() {
    let mut desk = Desk::at_rest(&[(A, 100), (B, 100)]);
    let file = key(1, 10);
    desk.tell(Input::PlaceDown(B));
    assert_eq!(desk.tell(Input::Contents(vec![elsewhere(&file, &[B])])), []);
    let settled = desk.planner.settled();
    assert!(settled.idle && settled.nowhere == 1, "{settled:?}");
    assert!(settled.waiting_for.contains(&(B, Why::Down)), "{settled:?}");
    let effects = desk.tell(Input::Contents(vec![elsewhere(&file, &[A, B])]));
    assert_eq!(effects, [Effect::Download { place: A, keys: vec![file.clone()] }], "the log has changed");
    desk.transferred(A, Direction::Download, &file, TransferResult::Failed(Failure::Never));
    let effects = desk.tell(Input::PlaceUp(B));
    assert!(
        effects.contains(&Effect::Download { place: B, keys: vec![file] }),
        "the place has come up: {effects:?}"
    );
}

#[test]
fn what_arrived_is_offered_onward() {
    let mut desk = Desk::at_rest(&[(A, 100), (B, 100)]);
    let file = key(1, 10);
    let fact = ContentFact { wanted_at: vec![A, B], ..elsewhere(&file, &[A]) };
    assert_eq!(
        desk.tell(Input::Contents(vec![fact])),
        [Effect::Download { place: A, keys: vec![file.clone()] }]
    );
    let effects = desk.transferred(A, Direction::Download, &file, TransferResult::Done);
    assert_eq!(effects, [Effect::Upload { place: B, keys: vec![file] }]);
}

#[test]
fn a_refused_push_is_made_good_by_a_fetch() {
    let mut desk = Desk::at_rest(&[(A, 100)]);
    let (heads, effects) = desk.heads(1, Origin::Local);
    assert_eq!(effects, [Effect::Push { place: A, heads }]);
    assert_eq!(desk.pushed(A, heads, PushResult::NeedsFetch { news: false }), [Effect::Fetch { place: A }]);
    let (merged, effects) = desk.heads(2, Origin::Merged);
    assert_eq!(effects, [], "one thing at a time");
    assert_eq!(desk.fetched(A, None), [Effect::Push { place: A, heads: merged }]);
    assert_eq!(desk.pushed(A, merged, PushResult::Done { news: true }), [Effect::Announce]);
}

#[test]
fn what_a_refused_push_left_is_told_when_no_other_push_follows() {
    // One branch was taken, the other was refused; the fetch brings us to exactly what the place holds.
    for (result, told) in [
        (PushResult::NeedsFetch { news: true }, true),
        (PushResult::NeedsFetch { news: false }, false),
        (PushResult::Failed(Failure::Unreachable), true),
    ] {
        let mut desk = Desk::at_rest(&[(A, 100)]);
        let (heads, _) = desk.heads(1, Origin::Local);
        if desk.pushed(A, heads, result).is_empty() {
            desk.tell(Input::LookNow);
        }
        let (merged, _) = desk.heads(2, Origin::Forwarded);
        let expected = if told { vec![Effect::Announce] } else { vec![] };
        assert_eq!(desk.fetched(A, Some(merged)), expected, "after {result:?}");
        assert_eq!(desk.tell(Input::AnnounceEnded { ok: true }), [], "it is told once");
        assert!(desk.planner.settled().idle);
    }
}

#[test]
fn a_place_that_has_our_heads_gets_no_push_and_nobody_a_hint() {
    let mut desk = Desk::at_rest(&[(A, 100)]);
    assert_eq!(desk.tell(Input::Hint { heads_known: true }), [], "nothing to look for");
    assert_eq!(desk.tell(Input::Hint { heads_known: false }), [Effect::Fetch { place: A }]);
    assert_eq!(desk.tell(Input::Hint { heads_known: false }), [], "one look at a time");
    let (heads, _) = desk.heads(1, Origin::Forwarded);
    assert_eq!(desk.fetched(A, Some(heads)), [Effect::Fetch { place: A }], "and one more after it");
    assert_eq!(
        desk.fetched(A, Some(heads)),
        [],
        "it came from there, so it does not go back, and no hint follows"
    );
    assert!(desk.planner.settled().idle);
}

#[test]
fn who_gave_us_our_heads_is_not_offered_them() {
    let mut desk = Desk::at_rest(&[(A, 100), (B, 100)]);
    let heads = Heads { branch: Head([7; 20]), annex: Head([7; 20]) };
    desk.tell(Input::PlaceHolds { place: A, heads });
    let told = desk.tell(Input::Heads { heads, origin: Origin::Forwarded });
    let pushes = if told.is_empty() { desk.sleep() } else { told };
    assert_eq!(pushes, [Effect::Push { place: B, heads }], "it came from A and goes on to B");
    // What is under way ends with a newer truth than what A gave us before.
    let newer = Heads { branch: Head([8; 20]), annex: Head([8; 20]) };
    assert_eq!(
        desk.tell(Input::Heads { heads: newer, origin: Origin::Local }),
        [Effect::Push { place: A, heads: newer }]
    );
    desk.tell(Input::PlaceHolds { place: A, heads });
    let done = Input::PushEnded { place: A, pushed: newer, result: PushResult::Done { news: true } };
    assert!(!desk.tell(done).contains(&Effect::Push { place: A, heads: newer }));
}

#[test]
fn a_place_that_fails_is_tried_less_and_less_until_a_person_asks() {
    let mut desk = Desk::at_rest(&[(A, 100)]);
    let (heads, _) = desk.heads(1, Origin::Local);
    let mut pauses = Vec::new();
    let mut failed = desk.now;
    desk.pushed(A, heads, PushResult::Failed(Failure::Later));
    for _ in 0..6 {
        assert_eq!(desk.sleep(), [Effect::Push { place: A, heads }]);
        pauses.push(desk.now.since(failed));
        failed = desk.now;
        assert_eq!(desk.pushed(A, heads, PushResult::Failed(Failure::Later)), []);
    }
    assert!(pauses.windows(2).all(|pair| pair[0] < pair[1]), "{pauses:?}");
    assert!(desk.planner.settled().waiting_for.contains(&(A, Why::Retry)));
    let effects = desk.tell(Input::LookNow);
    assert_eq!(effects, [Effect::Fetch { place: A }]);
    assert_eq!(desk.fetched(A, None), [Effect::Push { place: A, heads }], "delays are forgotten");
}

#[test]
fn what_needs_a_person_waits_for_one() {
    let mut desk = Desk::at_rest(&[(A, 100)]);
    let (heads, _) = desk.heads(1, Origin::Local);
    desk.pushed(A, heads, PushResult::Failed(Failure::Person));
    assert!(desk.planner.settled().waiting_for.contains(&(A, Why::Person)));
    assert_eq!(desk.sleep(), [Effect::Fetch { place: A }], "looks go on");
    assert_eq!(desk.fetched(A, None), [], "the push does not");
    assert_eq!(
        desk.tell(Input::LookNow),
        [Effect::Push { place: A, heads }],
        "the last thing done was a look"
    );
    let effects = desk.pushed(A, heads, PushResult::Done { news: true });
    assert_eq!(effects, [Effect::Fetch { place: A }, Effect::Announce]);
}

#[test]
fn what_a_person_mended_elsewhere_is_found_out_by_itself() {
    let mut desk = Desk::at_rest(&[(A, 100)]);
    let (heads, _) = desk.heads(1, Origin::Local);
    let failed = desk.now;
    desk.pushed(A, heads, PushResult::Failed(Failure::Person));
    loop {
        match desk.sleep()[..] {
            [Effect::Push { place: A, .. }] => break,
            [Effect::Fetch { place: A }] => {
                if desk.fetched(A, None).contains(&Effect::Push { place: A, heads }) {
                    break;
                }
            }
            ref other => panic!("{other:?}"),
        }
    }
    let waited = desk.now.since(failed);
    assert!((Millis::from_secs(1800)..=Millis::from_secs(1805)).contains(&waited), "{waited:?}");
}

#[test]
fn what_waits_for_a_place_that_does_not_answer_is_not_taken_for_work() {
    let mut desk = Desk::at_rest(&[(A, 100), (B, 100)]);
    let (heads, _) = desk.heads(1, Origin::Local);
    let settled = desk.planner.settled();
    assert!(!settled.idle && !settled.unanswered, "both are asked");
    desk.pushed(A, heads, PushResult::Failed(Failure::Unreachable));
    assert!(!desk.planner.settled().unanswered, "the other is under way");
    desk.pushed(B, heads, PushResult::Done { news: true });
    desk.tell(Input::AnnounceEnded { ok: true });
    let settled = desk.planner.settled();
    assert!(!settled.idle && settled.unanswered, "{settled:?}");
    assert_eq!(settled.waiting_for, [(A, Why::Retry)]);
    // It wakes at the end of each delay, and asks when the last of them is over.
    assert!((0..10).any(|_| desk.sleep() == [Effect::Push { place: A, heads }]));
    assert!(desk.planner.settled().unanswered, "asking once more is no news");
    desk.pushed(A, heads, PushResult::NeedsFetch { news: false });
    assert!(!desk.planner.settled().unanswered, "it answers");
    desk.fetched(A, Some(heads));
    desk.tell(Input::AnnounceEnded { ok: true });
    let settled = desk.planner.settled();
    assert!(settled.idle && !settled.unanswered, "{settled:?}");
}

#[test]
fn a_round_of_looking_ends_when_every_place_was_asked() {
    let mut desk = Desk::at_rest(&[(A, 100), (B, 100)]);
    desk.tell(Input::LookNow);
    let round = desk.planner.round();
    assert!(!desk.planner.looked_since(round));
    desk.fetched(A, None);
    assert!(!desk.planner.looked_since(round), "one is left");
    desk.tell(Input::FetchEnded { place: B, result: FetchResult::Failed(Failure::Unreachable) });
    assert!(desk.planner.looked_since(round), "one that does not answer is not waited for");
}

#[test]
fn looks_come_seldom_with_hints_and_ever_more_seldom_without() {
    let mut desk = Desk::at_rest(&[(A, 100)]);
    let look = |desk: &mut Desk| {
        let began = desk.now;
        assert_eq!(desk.sleep(), [Effect::Fetch { place: A }]);
        desk.fetched(A, None);
        desk.now.since(began).0
    };
    assert!(look(&mut desk) >= 26 * 60_000, "hints reach us");
    desk.tell(Input::Channel(Channel::Down));
    let pauses: Vec<u64> = (0..10).map(|_| look(&mut desk)).collect();
    assert!(pauses[0] <= 5_000 && pauses[9] <= 300_000 && pauses[9] >= 260_000, "{pauses:?}");
    let (heads, _) = desk.heads(1, Origin::Local);
    desk.pushed(A, heads, PushResult::Done { news: true });
    assert!(look(&mut desk) <= 5_000, "something happens, so more is likely");
    assert_eq!(desk.tell(Input::Channel(Channel::Up)), [Effect::Announce,], "the hint that was owed");
}

#[test]
fn a_pause_stops_what_travels_and_keeps_the_log_true() {
    let mut desk = Desk::at_rest(&[(A, 100)]);
    desk.tell(Input::Pause);
    let file = key(1, 10);
    let effects = desk.tell(Input::Contents(vec![saved(&file, &[A])]));
    let line = (file.clone(), Site::Here, Presence::Present);
    assert_eq!(effects, [Effect::Record(vec![line])], "what is here is on record");
    assert_eq!(desk.heads(1, Origin::Local).1, [], "nothing travels");
    let effects = desk.tell(Input::Resume);
    assert!(effects.contains(&Effect::Upload { place: A, keys: vec![file] }), "{effects:?}");
}

#[test]
fn a_full_place_rests_and_a_small_file_does_not_wait_for_a_large_one() {
    let mut desk = Desk::at_rest(&[(A, 100)]);
    let (large, small) = (key(1, 1 << 40), key(2, 10));
    let effects = desk.tell(Input::Contents(vec![ContentFact { fresh: false, ..saved(&large, &[A]) }]));
    assert_eq!(effects[0], Effect::Upload { place: A, keys: vec![large.clone()] });
    let effects = desk.tell(Input::Contents(vec![saved(&small, &[A])]));
    assert_eq!(effects[0], Effect::Upload { place: A, keys: vec![small] });
    desk.transferred(A, Direction::Upload, &large, TransferResult::NoSpace);
    assert!(desk.planner.settled().waiting_for.contains(&(A, Why::Full)));
}
