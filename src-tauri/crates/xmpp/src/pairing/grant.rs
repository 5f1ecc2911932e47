//! What the inviter hands over when a person said yes.

use std::fmt;

use tributary_formats::uuid::RepoUuid;
use zeroize::Zeroizing;

use super::PairingError;
use super::introduction::MAX_LENGTH;
use crate::fields::{Reader, Writer};

/// Longest name of a folder, in bytes.
const MAX_NAME: usize = 255;
/// Longest storage set-up, in bytes.
const MAX_SET_UP: usize = 32 * 1024;
/// Most devices that are introduced.
const MAX_INTRODUCTIONS: usize = 64;

const FOLDER: u8 = 1;
const NAME: u8 = 2;
const RIGHT: u8 = 3;
const HINT_KEY: u8 = 4;
const SET_UP: u8 = 5;
const LETTER: u8 = 6;
const INTRODUCTION: u8 = 7;

/// What the other side may do with the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// See and change it.
    Edit,
    /// See it.
    ReadOnly,
}

/// A folder, and what is needed to share it.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    /// The inviter's repository.
    pub repository: RepoUuid,
    /// What the folder is called, at most 255 bytes.
    pub name: String,
    /// What the joiner may do.
    pub right: Right,
    /// The key of the folder's hints.
    pub hint_key: Zeroizing<[u8; 32]>,
    /// The storage set-up, with what keys of it the inviter agreed to give: at most 32 KiB that the caller gives a
    /// meaning.
    pub set_up: Zeroizing<Vec<u8>>,
    /// The signed introduction of the joiner, to be shown to the inviter's other devices; may be empty.
    pub letter: Vec<u8>,
    /// The signed introductions of those devices; at most 64, what is over falls off the end.
    pub introductions: Vec<Vec<u8>>,
}

impl Grant {
    /// The grant as bytes.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let right = match self.right {
            Right::Edit => 0,
            Right::ReadOnly => 1,
        };
        let fields = Writer::default()
            .field(FOLDER, self.repository.as_str().as_bytes())
            .field(NAME, self.name.as_bytes())
            .field(RIGHT, &[right])
            .field(HINT_KEY, self.hint_key.as_slice())
            .field(SET_UP, &self.set_up)
            .field(LETTER, &self.letter);
        let introductions = self.introductions.iter().take(MAX_INTRODUCTIONS);
        Zeroizing::new(introductions.fold(fields, |fields, one| fields.field(INTRODUCTION, one)).done())
    }

    /// Reads a grant.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Grant, PairingError> {
        let fields = Reader::new(bytes)?;
        let untrustworthy = PairingError::Untrustworthy;
        let bounded =
            |bytes: &[u8], most| if bytes.len() > most { Err(untrustworthy) } else { Ok(bytes.to_vec()) };
        let introductions = fields.all(INTRODUCTION).take(MAX_INTRODUCTIONS);
        Ok(Grant {
            repository: RepoUuid::parse(&fields.text(FOLDER, MAX_NAME)?).map_err(|_| untrustworthy)?,
            name: fields.text(NAME, MAX_NAME)?,
            right: match fields.array(RIGHT)? {
                [0] => Right::Edit,
                [1] => Right::ReadOnly,
                // A right that a newer version knows is not one to guess at.
                _ => return Err(untrustworthy),
            },
            hint_key: Zeroizing::new(fields.array(HINT_KEY)?),
            set_up: Zeroizing::new(bounded(fields.get(SET_UP)?, MAX_SET_UP)?),
            letter: bounded(fields.get(LETTER)?, MAX_LENGTH)?,
            introductions: introductions.map(|one| bounded(one, MAX_LENGTH)).collect::<Result<_, _>>()?,
        })
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Grant({}, {:?}, {} introductions)", self.repository, self.right, self.introductions.len())
    }
}
