//! What to start now, and when to look again.

use crate::exchange::{Circumstances, Step};
use crate::records::Around;
use crate::{Direction, Effect, Instant, PlaceId, Planner};

impl Planner {
    /// Starts all that can be started at `now`.
    pub(super) fn next(&mut self, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.contents.wake(&mut self.places, now);
        self.relay.calm_down(now);
        if !self.paused {
            self.poll(now);
            self.start_transfers(now, &mut effects);
        }
        // A pause stops what travels; that the log tells the truth costs nobody anything.
        self.start_record(now, &mut effects);
        if self.hold.as_ref().is_some_and(|hold| hold.is_over(self.records.is_idle(), now)) {
            self.hold = None;
        }
        if !self.paused {
            self.start_exchanges(now, &mut effects);
            if self.announcing.start(self.looking.channel_is_up(), now) {
                effects.push(Effect::Announce);
            }
        }
        self.ask_to_be_woken(now, &mut effects);
        effects
    }

    fn poll(&mut self, now: Instant) {
        let any = self.places.values().any(|known| known.can_be_looked_at());
        if self.looking.due(any, &self.config, now) {
            self.look_everywhere();
        }
    }

    fn start_transfers(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let places: Vec<PlaceId> = self.places.keys().copied().collect();
        for place in places {
            for direction in [Direction::Upload, Direction::Download] {
                let keys = self.contents.start(place, direction, &mut self.places, &self.config, now);
                if !keys.is_empty() {
                    effects.push(match direction {
                        Direction::Upload => Effect::Upload { place, keys },
                        Direction::Download => Effect::Download { place, keys },
                    });
                }
            }
        }
    }

    fn start_record(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let transferring = self.is_transferring();
        if self.record_due().is_some_and(|due| due <= now) {
            effects.push(Effect::Record(self.records.start(transferring)));
        }
    }

    fn start_exchanges(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let (ours, held, round) = (self.heads, self.hold.is_some(), self.looking.round());
        let calming = self.relay.waits(now);
        for known in self.places.values_mut().filter(|known| known.answers(now)) {
            let at = Circumstances { place: &known.place, ours, held, calming, now };
            match known.exchange.start(at, round) {
                Some(Step::Fetch) => effects.push(Effect::Fetch { place: known.place.id }),
                Some(Step::Push) => effects.push(Effect::Push { place: known.place.id, heads: ours }),
                None => {}
            }
        }
    }

    /// Asks for a `Tick` when the moment is another than the one asked for.
    fn ask_to_be_woken(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let moment = self.next_moment(now);
        if moment != self.wake {
            effects.extend(moment.map(Effect::WakeAt));
        }
        self.wake = moment;
    }

    /// The next moment at which time alone changes what is to be done.
    fn next_moment(&self, now: Instant) -> Option<Instant> {
        let record = self.record_due();
        if self.paused {
            return record;
        }
        let channel_is_up = self.looking.channel_is_up();
        let everywhere = [
            record,
            self.contents.next_moment(),
            self.hold.as_ref().map(|hold| hold.until()),
            self.looking.next_moment(),
            self.announcing.next_moment(channel_is_up),
            self.relay.until(),
        ];
        let (ours, held, calming) = (self.heads, self.hold.is_some(), self.relay.waits(now));
        let places = self.places.values().filter(|known| known.up).flat_map(|known| {
            let at = Circumstances { place: &known.place, ours, held, calming, now };
            [
                known.unreachable.and_then(|setback| setback.moment()),
                known.exchange.next_moment(at),
                known.uploads.next_moment(),
                known.downloads.next_moment(),
            ]
        });
        everywhere.into_iter().chain(places).flatten().filter(|moment| *moment > now).min()
    }

    fn record_due(&self) -> Option<Instant> {
        let awaited = self.hold.as_ref().is_some_and(|hold| hold.is_sent());
        let fetching = self.places.values().any(|known| known.exchange.is_fetching());
        let around = Around { transferring: self.is_transferring(), fetching, awaited };
        self.records.due(around, &self.config)
    }

    pub(super) fn is_transferring(&self) -> bool {
        self.places.values().any(|known| known.is_transferring())
    }
}
