//! Accounts that lack something: what is only convenient is done without, and the rest is said in one sentence.

use crate::party::{BEN, Pairs, Party, hear_of_each_other, said};

#[test]
fn without_a_store_for_states_friends_pair_and_hear_of_each_other() {
    let Some(party) = Party::without(&["pep"]) else { return };
    let (ann, ben) = (party.inviter(), party.computer("ben", BEN));
    ben.joins(&said(&ann.invites(&["--accept"]), "link"), &[]).ok();
    ben.awaits(&ann.files());
    hear_of_each_other(&ann, &ben);
}
