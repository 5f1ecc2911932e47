//! Git's packets: four hex digits of length, themselves counted, and the data; `0000` ends a list or a content.
//!
//! Source: git's `Documentation/gitprotocol-common.txt`.

use std::io::{self, BufReader, BufWriter, Read, Write};

/// The most data in one packet, bytes.
const MAX_DATA: usize = 65516;

/// Reads packets.
pub(super) struct PacketReader<'p>(BufReader<&'p mut dyn Read>);

impl<'p> PacketReader<'p> {
    pub(super) fn new(from: &'p mut dyn Read) -> Self {
        PacketReader(BufReader::with_capacity(MAX_DATA + 4, from))
    }

    /// The lines of a list, without their ends; None when git hung up before it.
    pub(super) fn lines(&mut self, most: usize) -> io::Result<Option<Vec<Vec<u8>>>> {
        let mut lines = Vec::new();
        loop {
            match self.packet()? {
                Packet::Data(mut line) => {
                    if line.last() == Some(&b'\n') {
                        line.pop();
                    }
                    lines.push(line);
                }
                Packet::Flush => return Ok(Some(lines)),
                Packet::HungUp if lines.is_empty() => return Ok(None),
                Packet::HungUp => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
            if lines.len() > most {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }

    /// Copies a content to its end.
    pub(super) fn content(&mut self, to: &mut dyn Write) -> io::Result<()> {
        loop {
            match self.packet()? {
                Packet::Data(data) => to.write_all(&data)?,
                Packet::Flush => return Ok(()),
                Packet::HungUp => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }

    fn packet(&mut self) -> io::Result<Packet> {
        let mut length = [0; 4];
        match self.0.read(&mut length)? {
            0 => return Ok(Packet::HungUp),
            some => self.0.read_exact(&mut length[some..])?,
        }
        let digits =
            std::str::from_utf8(&length).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let length = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok());
        match length {
            Some(0) => Ok(Packet::Flush),
            Some(length @ 4..) if length - 4 <= MAX_DATA => {
                let mut data = vec![0; length - 4];
                self.0.read_exact(&mut data)?;
                Ok(Packet::Data(data))
            }
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

enum Packet {
    Data(Vec<u8>),
    Flush,
    HungUp,
}

/// Writes packets.
pub(super) struct PacketWriter<'p>(BufWriter<&'p mut dyn Write>);

impl<'p> PacketWriter<'p> {
    pub(super) fn new(to: &'p mut dyn Write) -> Self {
        PacketWriter(BufWriter::with_capacity(MAX_DATA + 4, to))
    }

    /// A list of lines, sent off at once.
    pub(super) fn lines(&mut self, lines: &[&str]) -> io::Result<()> {
        for line in lines {
            self.packet(format!("{line}\n").as_bytes())?;
        }
        self.end()
    }

    /// A whole content, sent off at once.
    pub(super) fn content(&mut self, from: &mut dyn Read) -> io::Result<()> {
        let mut buffer = vec![0; MAX_DATA];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return self.end(),
                Ok(count) => self.packet(&buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn packet(&mut self, data: &[u8]) -> io::Result<()> {
        write!(self.0, "{:04x}", data.len() + 4)?;
        self.0.write_all(data)
    }

    fn end(&mut self) -> io::Result<()> {
        self.0.write_all(b"0000")?;
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn contents_come_back(size in 0..3 * MAX_DATA, first: u8) {
            let content: Vec<u8> = (0..size).map(|at| first.wrapping_add(at as u8)).collect();
            let mut wire = Vec::new();
            PacketWriter::new(&mut wire).content(&mut &content[..]).unwrap();
            let (mut from, mut back) = (&wire[..], Vec::new());
            PacketReader::new(&mut from).content(&mut back).unwrap();
            prop_assert_eq!(back, content);
        }

        #[test]
        fn anything_else_is_an_error_and_no_panic(wire in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut from = &wire[..];
            let _ = PacketReader::new(&mut from).lines(8);
            let mut from = &wire[..];
            let _ = PacketReader::new(&mut from).content(&mut io::sink());
        }
    }

    #[test]
    fn git_hanging_up_is_no_error_between_requests_only() {
        let read = |wire: &[u8]| PacketReader::new(&mut { wire }).lines(8);
        assert_eq!(read(b"").unwrap(), None);
        assert_eq!(read(b"0006a\n00040000").unwrap(), Some(vec![b"a".to_vec(), Vec::new()]));
        for cut in [&b"0006a\n"[..], b"00", b"0009a", b"0003", b"zzzz", b"+006ab", b"fff5"] {
            assert!(read(cut).is_err(), "{}", cut.escape_ascii());
        }
    }
}
