//! Loose objects: one zlib file each, `objects/XX/YYYY…`.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::{Made, Pending, temporary_in};

/// Writes each object under a temporary name.
pub(super) fn write(objects: &Path, new: &[&Made]) -> io::Result<Vec<Pending>> {
    new.iter().map(|made| write_one(objects, made)).collect()
}

fn write_one(objects: &Path, made: &Made) -> io::Result<Pending> {
    let hex = made.oid.to_string();
    let (dir, name) = hex.split_at(2);
    let dir = objects.join(dir);
    match fs::create_dir(&dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let mut file = temporary_in(&dir, "tmp_obj_")?;
    let mut zlib = ZlibEncoder::new(file.as_file_mut(), Compression::fast());
    zlib.write_all(format!("{} {}\0", made.kind.str(), made.data.len()).as_bytes())?;
    zlib.write_all(&made.data)?;
    zlib.finish()?;
    Ok(Pending { made: file, name: dir.join(name) })
}
