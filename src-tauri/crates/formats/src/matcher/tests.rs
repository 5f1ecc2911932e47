use super::*;

struct File(TreePath, u64);

impl Facts for File {
    fn path(&self) -> Option<&TreePath> {
        Some(&self.0)
    }
    fn size(&self) -> Option<u64> {
        Some(self.1)
    }
    fn mime_type(&self) -> Option<&str> {
        Some("text/plain")
    }
    fn mime_encoding(&self) -> Option<&str> {
        Some("us-ascii")
    }
}

/// As `git annex matchexpression --largefiles --file=dir/a.txt --size=1500 --mimetype=text/plain
/// --mimeencoding=us-ascii` answers, 10.20230126 and 10.20261026.
#[test]
fn of_files() {
    let file = File(TreePath::new("dir/a.txt").unwrap(), 1500);
    let matches = |text| parse(text, Vocabulary::LargeFiles).unwrap().matches_file(&file);
    for yes in [
        "anything",
        "nothing and nothing or anything",
        "anything or (anything and nothing)",
        "not nothing or anything",
        "not anything or anything",
        "not not anything",
        "include=*.txt",
        "include=dir/[a-c].txt",
        "mimetype=text/*",
        "largerthan=1k",
        "largerthan=1499",
        "smallerthan=1501",
        "(",
        ")",
        "(anything",
        "anything)",
        "",
        "()",
        "and",
        "anything and",
        "and anything",
        "anything or",
        "or nothing",
        "not(nothing)",
        "not (nothing",
        "nothing or )anything",
        "  anything\tand\nanything",
    ] {
        assert!(matches(yes), "{yes:?} should match");
    }
    for no in [
        "nothing",
        "anything or anything and nothing",
        "anything nothing",
        "include=*.TXT",
        "include=a.txt",
        "mimetype=TEXT/*",
        "mimeencoding=binary",
        "largerthan=1500",
        "smallerthan=1500",
        "not",
        "not and anything",
        "anything not",
        "include=",
        "include",
        "include=a=b",
        "(anything or anything)and nothing",
        "anything and and nothing",
        "() and nothing",
    ] {
        assert!(!matches(no), "{no:?} should not match");
    }
}

#[test]
fn what_cannot_be_read() {
    let read = |text: &str| parse(text, Vocabulary::LargeFiles).unwrap_err();
    for unknown in ["copies=1", "foo", "NOT", "anything=5", "present"] {
        assert_eq!(read(unknown), ParseError::UnknownTerm(unknown.into()));
    }
    for bad in ["largerthan=", "largerthan=1x", "include=[a"] {
        assert_eq!(read(bad), ParseError::BadValue(bad.into()));
    }
    assert_eq!(read("largerthan=1 kb"), ParseError::UnknownTerm("kb".into()));
    assert_eq!(read(&"(".repeat(101)), ParseError::TooLarge);
    assert_eq!(read(&" ".repeat(70_000)), ParseError::TooLarge);
    let long = "nothing or ".repeat(5_000) + "anything";
    let file = File(TreePath::new("a").unwrap(), 0);
    assert!(parse(&long, Vocabulary::LargeFiles).unwrap().matches_file(&file));
    assert!(parse(&"not ".repeat(10_000), Vocabulary::LargeFiles).is_ok());
}

struct Content {
    key: Key,
    copies: Vec<RepoUuid>,
}

impl Facts for Content {
    fn key(&self) -> Option<&Key> {
        Some(&self.key)
    }
    fn copies(&self) -> &[RepoUuid] {
        &self.copies
    }
    fn trust(&self, uuid: &RepoUuid) -> Trust {
        Trust::named(uuid.as_str()).unwrap_or_default()
    }
    fn metadata(&self, field: &str) -> Vec<Vec<u8>> {
        match field {
            "n" => vec![b"10".to_vec()],
            "t" => vec![b"abc".to_vec()],
            _ => vec![],
        }
    }
}

#[test]
fn of_contents() {
    let here = RepoUuid::parse("trusted").unwrap();
    let untrusted = RepoUuid::parse("untrusted").unwrap();
    let content = Content {
        key: Key::parse(b"URL--http://127.0.0.1:9/x").unwrap(),
        copies: vec![here.clone(), untrusted],
    };
    let asked = Asked { repository: Some(&here), as_if_gone: false };
    let matches = |text| parse(text, Vocabulary::PreferredContent).unwrap().matches(&content, asked);
    for yes in [
        "copies=2",
        "copies=trusted:1",
        "copies=semitrusted+:1",
        "copies=untrusted+:2",
        "lackingcopies=0",
        "approxlackingcopies=0",
        "inbackend=URL",
        "smallerthan=5",
        "inallgroup=nobody",
        "present",
        "metadata=n=10",
        "metadata=n=1?",
        "metadata=n<11",
        "metadata=n>9",
        "metadata=n<=10",
        "metadata=n>=10",
        "metadata=t=ABC",
        "metadata=t<b",
        "metadata=n<abc",
        "metadata=t>=ABC",
        "exclude=*",
    ] {
        assert!(matches(yes), "{yes} should match");
    }
    for no in [
        "copies=3",
        "copies=trusted:2",
        "copies=semitrusted:1",
        "copies=semitrusted+:2",
        "copies=nobody:1",
        "lackingcopies=1",
        "inbackend=url",
        "securehash",
        "largerthan=5",
        "onlyingroup=nobody",
        "metadata=n<9",
        "metadata=none<5",
        "metadata=t>b",
        "metadata=n>=abc",
        "include=*",
        "inpreferreddir",
        "url=*",
        "unused",
        "metadata=n",
    ] {
        assert!(!matches(no), "{no} should not match");
    }
    for bad in ["copies=x", "copies=-1", "copies=a:b", "copies=1:2:3", "lackingcopies=x", "metadata==x"] {
        let error = parse(bad, Vocabulary::PreferredContent).unwrap_err();
        assert_eq!(error, ParseError::BadValue(bad.into()));
    }
}
