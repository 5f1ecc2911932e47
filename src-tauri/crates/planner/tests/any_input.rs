//! Whatever it is told, in whatever order: it asks for nothing impossible, nothing twice, and answers the same way
//! each time.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use tributary_formats::key::Key;
use tributary_formats::uuid::RepoUuid;
use tributary_planner::{
    Channel, Config, ContentFact, Direction, Effect, Failure, FetchResult, Head, Heads, Input, Instant,
    Millis, Origin, Place, PlaceId, Planner, PushResult, TransferResult,
};

const FAILURES: [Failure; 5] =
    [Failure::Unreachable, Failure::Later, Failure::After(Millis(3000)), Failure::Person, Failure::Never];

/// A fact from outside, or the end of something that the planner started.
#[derive(Debug, Clone)]
enum Move {
    Fact(Input),
    /// The chosen one of all that is under way ends, well or in one of the other ways.
    End {
        which: usize,
        how: usize,
    },
    Sleep(u64),
}

/// Something that the planner started.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    Fetch(PlaceId),
    Push(PlaceId, Heads),
    Transfer(PlaceId, Direction, Key),
    Record,
    Announce,
}

fn places() -> impl Strategy<Value = PlaceId> {
    (0_u32..3).prop_map(PlaceId)
}

fn place() -> impl Strategy<Value = Place> {
    (places(), any::<[bool; 4]>(), 0_u32..3).prop_map(|(id, [git, contents, readable, writable], cost)| {
        Place { id, uuid: None, git, contents, readable, writable, cost }
    })
}

fn fact() -> impl Strategy<Value = ContentFact> {
    let sites = || vec(places(), 0..3);
    (0_u32..5, any::<[bool; 4]>(), sites(), sites(), any::<bool>()).prop_map(
        |(key, [here, here_on_record, wanted_here, fresh], present_at, wanted_at, sized)| ContentFact {
            key: Key::parse(format!("WORM-m1--k{key}").as_bytes()).expect("a well formed key"),
            size: sized.then_some(1 << (8 * key)),
            here,
            here_on_record,
            wanted_here,
            present_at,
            wanted_at,
            fresh,
        },
    )
}

fn input() -> impl Strategy<Value = Input> {
    let origins = prop_oneof![
        Just(Origin::Local),
        Just(Origin::Forwarded),
        Just(Origin::Merged),
        Just(Origin::Recorded)
    ];
    prop_oneof![
        2 => place().prop_map(Input::PlaceKnown),
        1 => places().prop_map(Input::PlaceGone),
        4 => places().prop_map(Input::PlaceUp),
        2 => places().prop_map(Input::PlaceDown),
        4 => (any::<u8>(), any::<u8>(), origins).prop_map(|(branch, annex, origin)| Input::Heads {
            heads: Heads { branch: Head([branch; 20]), annex: Head([annex; 20]) },
            origin,
        }),
        6 => vec(fact(), 0..4).prop_map(Input::Contents),
        1 => any::<bool>().prop_map(|heads_known| Input::Hint { heads_known }),
        1 => Just(Input::Channel(Channel::Up)),
        1 => Just(Input::Channel(Channel::Down)),
        1 => Just(Input::LookNow),
        1 => Just(Input::Pause),
        2 => Just(Input::Resume),
    ]
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        3 => input().prop_map(Move::Fact),
        3 => (any::<usize>(), 0_usize..10).prop_map(|(which, how)| Move::End { which, how }),
        1 => (0_u64..2_000_000).prop_map(Move::Sleep),
    ];
    vec(one, 0..120)
}

/// The end of a task.
fn end(task: Task, how: usize) -> Input {
    let failure = FAILURES[how % FAILURES.len()];
    match task {
        Task::Fetch(place) if how < 5 => {
            let holds = (how > 2).then_some(Heads { branch: Head([1; 20]), annex: Head([1; 20]) });
            Input::FetchEnded { place, result: FetchResult::Done { changed: how.is_multiple_of(2), holds } }
        }
        Task::Fetch(place) => Input::FetchEnded { place, result: FetchResult::Failed(failure) },
        Task::Push(place, pushed) => {
            let result = match how {
                0..4 => PushResult::Done { news: how.is_multiple_of(2) },
                4..6 => PushResult::NeedsFetch { news: how.is_multiple_of(2) },
                _ => PushResult::Failed(failure),
            };
            Input::PushEnded { place, pushed, result }
        }
        Task::Transfer(place, direction, key) => {
            let result = match how {
                0..4 => TransferResult::Done,
                4 => TransferResult::SourceLacks,
                5 => TransferResult::Corrupt,
                6 => TransferResult::NoSpace,
                7 => TransferResult::KeyGone,
                _ => TransferResult::Failed(failure),
            };
            Input::TransferEnded { place, direction, key, result }
        }
        Task::Record => Input::RecordEnded { ok: how > 2 },
        Task::Announce => Input::AnnounceEnded { ok: how > 2 },
    }
}

/// What the planner may and may not ask for.
#[derive(Default)]
struct Judge {
    known: BTreeSet<Place>,
    up: BTreeSet<PlaceId>,
    paused: bool,
    tasks: Vec<Task>,
}

impl Judge {
    fn hear(&mut self, input: &Input) {
        match input {
            Input::PlaceKnown(place) => {
                self.known.retain(|known| known.id != place.id);
                self.known.insert(place.clone());
            }
            Input::PlaceGone(gone) => {
                self.known.retain(|known| known.id != *gone);
                self.up.remove(gone);
                // Their ends may still come, but a place of that number is a new one.
                self.tasks.retain(|task| !matches!(task, Task::Fetch(at) | Task::Push(at, _) | Task::Transfer(at, ..) if at == gone));
            }
            Input::PlaceUp(place) if self.known.iter().any(|known| known.id == *place) => {
                self.up.insert(*place);
            }
            Input::PlaceDown(place) => {
                self.up.remove(place);
            }
            Input::Pause => self.paused = true,
            Input::Resume => self.paused = false,
            _ => {}
        }
    }

    fn judge(&mut self, effect: Effect, now: Instant) {
        let tasks = match effect {
            Effect::Fetch { place } => vec![Task::Fetch(place)],
            Effect::Push { place, heads } => vec![Task::Push(place, heads)],
            Effect::Upload { place, keys } => transfers(place, Direction::Upload, keys),
            Effect::Download { place, keys } => transfers(place, Direction::Download, keys),
            Effect::Record(lines) => {
                assert!(!lines.is_empty(), "a record says something");
                vec![Task::Record]
            }
            Effect::Announce => vec![Task::Announce],
            Effect::WakeAt(moment) => {
                assert!(moment > now, "a moment that has passed wakes nobody");
                return;
            }
        };
        assert!(!tasks.is_empty(), "an effect asks for something");
        for task in tasks {
            let place = match &task {
                Task::Fetch(place) | Task::Push(place, _) | Task::Transfer(place, ..) => Some(*place),
                Task::Record | Task::Announce => None,
            };
            if let Some(id) = place {
                let place =
                    self.known.iter().find(|known| known.id == id).expect("only known places are used");
                assert!(self.up.contains(&id), "{task:?}: the place is down");
                assert!(!self.paused, "{task:?}: a pause");
                let (kind, way) = match &task {
                    Task::Fetch(_) => (place.git, place.readable),
                    Task::Push(..) => (place.git, place.writable),
                    Task::Transfer(_, Direction::Upload, _) => (place.contents, place.writable),
                    _ => (place.contents, place.readable),
                };
                assert!(kind && way, "{task:?}: the place cannot do it");
            }
            let same = self.tasks.iter().any(|other| match (&task, other) {
                (Task::Fetch(a) | Task::Push(a, _), Task::Fetch(b) | Task::Push(b, _)) => a == b,
                (task, other) => task == other,
            });
            assert!(!same, "{task:?} is under way already");
            self.tasks.push(task);
        }
    }
}

fn transfers(place: PlaceId, direction: Direction, keys: Vec<Key>) -> Vec<Task> {
    keys.into_iter().map(|key| Task::Transfer(place, direction, key)).collect()
}

proptest! {
    #[test]
    fn nothing_impossible_nothing_twice_and_always_the_same(moves in moves()) {
        let uuid = RepoUuid::parse("6f7b6a3e-0000-4000-8000-000000000001").expect("a well formed UUID");
        let mut planner = Planner::new(Config::new(uuid));
        let (mut judge, mut now) = (Judge::default(), Instant(0));
        for step in moves {
            let input = match step {
                Move::Fact(input) => input,
                Move::End { which, how } if !judge.tasks.is_empty() => {
                    let task = judge.tasks.swap_remove(which % judge.tasks.len());
                    end(task, how)
                }
                Move::End { .. } => continue,
                Move::Sleep(wait) => {
                    now = now.after(Millis(wait));
                    Input::Tick
                }
            };
            judge.hear(&input);
            let mut twin = planner.clone();
            let effects = planner.handle(input.clone(), now);
            prop_assert_eq!(&twin.handle(input, now), &effects, "the same input gives the same effects");
            prop_assert_eq!(&twin, &planner);
            effects.into_iter().for_each(|effect| judge.judge(effect, now));
            if planner.settled().idle {
                prop_assert!(judge.tasks.is_empty(), "idle, and under way: {:?}", judge.tasks);
            }
        }
    }
}
