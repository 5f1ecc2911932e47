//! Asked: what people, the account and other computers want of a folder.

use tributary_planner::{Channel, Input};
use tributary_status::{HeldAnswer, Reply};
use tributary_xmpp::hints;

use super::announce::tips;
use super::settled::Waiter;
use super::{Conductor, Mind};
use crate::folder_facts::Ask;
use crate::state::outlook::files;

impl Conductor {
    pub(super) async fn ask(&mut self, ask: Ask, mind: &mut Mind) {
        match ask {
            Ask::Sync => {
                self.room.try_again();
                self.scans.send(mind.next_scan).ok();
                mind.next_scan += 1;
                self.apply.versions();
                self.plan(mind, vec![Input::LookNow]);
            }
            // It is answered before it comes here.
            Ask::Status(_) => {}
            Ask::Wait(reply) => {
                let scan = mind.next_scan;
                self.scans.send(scan).ok();
                mind.next_scan += 1;
                self.room.try_again();
                self.apply.versions();
                self.plan(mind, vec![Input::LookNow]);
                mind.waiters.push(Waiter { scan, round: mind.planner.round(), reply });
            }
            Ask::PlacesChanged => self.places_changed(mind).await,
            Ask::Pause(until) => {
                self.paused.send(until.is_some()).ok();
                let input = if until.is_some() { Input::Pause } else { Input::Resume };
                mind.paused = until;
                self.plan(mind, vec![input]);
            }
            Ask::Hint(hint) => {
                let known = self.desk.with(tips).await;
                let heads_known = known.is_ok_and(|tips| hints::heads_match(&hint, &tips));
                self.plan(mind, vec![Input::Hint { heads_known }]);
            }
            Ask::News(news) => {
                let known = self.desk.with(tips).await;
                let heads_known = known.is_ok_and(|tips| tips == news.tips);
                self.plan(mind, vec![Input::Hint { heads_known }]);
            }
            Ask::Channel(up) => {
                let channel = if up { Channel::Up } else { Channel::Down };
                self.plan(mind, vec![Input::Channel(channel)]);
                if up {
                    self.announce().await;
                }
            }
            Ask::Announced(ok) => self.plan(mind, vec![Input::AnnounceEnded { ok }]),
            Ask::PushedTo(pushed) => self.pushed_to(&pushed, mind).await,
            Ask::Held(answer, reply) => {
                reply.send(self.held(answer, mind).await).ok();
            }
            Ask::Keep(wish, reply) => self.keep(wish, reply).await,
        }
    }

    async fn held(&self, answer: Option<HeldAnswer>, mind: &mut Mind) -> Reply {
        match answer {
            None => Reply::Held {
                held: tributary_status::HeldDeletions {
                    count: mind.seen.held,
                    reason: mind.seen.held_reason.clone(),
                    files: mind.seen.held_files.clone(),
                },
            },
            Some(_) if mind.seen.held == 0 => Reply::Done { sentence: "No deletions are held.".into() },
            Some(answer) => {
                self.answers.send(answer).await.ok();
                let count = files(mind.seen.held);
                let sentence = match answer {
                    HeldAnswer::Restore => {
                        mind.put_back = usize::try_from(mind.seen.held).unwrap_or(usize::MAX);
                        format!("Putting {count} back.")
                    }
                    HeldAnswer::Delete => format!("Deleting {count} everywhere."),
                };
                Reply::Done { sentence }
            }
        }
    }
}
