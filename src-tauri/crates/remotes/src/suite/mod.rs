//! The suite that every special remote must pass, with and without chunks, reachable and not.
//!
//! [`run`] goes through all cases that the remote says it can do ([`Capabilities`](crate::Capabilities)). What a kind of
//! remote has to bring along is a [`Subject`]: a way to reach one place again and again, and to do there behind the
//! remote's back what disks, drives and other programs do.

mod content;
mod faults;
mod removal;
mod retrieving;
mod storing;

pub use content::Content;

use crate::chunks::ChunkSet;
use crate::remote::SpecialRemote;
use tributary_formats::Key;

/// One place, and what may happen to it.
pub trait Subject: Sync {
    /// The remote; every call gives one that remembers nothing.
    fn remote(&self) -> Box<dyn SpecialRemote>;

    /// The same remote, whose place does not answer.
    fn unreachable(&self) -> Box<dyn SpecialRemote>;

    /// Puts a set of chunks on record, as the caller of [`SpecialRemote::store`] does.
    fn record(&self, key: &Key, chunks: ChunkSet);

    /// Takes all sets of a key off the record.
    fn forget(&self, key: &Key);

    /// Changes one byte of what is stored (of its last chunk), keeping the size.
    fn damage(&self, key: &Key);

    /// Cuts what is stored (its last chunk) to half its size.
    fn cut(&self, key: &Key);

    /// Deletes what is stored (its last chunk).
    fn lose(&self, key: &Key);

    /// Every file at the place that has a final name, and its bytes: nothing of an upload under way is among them.
    fn visible_files(&self) -> usize;
}

/// Runs the whole suite on a place that is empty.
///
/// # Panics
///
/// With what should have held when it did not.
pub async fn run(subject: &dyn Subject) {
    storing::whole_sizes_come_back(subject).await;
    storing::twice_is_once(subject).await;
    storing::many_at_once(subject).await;
    storing::the_same_content_from_many_sides(subject).await;
    storing::an_upload_that_was_cut_off_goes_on(subject).await;
    storing::wrong_sources_are_refused(subject).await;
    retrieving::resumes_from_nothing_a_third_and_all(subject).await;
    retrieving::a_bad_start_is_noticed(subject).await;
    retrieving::what_is_not_there_is_said_to_be_absent(subject).await;
    retrieving::unverifiable_contents_are_the_callers_choice(subject).await;
    retrieving::stops_when_told_to(subject).await;
    faults::damage_is_noticed(subject).await;
    faults::a_cut_content_is_not_present_and_is_stored_again(subject).await;
    faults::a_lost_content_is_not_present(subject).await;
    faults::no_answer_is_no_no(subject).await;
    if subject.remote().capabilities().removes {
        removal::removes_what_the_proof_names(subject).await;
    }
}
