//! The session's task: joins the line, the conversation and the engine's wishes.
//!
//! Waits for whatever comes first; publishes [`SessionEvent`]s; ends when told to stop, or when the engine is gone.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::conversation::{Act, Conversation, Now};
use super::line::{Line, LineEvent, until};
use super::{ConnectionState, SessionEvent, Timeouts, Wishes};
use crate::courier::Desk;
use crate::ibb::streams::{Limits, Streams};
use crate::socks5::Exchange;

/// Runs the session until it is stopped.
pub(super) async fn run(
    mut wishes: Wishes,
    timeouts: Timeouts,
    events: mpsc::Sender<SessionEvent>,
    state: watch::Sender<ConnectionState>,
) {
    let account = wishes.login.borrow().account.clone();
    let limits = Limits { reply: timeouts.reply, stall: timeouts.stall, quiet: timeouts.quiet };
    let socks5 = Exchange::new(wishes.admission.clone(), wishes.door, timeouts.reply);
    let streams = Streams::new(limits, wishes.admission, wishes.bell.clone());
    let desk = Desk::new(wishes.listener, timeouts.reply);
    let mut talk =
        Conversation::new(account.jid, account.device, timeouts.reply, streams, desk, socks5, Instant::now());
    let mut line = Line::new(wishes.login.subscribe(), wishes.here, timeouts);
    let mut logins = wishes.login.subscribe();
    let stop = wishes.stop.clone();
    loop {
        let own_due = talk.tick(now());
        let pumped = talk.pump(line.room(), now());
        if pumped.crowded {
            line.await_room();
        }
        let come_back = [own_due, pumped.again].into_iter().flatten().min();
        let acts = talk.take_acts();
        let done = stop.run_until_cancelled(act(acts, &mut line, &events)).await;
        if done != Some(true) {
            break;
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            event = line.next() => match event {
                LineEvent::Stanza(stanza) => talk.stanza(*stanza, now()),
                // The next turn uses it.
                LineEvent::Room => (),
                LineEvent::Proven(mechanism) => {
                    // Not a change that anybody has to act on, so nobody is woken.
                    wishes.login.send_if_modified(|login| {
                        login.account.strongest = Some(mechanism);
                        false
                    });
                    if tell(&stop, &events, SessionEvent::Proven(mechanism)).await.is_none() { break }
                }
                LineEvent::State(now_is) => {
                    match &now_is {
                        ConnectionState::Online { bound, resumed: false } => talk.fresh(bound.clone(), now()),
                        ConnectionState::Online { resumed: true, .. } => talk.resumed(now()),
                        _ => talk.interrupted(),
                    }
                    tracing::debug!(state = %now_is.sentence(), "connection");
                    state.send_replace(now_is.clone());
                    if tell(&stop, &events, SessionEvent::State(now_is)).await.is_none() { break }
                }
            },
            Ok(()) = logins.changed() => line.login_changed(),
            Ok(()) = wishes.publish.changed() => {
                // Keys that were given before this state seal it.
                if let Some(sealer) = wishes.sealer.borrow_and_update().clone() {
                    talk.seal_with(sealer);
                }
                if let Some(newest) = wishes.publish.borrow_and_update().clone() {
                    talk.publish(newest);
                }
            }
            Some(opening) = wishes.openings.recv() => talk.open_stream(opening, now()),
            Some(ask) = wishes.asks.recv() => talk.ask_about_socks5(ask, now()),
            Some(dispatch) = wishes.outbox.recv() => talk.dispatch(dispatch, now()),
            Some(reply) = talk.next_reply() => talk.reply(reply),
            () = wishes.bell.notified() => (),
            Ok(()) = wishes.friends.changed() => {
                let friends = wishes.friends.borrow_and_update().clone();
                talk.set_friends(friends, now());
            }
            Ok(()) = wishes.sealer.changed() => {
                if let Some(sealer) = wishes.sealer.borrow_and_update().clone() {
                    talk.seal_with(sealer);
                }
            }
            () = wishes.network.notified() => line.network_changed(),
            () = until(come_back) => (),
        }
    }
    talk.leave();
    for act in talk.take_acts() {
        if let Act::Send(stanza) = act {
            line.send(stanza);
        }
    }
    line.close().await;
    state.send_replace(ConnectionState::Off);
}

/// Does what the conversation decided; `false` when the engine is gone.
async fn act(acts: Vec<Act>, line: &mut Line, events: &mpsc::Sender<SessionEvent>) -> bool {
    for act in acts {
        match act {
            Act::Send(stanza) => line.send(stanza),
            Act::Tell(event) => {
                if events.send(event).await.is_err() {
                    return false;
                }
            }
        }
    }
    true
}

/// Tells the engine, unless it stops us meanwhile or is gone.
async fn tell(
    stop: &tokio_util::sync::CancellationToken,
    events: &mpsc::Sender<SessionEvent>,
    event: SessionEvent,
) -> Option<()> {
    stop.run_until_cancelled(events.send(event)).await?.ok()
}

fn now() -> Now {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Now { tick: Instant::now(), clock }
}
