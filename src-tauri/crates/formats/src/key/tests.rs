use super::*;

const HELLO: &str = "SHA256E-s6--5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03.txt";

fn key(text: &str) -> Key {
    Key::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text} should be a key"))
}

#[test]
fn fields() {
    let k = key("WORM-s1-m1577934245-S2-C3--a--b");
    assert_eq!((k.backend(), k.size(), k.mtime()), (&Backend::Worm, Some(1), Some(1577934245)));
    assert_eq!(k.chunk(), Some(Chunk { size: 2, number: 3 }));
    assert_eq!(k.name(), b"a--b");
    assert_eq!(key("foo---x").name(), b"-x");
    assert_eq!(key(HELLO).digest_hex(), &HELLO.as_bytes()[12..76]);
    assert_eq!(key("SHA256-s1--a.b").digest_hex(), b"a.b");
}

#[test]
fn hash_directories() {
    for (text, mixed, lower) in [
        ("SHA256E-s0--e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "pX/ZJ", "f87/4d5"),
        (HELLO, "mK/4w", "d91/b11"),
        (
            "SHA256E-s1--2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881.tar.gz",
            "X7/9j",
            "07c/6a6",
        ),
        (
            "SHA256E-s1--2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881.JPEG",
            "V1/p9",
            "e19/ecc",
        ),
        ("WORM-s1-m1577934245--a,32b/we,32ird,,%:,38,233.mp3", "84/jP", "04e/2b3"),
        ("URL-s3--http://127.0.0.1:8765/www/f.txt", "3f/vp", "f43/8c3"),
        ("XBLAKE3-s6--8e4c7c1b99dbfd50e7a95185fead5ee1448fa904a2fdd778eaf5f2dbfd629a99", "jp/7V", "33b/b1f"),
        ("GPGHMACSHA1--41c680b6fb440992e50fb05456c3531cd83caa7b", "", "7cf/972"),
    ] {
        let k = key(text);
        assert_eq!(k.hash_dir_lower(), lower, "{text}");
        if !mixed.is_empty() {
            assert_eq!(k.hash_dir_mixed(), mixed, "{text}");
        }
        let chunk = k.chunk_key(1024, 7).unwrap();
        assert_eq!(chunk.hash_dir_mixed(), k.hash_dir_mixed(), "a chunk lies with its whole");
    }
}

#[test]
fn file_names() {
    let url = key("URL-s3--http://127.0.0.1:8765/www/f.txt");
    assert_eq!(url.key_file(), b"URL-s3--http&c%%127.0.0.1&c8765%www%f.txt");
    let all = key("WORM--a&b%c:d/e");
    assert_eq!(all.key_file(), b"WORM--a&ab&sc&cd%e");
    for k in [url, all, key(HELLO)] {
        assert_eq!(Key::from_key_file(&k.key_file()), Some(k));
    }
    for bad in ["WORM--a&", "WORM--a&x", "WORM--a:b", "WORM--a/b", ".", "..", ""] {
        assert_eq!(Key::from_key_file(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn paths() {
    let k = key(HELLO);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    assert_eq!(text(k.log_path()), format!("d91/b11/{HELLO}.log"));
    assert_eq!(text(k.log_path_with(b".log.cnk")), format!("d91/b11/{HELLO}.log.cnk"));
    assert_eq!(text(k.object_path_mixed()), format!("mK/4w/{HELLO}/{HELLO}"));
    assert_eq!(text(k.object_path_lower()), format!("d91/b11/{HELLO}/{HELLO}"));
    assert_eq!(text(k.link_target(0)), format!(".git/annex/objects/mK/4w/{HELLO}/{HELLO}"));
    assert_eq!(text(k.link_target(2)), format!("../../.git/annex/objects/mK/4w/{HELLO}/{HELLO}"));
}

#[test]
fn chunks() {
    let k = key(HELLO);
    let chunk = k.chunk_key(1024, 1).unwrap();
    assert_eq!(chunk.to_string(), HELLO.replace("-s6-", "-s6-S1024-C1-"));
    assert_eq!(Key::parse(chunk.as_bytes()), Some(chunk.clone()));
    assert_eq!(chunk.without_chunk(), k);
    assert_eq!(chunk.chunk_key(1, 1), None);
}

#[test]
fn made_from_names() {
    let worm = Key::worm(1, 1577934245, "a b/we ird,%:&é.mp3".as_bytes());
    assert_eq!(worm.to_string(), "WORM-s1-m1577934245--a,32b/we,32ird,,%:,38,233.mp3");
    let short = Key::url(b"http://127.0.0.1:8765/www/f.txt", Some(3));
    assert_eq!(short.to_string(), "URL-s3--http://127.0.0.1:8765/www/f.txt");
    let long = Key::url(
        b"http://127.0.0.1:8765/".iter().chain(&[b'q'; 60]).copied().collect::<Vec<_>>().as_slice(),
        None,
    );
    assert!(long.to_string().starts_with("URL--http://127.0.0.1:8765/qqqqqqqqq-"));
    assert_eq!(long.name().len(), 31 + 1 + 32);
}

#[test]
fn refuses() {
    for bad in [
        "",
        "--",
        "--x",
        "foo",
        "foo-bar--x",
        "foo-s--x",
        "SHA256-s+6--x",
        "WORM-m-5--x",
        "WORM-s1-m1.5--x",
        "foo-m1-s1--x",
        "foo-C1-S1--x",
        "foo-s1-s1--x",
        "foo-x5--x",
        "a b--x",
        "foo-s18446744073709551616--x",
        "foo-m9223372036854775808--x",
        "foo--a\nb",
        "foo--a\0b",
        "foo--\x7f",
        "SHA256-s06--x",
        "foo-S2--x",
        "foo-C2--x",
        "../x--y",
        "fo%o--x",
    ] {
        assert_eq!(Key::parse(bad.as_bytes()), None, "{bad:?}");
    }
    let extension = |n| format!("SHA256E-s6--x.{}", "1".repeat(n));
    assert!(Key::parse(extension(63).as_bytes()).is_some());
    assert!(Key::parse(extension(64).as_bytes()).is_none());
    assert!(Key::parse(extension(64).replace("SHA256E", "XFOOE").as_bytes()).is_none());
    assert!(Key::parse(extension(64).replace("SHA256E", "SHA256").as_bytes()).is_some());
    let long = |n: usize| format!("WORM--{}", "&".repeat(n));
    assert!(Key::parse(long(124).as_bytes()).is_some(), "254 bytes as a file name");
    assert!(Key::parse(long(125).as_bytes()).is_none(), "256 bytes as a file name");
}
