//! Plain git with our own filter, on a machine where git-annex is not installed; then git-annex as judge.

// Clippy lets tests unwrap, but not the functions that tests are made of.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File, OpenOptions};
use std::io::{Write, stdin};
use std::path::{Path, PathBuf};

use tributary_formats::key::Key;
use tributary_repo::Repository;
use tributary_repo::filter::filter_process;
use tributary_repo::repository::Setup;
use tributary_testkit::{Annex, Sandbox, annex_versions, run};

/// Set where git starts the filter.
const STARTED_BY_GIT: &str = "TRIBUTARY_TEST_FILTER";

/// The filter as git starts it: this very program, whose own output goes to nowhere and the filter's to descriptor 3.
#[test]
#[ignore = "is started by git"]
fn serve_git() {
    if std::env::var_os(STARTED_BY_GIT).is_none() {
        return;
    }
    let repo = Repository::open_remote(&std::env::current_dir().unwrap()).unwrap();
    let mut to_git = OpenOptions::new().write(true).open("/proc/self/fd/3").unwrap();
    filter_process(&repo, &mut stdin().lock(), &mut to_git).unwrap();
}

struct Folder {
    sandbox: Sandbox,
    dir: PathBuf,
    repo: Repository,
}

impl Folder {
    fn new() -> Folder {
        let mut sandbox = Sandbox::new();
        sandbox.set(STARTED_BY_GIT, "1");
        let dir = sandbox.join("folder");
        let us = std::env::current_exe().unwrap();
        let command = format!("exec 3>&1 >/dev/null; exec '{}' --exact serve_git --ignored", us.display());
        let setup =
            Setup { description: "here".into(), filter_process: Some(command), look_for_git_annex: false };
        let repo = Repository::create(&dir, &setup).unwrap();
        Folder { sandbox, dir, repo }
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.dir.join(name).parent().unwrap()).unwrap();
        fs::write(self.dir.join(name), content).unwrap();
    }

    fn git(&self, args: &[&str]) -> String {
        let mut command = self.sandbox.command("git");
        command.current_dir(&self.dir).args(args);
        run(command).text()
    }

    fn fails(&self, args: &[&str]) -> String {
        let mut command = self.sandbox.command("git");
        command.current_dir(&self.dir).args(args);
        let finished = run(command);
        assert!(!finished.success(), "git {args:?} must fail");
        finished.to_string()
    }

    /// Makes git look at the content again.
    fn touch(&self, name: &str) {
        let file = File::options().append(true).open(self.dir.join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(5)).unwrap();
    }

    fn pointer(&self, name: &str) -> Option<Key> {
        let blob = self.git(&["cat-file", "blob", &format!(":{name}")]);
        tributary_formats::pointer::parse_pointer(blob.as_bytes()).key()
    }
}

#[test]
fn plain_git_puts_pointers_into_git_and_contents_into_the_annex() {
    let folder = Folder::new();
    let big: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    folder.write("big", &big);
    for name in ["one.txt", "with space", "sub/ünï", "line\nbreak", "-dash", ".hidden"] {
        folder.write(name, format!("content of {name}"));
    }
    folder.write(".gitignore", "*.tmp\n");
    folder.write("ignored.tmp", "");
    folder.git(&["add", "."]);
    folder.git(&["commit", "-q", "-m", "by hand"]);
    let key = folder.pointer("one.txt").expect("a pointer is in git");
    assert!(key.to_string().ends_with(".txt"));
    assert_eq!(folder.pointer(".gitignore"), None, "git itself reads that one");
    let stored = folder.repo.store().locate(&folder.pointer("big").unwrap()).unwrap();
    assert_eq!(fs::read(stored).unwrap(), big);
    assert_eq!(fs::read(folder.dir.join("big")).unwrap(), big, "the file stays as it is");
    let log = folder.repo.annex_branch().location_log(&key).unwrap();
    assert!(log.is_present(folder.repo.uuid()), "it is on record");

    assert_eq!(folder.git(&["status", "--short"]), "");
    for name in ["big", "one.txt", ".gitignore"] {
        folder.touch(name);
    }
    assert_eq!(folder.git(&["status", "--short"]), "", "read again, found the same");
    folder.write("one.txt", "changed");
    assert_eq!(folder.git(&["status", "--short"]), " M one.txt");
    folder.git(&["commit", "-q", "-a", "-m", "changed"]);
    assert_ne!(folder.pointer("one.txt").unwrap(), key);

    folder.git(&["checkout", "-q", "HEAD~1"]);
    let pointer = fs::read(folder.dir.join("one.txt")).unwrap();
    assert_eq!(
        tributary_formats::pointer::parse_pointer(&pointer).key(),
        Some(key),
        "filled by the engine later"
    );
    assert_eq!(folder.git(&["status", "--short"]), "");
    folder.git(&["checkout", "-q", "master"]);

    for version in annex_versions() {
        let annex = Annex::new(&version);
        let setup = Setup { description: String::new(), filter_process: None, look_for_git_annex: true };
        Repository::adopt(&folder.dir, &setup).unwrap();
        annex.annex(&folder.dir, ["fsck", "--quiet"]);
        assert_eq!(annex.judge(&folder.dir).check(), 7);
        assert_eq!(fs::read_to_string(folder.dir.join("one.txt")).unwrap(), "changed");
    }
}

#[test]
fn a_key_stays_when_the_content_does() {
    let folder = Folder::new();
    folder.write("a.txt", "content");
    folder.git(&["add", "."]);
    folder.git(&["commit", "-q", "-m", "a"]);
    let key = folder.pointer("a.txt").unwrap();
    folder.git(&["mv", "a.txt", "a.md"]);
    folder.touch("a.md");
    assert_eq!(folder.git(&["status", "--short"]), "R  a.txt -> a.md");
    folder.git(&["add", "a.md"]);
    assert_eq!(folder.pointer("a.md"), Some(key), "another extension makes no other key of what is annexed");
}

#[test]
fn without_rules_git_add_annexes_only_what_is_annexed() {
    let folder = Folder::new();
    folder.git(&["config", "annex.largefiles", "largerthan=10b"]);
    folder.write("small", "in git");
    folder.write("large", "more than ten bytes");
    folder.git(&["add", "."]);
    assert_eq!((folder.pointer("small"), folder.pointer("large").is_some()), (None, true));
    folder.git(&["commit", "-q", "-m", "both"]);
    folder.git(&["config", "annex.largefiles", "anything"]);
    folder.touch("small");
    assert_eq!(folder.git(&["status", "--short"]), "", "a file that is in git stays there until it changes");
    folder.write("small", "changed");
    folder.git(&["add", "small"]);
    assert!(folder.pointer("small").is_some());
}

#[test]
fn data_behind_a_pointer_is_refused() {
    let folder = Folder::new();
    folder.write("f", "content");
    folder.git(&["add", "f"]);
    let pointer = folder.git(&["cat-file", "blob", ":f"]);
    folder.write("g", format!("{pointer}\n"));
    folder.git(&["add", "g"]);
    assert_eq!(folder.pointer("g"), folder.pointer("f"), "a pointer is no content");
    let mut file = OpenOptions::new().append(true).open(folder.dir.join("g")).unwrap();
    file.write_all(b"appended by a program that took the pointer for the file\n").unwrap();
    folder.fails(&["add", "g"]);
    assert_eq!(folder.pointer("g"), folder.pointer("f"), "the index is as it was");
}

#[test]
fn a_filter_that_is_missing_blocks_git_instead_of_letting_contents_in() {
    let folder = Folder::new();
    folder.git(&["config", "filter.annex.process", "/nonexistent/trib filter-process"]);
    folder.write("f", "content");
    folder.fails(&["add", "f"]);
    assert_eq!(folder.git(&["ls-files"]), "");
    assert!(Path::new(&folder.dir).join("f").exists());
}
