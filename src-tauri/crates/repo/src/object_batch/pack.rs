//! A pack of whole objects and its index, both version 2.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::{Compress, Compression, FlushCompress, Status};
use git2::ObjectType;
use sha1::{Digest, Sha1};

use super::{Made, Pending, temporary_in};

/// Offsets from here on go into the index's table of 64-bit offsets.
const LARGE_OFFSET: u64 = 1 << 31;

/// Objects up to this many bytes are not compressed: pointers and location logs are mostly digits of hashes, of which
/// little can be saved, and to begin a stream costs the compressor more than such an object is long (measured: a third
/// of a commit of 10,000 files).
const STORED: usize = 256;

/// Where an object lies in the pack.
struct Packed<'a> {
    made: &'a Made,
    offset: u64,
    crc: u32,
}

/// Writes the pack and its index under temporary names. They are returned in the order in which they must get their
/// names: git sees a pack when its index is there.
pub(super) fn write(objects: &Path, new: &[&Made]) -> io::Result<Vec<Pending>> {
    let dir = objects.join("pack");
    std::fs::create_dir_all(&dir)?;
    let (mut pack, mut index) = (temporary_in(&dir, "tmp_pack_")?, temporary_in(&dir, "tmp_idx_")?);
    let (mut packed, checksum) = write_pack(BufWriter::new(pack.as_file_mut()), new)?;
    packed.sort_by_key(|object| object.made.oid);
    write_index(BufWriter::new(index.as_file_mut()), &packed, &checksum)?;
    let name = format!("pack-{}", hex::encode(checksum));
    Ok(vec![
        Pending { made: pack, name: dir.join(format!("{name}.pack")) },
        Pending { made: index, name: dir.join(format!("{name}.idx")) },
    ])
}

fn write_pack<'a>(out: impl Write, new: &[&'a Made]) -> io::Result<(Vec<Packed<'a>>, [u8; 20])> {
    let count = u32::try_from(new.len()).map_err(io::Error::other)?;
    let mut out = Summed::new(out);
    out.write(b"PACK")?;
    out.write(&2_u32.to_be_bytes())?;
    out.write(&count.to_be_bytes())?;
    let mut packed = Vec::with_capacity(new.len());
    let mut zlib = Compress::new(Compression::fast(), true);
    let mut entry = Vec::new();
    for made in new {
        entry.clear();
        write_header(&mut entry, made);
        compress(&mut zlib, &made.data, &mut entry)?;
        packed.push(Packed { made, offset: out.written, crc: crc32fast::hash(&entry) });
        out.write(&entry)?;
    }
    let checksum = out.finish()?;
    Ok((packed, checksum))
}

/// Kind in bits 4 to 6 of the first byte; size in its low 4 bits and then 7 bits a byte, lowest first.
fn write_header(entry: &mut Vec<u8>, made: &Made) {
    let kind = match made.kind {
        ObjectType::Commit => 1,
        ObjectType::Tree => 2,
        ObjectType::Tag => 4,
        _ => 3,
    };
    let mut rest = made.data.len();
    let mut byte = (kind << 4) | (rest & 0x0f) as u8;
    rest >>= 4;
    while rest > 0 {
        entry.push(byte | 0x80);
        byte = (rest & 0x7f) as u8;
        rest >>= 7;
    }
    entry.push(byte);
}

fn compress(zlib: &mut Compress, data: &[u8], entry: &mut Vec<u8>) -> io::Result<()> {
    if data.len() <= STORED {
        store(data, entry);
        return Ok(());
    }
    zlib.reset();
    loop {
        // The total starts at 0 with each reset, and never passes the data's length.
        let rest = &data[zlib.total_in() as usize..];
        entry.reserve(rest.len() + 64);
        if zlib.compress_vec(rest, entry, FlushCompress::Finish).map_err(io::Error::other)?
            == Status::StreamEnd
        {
            return Ok(());
        }
    }
}

/// A zlib stream (RFC 1950) of one block that is not compressed (RFC 1951, 3.2.4).
fn store(data: &[u8], entry: &mut Vec<u8>) {
    let length = u16::try_from(data.len()).expect("STORED is far below 64 KiB");
    // Deflate with a window of 32 KiB, fastest; last block, stored.
    entry.extend([0x78, 0x01, 0x01]);
    entry.extend(length.to_le_bytes());
    entry.extend((!length).to_le_bytes());
    entry.extend(data);
    entry.extend(simd_adler32::adler32(&data).to_be_bytes());
}

fn write_index(out: impl Write, packed: &[Packed<'_>], pack_checksum: &[u8; 20]) -> io::Result<()> {
    let mut out = Summed::new(out);
    out.write(b"\xfftOc")?;
    out.write(&2_u32.to_be_bytes())?;
    for first in 0..=u8::MAX {
        let up_to = packed.partition_point(|object| object.made.oid.as_bytes()[0] <= first);
        out.write(&(up_to as u32).to_be_bytes())?;
    }
    for object in packed {
        out.write(object.made.oid.as_bytes())?;
    }
    for object in packed {
        out.write(&object.crc.to_be_bytes())?;
    }
    let mut large = Vec::new();
    for object in packed {
        let field = if object.offset < LARGE_OFFSET {
            object.offset
        } else {
            large.push(object.offset);
            LARGE_OFFSET | (large.len() as u64 - 1)
        };
        out.write(&(field as u32).to_be_bytes())?;
    }
    for offset in large {
        out.write(&offset.to_be_bytes())?;
    }
    out.write(pack_checksum)?;
    out.finish()?;
    Ok(())
}

/// A file that ends in the SHA-1 of all before.
struct Summed<W> {
    out: W,
    sum: Sha1,
    written: u64,
}

impl<W: Write> Summed<W> {
    fn new(out: W) -> Self {
        Summed { out, sum: Sha1::new(), written: 0 }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn finish(mut self) -> io::Result<[u8; 20]> {
        let sum: [u8; 20] = self.sum.finalize().into();
        self.out.write_all(&sum)?;
        self.out.flush()?;
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_not_compressed_is_a_zlib_stream_too() {
        let mut zlib = Compress::new(Compression::fast(), true);
        for length in [0, 1, 100, STORED, STORED + 1, 70_000] {
            let data: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let mut entry = Vec::new();
            compress(&mut zlib, &data, &mut entry).unwrap();
            let mut back = Vec::new();
            flate2::read::ZlibDecoder::new(&entry[..]).read_to_end(&mut back).unwrap();
            assert_eq!(back, data);
        }
    }
}
