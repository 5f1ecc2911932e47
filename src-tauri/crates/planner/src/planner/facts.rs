//! Taking facts in. Nothing is started here.

use crate::contents::Ended;
use crate::known::Known;
use crate::setback::{Seed, Setback};
use crate::{
    Channel, ContentFact, Direction, Failure, FetchResult, Heads, Input, Instant, Origin, Place, PlaceId,
    Planner, PushResult,
};

impl Planner {
    pub(super) fn take(&mut self, input: Input, now: Instant) {
        match input {
            Input::PlaceKnown(place) => self.place_known(place, now),
            Input::PlaceGone(place) => {
                self.contents.forget_place(place, &mut self.places, now);
                self.records.forget_place(place);
                self.give_up_waiting_for(place);
            }
            Input::PlaceUp(place) => self.place_up(place, now),
            Input::PlaceDown(place) => self.place_down(place, now),
            Input::Heads { heads, origin } => self.heads_moved(heads, origin, now),
            Input::Contents(facts) => self.learn(facts, now),
            Input::FetchEnded { place, result } => self.fetch_ended(place, result, now),
            Input::PushEnded { place, pushed, result } => self.push_ended(place, pushed, result, now),
            Input::PlaceHolds { place, heads } => {
                if let Some(known) = self.places.get_mut(&place) {
                    known.exchange.holds(heads, self.heads);
                }
            }
            Input::TransferEnded { place, direction, key, result } => {
                self.transfer_ended(Ended { place, direction, key, result }, now);
            }
            Input::RecordEnded { ok } => self.records.ended(ok, &self.config, now),
            Input::AnnounceEnded { ok } => self.announcing.ended(ok, &self.config, now),
            Input::Hint { heads_known: true } => {}
            Input::Hint { heads_known: false } => {
                self.looking.activity(&self.config, now);
                self.look_everywhere();
            }
            Input::Channel(channel) => {
                self.looking.channel(channel, &self.config);
                if channel == Channel::Up {
                    self.announcing.forgive();
                    self.look_everywhere();
                }
            }
            Input::LookNow => self.look_now(now),
            Input::Pause => self.paused = true,
            Input::Resume => {
                self.paused = false;
                self.look_everywhere();
            }
            Input::Tick => {}
        }
    }

    /// Wants every place that is up looked at.
    pub(super) fn look_everywhere(&mut self) {
        self.places
            .values_mut()
            .filter(|known| known.can_be_looked_at())
            .for_each(|known| known.exchange.look());
    }

    fn place_known(&mut self, place: Place, now: Instant) {
        let id = place.id;
        match self.places.get_mut(&id) {
            Some(known) => {
                if known.place.uuid != place.uuid {
                    known.exchange.forget();
                }
                known.place = place;
                known.forgive();
                self.contents.forgive(Some(id), true, &mut self.places, now);
            }
            None => {
                self.places.insert(id, Known::new(place));
            }
        }
        self.contents.place_changed(id, &mut self.places, now);
    }

    fn place_up(&mut self, place: PlaceId, now: Instant) {
        let Some(known) = self.places.get_mut(&place) else { return };
        known.up = true;
        known.forgive();
        known.exchange.look();
        self.looking.activity(&self.config, now);
        self.contents.forgive(Some(place), false, &mut self.places, now);
        self.contents.place_changed(place, &mut self.places, now);
    }

    fn place_down(&mut self, place: PlaceId, now: Instant) {
        let Some(known) = self.places.get_mut(&place) else { return };
        known.up = false;
        self.contents.place_changed(place, &mut self.places, now);
        self.give_up_waiting_for(place);
    }

    fn heads_moved(&mut self, heads: Heads, origin: Origin, now: Instant) {
        self.relay.moved(origin, heads.branch != self.heads.branch, &self.config, now);
        self.heads = heads;
        if matches!(origin, Origin::Local | Origin::Recorded) {
            self.places.values_mut().for_each(|known| known.exchange.own_news());
        }
        if origin == Origin::Local {
            self.looking.activity(&self.config, now);
        }
    }

    fn learn(&mut self, facts: Vec<ContentFact>, now: Instant) {
        self.hold = super::Hold::extend(self.hold.take(), &facts, &self.places, &self.config, now);
        for fact in facts {
            self.contents.learn(fact, &mut self.places, &mut self.records, now);
        }
    }

    fn fetch_ended(&mut self, place: PlaceId, result: FetchResult, now: Instant) {
        let Some(known) = self.places.get_mut(&place) else { return };
        let answered = known.exchange.fetch_ended(place, self.heads, result, &self.config, now);
        // It holds all of ours, some of it by a push that was refused in part: no other push will say so.
        if answered && known.exchange.tell(self.heads) {
            self.announcing.news();
        }
        if let FetchResult::Done { changed: true, holds } = result {
            self.looking.activity(&self.config, now);
            if holds == Some(self.heads) {
                self.relay.was_forwarded(&self.config, now);
            }
        }
        let unreachable = matches!(result, FetchResult::Failed(Failure::Unreachable));
        self.heard_from(place, answered, unreachable, now);
    }

    fn push_ended(&mut self, place: PlaceId, pushed: Heads, result: PushResult, now: Instant) {
        // What a place got that is gone by now is news for those who still have it.
        if let PushResult::Done { news: true } = result {
            self.announcing.news();
        }
        let Some(known) = self.places.get_mut(&place) else { return };
        // The one before may have brought it already, and the answer was lost.
        if known.exchange.is_untold() && matches!(result, PushResult::Done { .. }) {
            self.announcing.news();
        }
        let answered = known.exchange.push_ended(&known.place, pushed, result, &self.config, now);
        let unreachable = matches!(result, PushResult::Failed(Failure::Unreachable));
        self.heard_from(place, answered, unreachable, now);
    }

    fn transfer_ended(&mut self, ended: Ended, now: Instant) {
        let (place, direction) = (ended.place, ended.direction);
        if direction == Direction::Upload
            && let Some(hold) = &mut self.hold
        {
            hold.uploaded(place, &ended.key);
        }
        self.contents.ended(ended, &mut self.places, &mut self.records, &self.config, now);
        let Some(known) = self.places.get(&place) else { return };
        if !known.open(Direction::Download, now) && direction == Direction::Download {
            self.contents.find_other_sources(place, &mut self.places, now);
        }
        if self.places.get(&place).is_some_and(|known| !known.open(Direction::Upload, now)) {
            self.give_up_waiting_for(place);
        }
    }

    fn look_now(&mut self, now: Instant) {
        self.looking.begin_round();
        self.looking.activity(&self.config, now);
        self.announcing.forgive();
        self.records.forgive();
        self.places.values_mut().for_each(Known::forgive);
        self.contents.forgive(None, false, &mut self.places, now);
        self.look_everywhere();
    }

    /// Notes whether a place that is said to be up does answer.
    fn heard_from(&mut self, place: PlaceId, answered: bool, unreachable: bool, now: Instant) {
        let Some(known) = self.places.get_mut(&place) else { return };
        if answered {
            known.unreachable = None;
        } else if unreachable {
            let seed = Seed::of(&self.config, (place, "unreachable"));
            known.unreachable =
                Some(Setback::next(known.unreachable, Failure::Unreachable, seed, &self.config, now));
            self.contents.find_other_sources(place, &mut self.places, now);
            self.give_up_waiting_for(place);
        }
    }

    fn give_up_waiting_for(&mut self, place: PlaceId) {
        if let Some(hold) = &mut self.hold {
            hold.give_up(place);
        }
    }
}
