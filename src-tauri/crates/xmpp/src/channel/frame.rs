//! What is said inside the channel: one frame in each Noise message. A byte says which kind, the rest is its body.

use super::ChannelError;
use crate::fields::cut;

/// Most bytes of data that a frame of ours has: small enough to be passed on soon, large enough for its 19 bytes of
/// wrapping not to count.
pub const MAX_DATA: usize = 16 * 1024;
/// Longest reason of a refusal, and longest request, in bytes.
pub(crate) const MAX_TEXT: usize = 4096;

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Bytes of this direction; ours have at most [`MAX_DATA`].
    Data(Vec<u8>),
    /// The last frame of this direction.
    End,
    /// How the program at the other end ended.
    Exit(i32),
    /// The other end will not, and why: a sentence, at most 4,096 bytes.
    Refused(String),
    /// Nothing: keeps a carrier moving that holds back what comes last. Skipped by the receiver.
    Padding,
    /// What is asked for, first of all frames: at most 4,096 bytes that the caller gives a meaning.
    Request(Vec<u8>),
    /// Whoever sends it can take data as a file from elsewhere, and has no faster way.
    TakesFiles,
    /// What comes next of this direction's data is in a file: at most 4,096 bytes that say where. Answered by one of the
    /// next two, before the other end ends its direction; a file without an answer was not taken.
    File(Vec<u8>),
    /// The data of the file was taken.
    FileTaken,
    /// The file is not to be had: its data has to come otherwise.
    FileMissed,
    /// Work on a file goes on.
    Busy,
}

const DATA: u8 = 0;
const END: u8 = 1;
const EXIT: u8 = 2;
const REFUSED: u8 = 3;
const PADDING: u8 = 4;
const REQUEST: u8 = 5;
const TAKES_FILES: u8 = 6;
const FILE: u8 = 7;
const FILE_TAKEN: u8 = 8;
const FILE_MISSED: u8 = 9;
const BUSY: u8 = 10;

impl Frame {
    /// The frame as bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let status;
        let (kind, body): (u8, &[u8]) = match self {
            Frame::Data(bytes) => (DATA, bytes),
            Frame::End => (END, &[]),
            Frame::Exit(code) => {
                status = code.to_be_bytes();
                (EXIT, &status)
            }
            Frame::Refused(reason) => (REFUSED, cut(reason, MAX_TEXT).as_bytes()),
            Frame::Padding => (PADDING, &[]),
            Frame::Request(bytes) => (REQUEST, bytes),
            Frame::TakesFiles => (TAKES_FILES, &[]),
            Frame::File(bytes) => (FILE, bytes),
            Frame::FileTaken => (FILE_TAKEN, &[]),
            Frame::FileMissed => (FILE_MISSED, &[]),
            Frame::Busy => (BUSY, &[]),
        };
        [&[kind], body].concat()
    }

    /// Reads a frame; `None` for a kind that a newer version may know, which is skipped.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Option<Frame>, ChannelError> {
        let (kind, body) = bytes.split_first().ok_or(ChannelError::Malformed)?;
        Ok(Some(match *kind {
            DATA => Frame::Data(body.to_vec()),
            END => Frame::End,
            EXIT => {
                let code = body.try_into().map_err(|_| ChannelError::Malformed)?;
                Frame::Exit(i32::from_be_bytes(code))
            }
            REFUSED if body.len() <= MAX_TEXT => Frame::Refused(String::from_utf8_lossy(body).into_owned()),
            REQUEST if body.len() <= MAX_TEXT => Frame::Request(body.to_vec()),
            FILE if body.len() <= MAX_TEXT => Frame::File(body.to_vec()),
            TAKES_FILES => Frame::TakesFiles,
            FILE_TAKEN => Frame::FileTaken,
            FILE_MISSED => Frame::FileMissed,
            BUSY => Frame::Busy,
            REFUSED | REQUEST | FILE => return Err(ChannelError::Malformed),
            _ => return Ok(None),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames() -> impl Strategy<Value = Frame> {
        let bytes = |most| proptest::collection::vec(any::<u8>(), 0..most);
        prop_oneof![
            bytes(300).prop_map(Frame::Data),
            Just(Frame::End),
            any::<i32>().prop_map(Frame::Exit),
            ".{0,80}".prop_map(Frame::Refused),
            bytes(300).prop_map(Frame::Request),
            bytes(300).prop_map(Frame::File),
            prop_oneof![
                Just(Frame::TakesFiles),
                Just(Frame::FileTaken),
                Just(Frame::FileMissed),
                Just(Frame::Busy)
            ],
        ]
    }

    proptest! {
        #[test]
        fn frames_come_back(frame in frames()) {
            prop_assert_eq!(Frame::decode(&frame.encode()).unwrap(), Some(frame));
        }

        #[test]
        fn garbage_is_a_frame_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
            // Whatever a paired device sends: no panic, and nothing that grows.
            let _ = Frame::decode(&bytes);
        }
    }

    #[test]
    fn what_comes_later_is_skipped_and_what_is_wrong_is_not() {
        assert_eq!(Frame::decode(&Frame::Padding.encode()).unwrap(), None);
        assert_eq!(Frame::decode(&[77, 1, 2]).unwrap(), None, "a newer version's frame");
        assert!(Frame::decode(&[]).is_err());
        assert!(Frame::decode(&[EXIT, 0]).is_err());
        assert!(Frame::decode(&[vec![REQUEST], vec![0; MAX_TEXT + 1]].concat()).is_err());
    }

    #[test]
    fn a_long_reason_is_cut_between_letters() {
        let encoded = Frame::Refused("ä".repeat(MAX_TEXT)).encode();
        let Some(Frame::Refused(reason)) = Frame::decode(&encoded).unwrap() else { panic!("a refusal") };
        assert_eq!(reason.len(), MAX_TEXT);
        assert!(reason.chars().all(|letter| letter == 'ä'));
    }
}
