//! The short code that two people say on the phone: a number and two words, "7-guitar-tonic". 16 bits, good for one
//! guess.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use super::{FIRST_LINK_SLOT, PairingError, Slot};
use crate::words;

/// A code. `Display` is for the person to whom it is shown; `Debug` hides the words.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    slot: Slot,
    words: Zeroizing<[u8; 2]>,
}

impl Code {
    /// Makes a code for a slot.
    pub(crate) fn random(slot: Slot) -> Code {
        Code { slot, words: Zeroizing::new(rand::random()) }
    }

    /// The number.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// What both sides put into the key agreement: the code as it is shown.
    pub(crate) fn password(&self) -> Zeroizing<String> {
        Zeroizing::new(self.to_string())
    }
}

impl FromStr for Code {
    type Err = PairingError;

    /// Reads what a person typed: in whatever case, with hyphens or spaces, the words cut after four letters or whole.
    fn from_str(text: &str) -> Result<Code, PairingError> {
        let mut parts = text.split(|c: char| c == '-' || c.is_whitespace()).filter(|part| !part.is_empty());
        let mut next = || parts.next().ok_or(PairingError::CodeMalformed);
        let slot = next()?.parse().map_err(|_| PairingError::CodeMalformed)?;
        let mut word = || words::byte(next()?).ok_or(PairingError::CodeMalformed);
        let words = Zeroizing::new([word()?, word()?]);
        if parts.next().is_some() || !(1..FIRST_LINK_SLOT).contains(&slot) {
            return Err(PairingError::CodeMalformed);
        }
        Ok(Code { slot: Slot(slot), words })
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.slot, words::word(self.words[0]), words::word(self.words[1]))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({}-…)", self.slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_people_type_them() {
        let code: Code = "7-guitar-tonic".parse().unwrap();
        for same in ["7 guitar tonic", " 7-GUITAR-Tonic ", "7--guit- toni", "07 guitar\ttonic"] {
            assert_eq!(same.parse::<Code>().unwrap(), code, "{same}");
        }
        assert_eq!(code.to_string(), "7-guitar-tonic");
        assert_eq!(format!("{code:?}"), "Code(7-…)", "words do not reach a log");
        for bad in [
            "",
            "7",
            "7-guitar",
            "guitar-tonic",
            "7-guitar-tonic-zebra",
            "0-guitar-tonic",
            "1000-guitar-tonic",
            "7-gitarre-tonic",
        ] {
            assert_eq!(bad.parse::<Code>(), Err(PairingError::CodeMalformed), "{bad}");
        }
    }

    #[test]
    fn made_codes_are_read() {
        for slot in 1..100 {
            let code = Code::random(Slot(slot));
            assert_eq!(code.to_string().parse::<Code>().unwrap(), code);
        }
    }
}
