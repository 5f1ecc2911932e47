//! Clocks: invitations that are over, and computers whose clock is wrong.

use std::time::Duration;

use tributary_testkit::{Clock, need_all};

use crate::party::{ANN, BEN, Pairs, Party, hear_of_each_other, is_absent, said};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn an_invitation_that_has_expired_says_so_on_both_sides() {
    let Some(party) = Party::new() else { return };
    if !need_all(Clock::NEEDS) {
        return;
    }
    let clock = Clock::new(&party.sandbox, "clock");
    let ann = party.inviter_at(party.computer_with("ann", ANN, |machine| clock.configure(machine)));
    let ben = party.computer("ben", BEN);
    let link = said(&ann.invites(&["--accept"]), "link");
    clock.set_ahead(8 * DAY);
    // Ben's clock says that there is time left; whoever invites knows better.
    let late = ben.joins(&link, &[]);
    assert!(!late.success() && late.stderr().contains("has expired"), "{late}");
    for computer in [&ann, &ben] {
        computer.is_clean();
    }
    assert!(is_absent(&ben.dir), "nothing was made");
    let again = said(&ann.invites(&["--accept"]), "link");
    ben.joins(&again, &[]).ok();
    ben.awaits(&ann.files());
}

#[test]
fn a_clock_that_is_two_days_off_is_in_nobodys_way() {
    let Some(party) = Party::new() else { return };
    if !need_all(Clock::NEEDS) {
        return;
    }
    let clock = Clock::new(&party.sandbox, "clock");
    clock.set_ahead(2 * DAY - Duration::from_secs(3600));
    let ann = party.inviter();
    let ben = party.computer_with("ben", BEN, |machine| clock.configure(machine));
    ben.joins(&said(&ann.invites(&["--accept"]), "link"), &[]).ok();
    ben.awaits(&ann.files());
    hear_of_each_other(&ann, &ben);
}
