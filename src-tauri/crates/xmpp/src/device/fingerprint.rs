//! A device's id for the eye and the ear. Nobody has to compare it: the pairing code did that; it is there for those
//! who want to be sure all the same.

use super::DeviceId;
use crate::words;

impl DeviceId {
    /// Eight groups of four hex digits.
    pub fn grouped(&self) -> String {
        let groups: Vec<String> = self.0.chunks(2).map(hex::encode).collect();
        groups.join(" ")
    }

    /// Sixteen words, to be read aloud.
    pub fn in_words(&self) -> String {
        self.0.map(words::word).join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_in_two_ways() {
        let id = DeviceId::from_bytes(std::array::from_fn(|at| at as u8 * 17));
        assert_eq!(id.grouped(), "0011 2233 4455 6677 8899 aabb ccdd eeff");
        assert_eq!(id.in_words().split(' ').count(), 16);
        assert!(id.in_words().starts_with("acid ") && id.in_words().ends_with(" zebra"));
    }
}
