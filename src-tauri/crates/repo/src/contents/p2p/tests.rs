use std::io;

use super::*;

const KEY: &str = "SHA256E-s6--5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03.txt";
const UUID: &str = "51851c86-80d0-4da4-8153-b03795e18344";

/// A server that says what it was told to, whatever it hears.
fn server(lines: &str) -> Result<P2p, ContentsError> {
    let script = format!("AUTH-SUCCESS {UUID}\nVERSION 1\n{lines}");
    let reader = io::Cursor::new(script.into_bytes());
    P2p::connect(Box::new(reader), Box::new(io::sink()), &RepoUuid::parse(UUID).unwrap())
}

fn key() -> Key {
    Key::parse(KEY.as_bytes()).unwrap()
}

fn retrieve(p2p: &mut P2p, tmp: &Path) -> Result<(), ContentsError> {
    p2p.retrieve(&key(), tmp, b"f", &crate::cancel::no_meter, &Cancel::new())
}

#[test]
fn a_server_with_another_uuid_is_not_used() {
    let script = "AUTH-SUCCESS 00000000-aaaa-4da4-8153-b03795e18344\n";
    let reader = Box::new(io::Cursor::new(script));
    let found = P2p::connect(reader, Box::new(io::sink()), &RepoUuid::parse(UUID).unwrap());
    assert!(matches!(found, Err(ContentsError::OtherRepository { .. })));
}

#[test]
fn wrong_content_is_thrown_away() {
    let dir = tempfile::tempdir().unwrap();
    let tmp = dir.path().join("tmp");
    let mut p2p = server("DATA 6\nHELLO\nVALID\n").unwrap();
    assert!(matches!(retrieve(&mut p2p, &tmp), Err(ContentsError::Corrupt { .. })));
    assert!(!tmp.exists());
    assert!(!p2p.is_broken(), "the server kept to the protocol");
}

#[test]
fn more_than_the_key_says_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let mut p2p = server("DATA 99999999999\nhello\nand so on without end").unwrap();
    assert!(matches!(retrieve(&mut p2p, &dir.path().join("tmp")), Err(ContentsError::Corrupt { .. })));
    assert!(p2p.is_broken(), "the rest of the data is in the way");
}

#[test]
fn a_cut_connection_leaves_what_came() {
    let dir = tempfile::tempdir().unwrap();
    let tmp = dir.path().join("tmp");
    let mut p2p = server("DATA 6\nhel").unwrap();
    assert!(matches!(retrieve(&mut p2p, &tmp), Err(ContentsError::Unreachable { .. })));
    assert_eq!(std::fs::read(&tmp).unwrap(), b"hel");
    let mut p2p = server("DATA 3\nlo\nVALID\n").unwrap();
    retrieve(&mut p2p, &tmp).unwrap();
    assert_eq!(std::fs::read(&tmp).unwrap(), b"hello\n");
}

#[test]
fn absence_is_not_damage() {
    let dir = tempfile::tempdir().unwrap();
    let mut p2p = server("DATA 0\nINVALID\nFAILURE\n").unwrap();
    assert!(matches!(retrieve(&mut p2p, &dir.path().join("tmp")), Err(ContentsError::NotPresent { .. })));
    assert!(!p2p.check_present(&key()).unwrap());
}

#[test]
fn nonsense_breaks_the_connection() {
    let long = "x".repeat(MAX_LINE_LEN + 10);
    for line in ["NONSENSE\n", "PUT-FROM 3\n", "no newline", &long] {
        let mut p2p = server(line).unwrap();
        assert!(matches!(p2p.check_present(&key()), Err(ContentsError::Protocol { .. })), "{line:.20}");
        assert!(p2p.is_broken());
        assert!(matches!(p2p.check_present(&key()), Err(ContentsError::Unreachable { .. })));
    }
}
