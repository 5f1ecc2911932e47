//! What a guest is offered that takes much in stages: the next stretch of each branch, named among the branches.
//!
//! Git's own program says first which branches there are: lines `OID REF`, each behind its length in four hexadecimal
//! digits, and an empty one at their end. Source: `gitprotocol-pack(5)`, "Reference Discovery", git 2.47. The stages are
//! said in front of that end, and are in no repository; git gives them out because the branches reach them.

use std::io::{self, Read, Write};

use git2::Oid;

use crate::push::stages::{STAGE, first_stage};
use crate::transport::STAGES;
use crate::tree::TreeError;

/// What git has to be told, so that commits may be asked for that no branch points to.
pub(super) const SETTING: &str = "uploadpack.allowReachableSHA1InWant=true";

/// The first commit to take of each branch of which a guest lacks much, in the order of their names.
pub(super) fn stages(
    git: &git2::Repository,
    shown: &[impl AsRef<str>],
    has: &[Oid],
) -> Result<Vec<Oid>, TreeError> {
    let (mut stages, mut tips): (Vec<Oid>, Vec<Oid>) = (Vec::new(), Vec::new());
    for pattern in shown {
        for name in [pattern.as_ref().to_owned(), format!("{}/*", pattern.as_ref())] {
            // A name that no repository can have is shown to nobody.
            let Ok(found) = git.references_glob(&name) else { continue };
            for tip in found.flatten().filter_map(|reference| reference.target()) {
                if !tips.contains(&tip) {
                    tips.push(tip);
                }
            }
        }
    }
    // A branch of somebody else's program may point to what is no commit: that is git's to deal with.
    for tip in tips.into_iter().filter(|tip| git.find_commit(*tip).is_ok()) {
        if let Some(stage) = first_stage(git, tip, has, STAGE)?
            && !stages.contains(&stage)
        {
            stages.push(stage);
        }
    }
    Ok(stages)
}

/// Carries what git says first, and the stages with it.
pub(super) fn announce(stages: &[Oid], git: &mut impl Read, guest: &mut impl Write) -> io::Result<()> {
    let (mut length, mut line) = ([0; 4], Vec::new());
    loop {
        git.read_exact(&mut length)?;
        let length_of_all = std::str::from_utf8(&length).ok();
        let length_of_all = length_of_all.and_then(|text| usize::from_str_radix(text, 16).ok());
        match length_of_all.ok_or(io::ErrorKind::InvalidData)? {
            0 => break,
            all => line.resize(all.checked_sub(4).ok_or(io::ErrorKind::InvalidData)?, 0),
        }
        git.read_exact(&mut line)?;
        guest.write_all(&length)?;
        guest.write_all(&line)?;
    }
    for (number, oid) in stages.iter().enumerate() {
        let line = format!("{oid} {STAGES}{number}\n");
        write!(guest, "{:04x}{line}", line.len() + 4)?;
    }
    guest.write_all(b"0000")?;
    guest.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_stand_behind_the_branches() {
        let oid = Oid::from_str(&"ab".repeat(20)).unwrap();
        let mut said = Vec::new();
        announce(&[oid], &mut &b"0009first0006xy0000rest"[..], &mut said).unwrap();
        let line = format!("003b{oid} refs/stages/0\n");
        assert_eq!(String::from_utf8(said).unwrap(), format!("0009first0006xy{line}0000"));
        for broken in ["", "0009fir", "0003", "zzzz", "0009first"] {
            assert!(announce(&[oid], &mut broken.as_bytes(), &mut Vec::new()).is_err(), "{broken:?}");
        }
    }
}
