//! Folders of the account's other devices that we do not recognise.
//!
//! A hint names a folder by the repository that the other device has of it, and we know that repository once we have
//! read about it at a place. A computer that has just got a folder of ours says so before that: its hint is for nobody
//! we know. So a device that comes to have more unknown folders than before is worth a few looks; one whose folders
//! simply are not ours is soon not.

use std::collections::BTreeMap;

use tributary_xmpp::account::DeviceTag;

/// Looks that an unknown folder is worth: its device may say so before the place has it.
const WORTH: u8 = 3;

/// Most devices that are kept in mind. A person has few; a server could make up any number.
const MOST: usize = 64;

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Strangers(BTreeMap<DeviceTag, Known>);

#[derive(Debug, Default)]
struct Known {
    folders: usize,
    looks_left: u8,
}

impl Strangers {
    /// A device speaks of `unknown` folders that are not known here: whether to look.
    pub(super) fn worth_a_look(&mut self, device: DeviceTag, unknown: usize) -> bool {
        if !self.0.contains_key(&device) && self.0.len() >= MOST {
            return false;
        }
        let known = self.0.entry(device).or_default();
        if unknown > known.folders {
            known.looks_left = WORTH;
        }
        known.folders = unknown;
        let worth = unknown > 0 && known.looks_left > 0;
        known.looks_left -= u8::from(worth);
        worth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(n: u8) -> DeviceTag {
        format!("{n:016x}").parse().unwrap()
    }

    #[test]
    fn a_folder_that_is_new_is_worth_a_few_looks() {
        let mut strangers = Strangers::default();
        let laptop = device(1);
        assert!(!strangers.worth_a_look(laptop, 0), "all its folders are known");
        let looks = (0..10).filter(|_| strangers.worth_a_look(laptop, 1)).count();
        assert_eq!(looks, usize::from(WORTH), "then it is a folder of its own");
        assert!(strangers.worth_a_look(laptop, 2), "one more");
        assert!(!strangers.worth_a_look(laptop, 0), "we know them now");
        assert!(strangers.worth_a_look(laptop, 1), "and this is another");
    }

    #[test]
    fn made_up_devices_take_no_more_room() {
        let mut strangers = Strangers::default();
        let looked = (0..=u8::MAX).filter(|n| strangers.worth_a_look(device(*n), 1)).count();
        assert_eq!((looked, strangers.0.len()), (MOST, MOST));
    }
}
