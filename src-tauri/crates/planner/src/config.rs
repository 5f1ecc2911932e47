//! Numbers that the planner goes by, with those that were found right as the default.

use tributary_formats::uuid::RepoUuid;

use crate::Millis;

/// How one folder's planner behaves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Config {
    /// Our own repository; it makes our delays differ from everybody else's.
    pub uuid: RepoUuid,
    /// First and longest delay between tries of what failed.
    pub retry: (Millis, Millis),
    /// Delay until what a person has to mend is looked at again, in case they did and nothing told us.
    pub person_retry: Millis,
    /// First and longest pause between two looks while no hint can reach us.
    pub poll: (Millis, Millis),
    /// Pause between two looks while hints reach us: for those who cannot send any, and for lost ones.
    pub safety_poll: Millis,
    /// Most keys of a local commit whose contents go before their names.
    pub content_first_keys: usize,
    /// Most bytes of a local commit whose contents go before their names.
    pub content_first_bytes: u64,
    /// Longest that names wait for contents.
    pub content_first_wait: Millis,
    /// Longest that a record waits after a transfer ended.
    pub record_wait: Millis,
    /// Longest that a record waits in a long batch.
    pub record_wait_long: Millis,
    /// Longest that a record waits of which others only learn that contents arrived here.
    pub record_wait_arrivals: Millis,
    /// This many contents that others wait for are recorded at once.
    pub record_keys: usize,
    /// Most keys in flight at a place in one direction.
    pub keys_in_flight: usize,
    /// Most bytes in flight at a place in one direction; a single key may be larger.
    pub bytes_in_flight: u64,
}

impl Config {
    /// The numbers that ship, for the repository `uuid`.
    #[must_use]
    pub fn new(uuid: RepoUuid) -> Self {
        Self {
            uuid,
            retry: (Millis::from_secs(2), Millis::from_secs(30 * 60)),
            person_retry: Millis::from_secs(30 * 60),
            poll: (Millis::from_secs(5), Millis::from_secs(5 * 60)),
            safety_poll: Millis::from_secs(30 * 60),
            content_first_keys: 64,
            content_first_bytes: 4 << 20,
            content_first_wait: Millis(300),
            record_wait: Millis::from_secs(1),
            record_wait_long: Millis::from_secs(5),
            record_wait_arrivals: Millis::from_secs(20),
            record_keys: 2_000,
            keys_in_flight: 4_096,
            bytes_in_flight: 256 << 20,
        }
    }
}
