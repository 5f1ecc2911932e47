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

impl Right {
    pub(crate) fn to_byte(self) -> u8 {
        match self {
            Right::Edit => 0,
            Right::ReadOnly => 1,
        }
    }

    /// `None` for a right that a newer version knows: it is not one to guess at.
    pub(crate) fn from_byte([byte]: [u8; 1]) -> Option<Right> {
        match byte {
            0 => Some(Right::Edit),
            1 => Some(Right::ReadOnly),
            _ => None,
        }
    }

    /// What both rights allow.
    #[must_use]
    pub fn and(self, other: Right) -> Right {
        match (self, other) {
            (Right::Edit, Right::Edit) => Right::Edit,
            _ => Right::ReadOnly,
        }
    }
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
        let fields = Writer::default()
            .field(FOLDER, self.repository.as_str().as_bytes())
            .field(NAME, self.name.as_bytes())
            .field(RIGHT, &[self.right.to_byte()])
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
            right: Right::from_byte(fields.array(RIGHT)?).ok_or(untrustworthy)?,
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
