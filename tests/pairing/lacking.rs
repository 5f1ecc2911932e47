//! Accounts that lack something: what is only convenient is done without, and the rest is said in one sentence.

use tributary_testkit::eventually;

use crate::member::LIMIT;
use crate::party::{BEN, Pairs, Party, id, said};

#[test]
fn without_a_store_for_states_friends_pair_and_hear_of_each_other() {
    let Some(party) = Party::without(&["pep"]) else { return };
    let (ann, ben) = (party.inviter(), party.computer("ben", BEN));
    ben.joins(&said(&ann.invites(&["--accept"]), "link"), &[]).ok();
    ben.awaits(&ann.files());
    for (one, other) in [(&ann, &ben), (&ben, &ann)] {
        eventually(2 * LIMIT, "a hint and a tunnel went in both directions", || {
            let peer = one.peers().into_iter().find(|peer| peer["id"] == id(other))?;
            (peer["connected"] == true).then_some(())
        });
    }
    for (from, to, file) in [(&ann, &ben, "from-ann.txt"), (&ben, &ann, "from-ben.txt")] {
        from.write(file, "hello");
        eventually(LIMIT, "a change arrives at the friend", || to.read(file));
    }
}
