//! Rules of git-annex's that cannot be read, or that forbid what is asked.

use std::path::Path;

use tributary_testkit::Sandbox;

use crate::member::{Member, bare, git, text};

/// Writes a file of the git-annex branch of a repository, with git alone: git-annex refuses what it cannot read.
fn write_log(sandbox: &Sandbox, repository: &Path, name: &str, content: &str) {
    let script = format!(
        "set -e; blob=$(printf %s \"$2\" | git hash-object -w --stdin)
         export GIT_INDEX_FILE={index}; git read-tree git-annex
         git update-index --add --cacheinfo \"100644,$blob,$1\"
         commit=$(git -c user.name=x -c user.email=x commit-tree -p git-annex -m rules $(git write-tree))
         git update-ref refs/heads/git-annex $commit; git update-ref refs/heads/synced/git-annex $commit",
        index = text(&sandbox.join("index")),
    );
    let mut command = sandbox.command("sh");
    command.current_dir(repository).args(["-c", &script, "sh", name, content]);
    tributary_testkit::run(command).ok();
}

#[test]
fn an_expression_that_cannot_be_read_is_said_and_nothing_new_goes_there() {
    let sandbox = Sandbox::new();
    let (hub, store) = (bare(&sandbox, "hub.git"), sandbox.dir("store"));
    let a = Member::start(&sandbox, "a");
    a.add().remote("hub", &[text(&hub)]).store(&store).write("one", "1").wait();
    let listed = a.node.json(["remote", "list", a.path()]);
    let place = listed.as_array().into_iter().flatten().find(|remote| remote["name"] == "store");
    let uuid = place.and_then(|store| store["uuid"].as_str()).expect("the store has a UUID");
    write_log(
        &sandbox,
        &hub,
        "preferred-content.log",
        &format!("{uuid} include=* and fromthefuture=yes timestamp=9999999999s\n"),
    );
    a.sync();
    let problem = a.one_problem("unreadableRule");
    let sentence = problem["sentence"].as_str().unwrap_or_default();
    assert!(sentence.contains("store") && sentence.contains("fromthefuture"), "{problem:#}");
    a.write("two", "2").wait();
    let places = a.status()["places"].as_array().expect("places").clone();
    let has = places.iter().find(|place| place["name"] == "store").map(|place| place["has"].clone());
    assert_eq!(has, Some(1.into()), "what it has stays, and nothing new is sent: {places:#?}");

    write_log(&sandbox, &hub, "preferred-content.log", &format!("{uuid} include=* timestamp=99999999999s\n"));
    a.sync();
    a.no_problem("unreadableRule");
    a.wait();
    assert_eq!(a.status()["places"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_drop_that_an_attribute_forbids_is_refused() {
    let sandbox = Sandbox::new();
    let store = sandbox.dir("store");
    let a = Member::start(&sandbox, "a");
    a.add().store(&store);
    a.write(".gitattributes", "*.important annex.numcopies=2\n");
    a.write("plain", "1").write("deed.important", "2").wait();
    a.run(["drop", text(&a.dir.join("plain"))]);
    assert_eq!(a.read("plain"), None, "one copy elsewhere is enough for it");
    let refused = a.node.trib(["drop", text(&a.dir.join("deed.important"))]);
    assert_eq!(refused.code(), Some(1), "{refused}");
    assert!(refused.stderr().contains("deed.important stays here"), "{refused}");
    assert_eq!(a.read("deed.important").as_deref(), Some("2"));

    // The same content under a name that asks for less is the same content.
    a.write("copy", "2").wait();
    let refused = a.node.trib(["drop", text(&a.dir.join("copy"))]);
    assert_eq!(refused.code(), Some(1), "the strictest of its names counts: {refused}");
    a.run(["get", text(&a.dir.join("plain"))]);
    a.wait();
    assert_eq!(a.read("plain").as_deref(), Some("1"));
    assert!(git(&sandbox, &a.dir, &["status", "--short"]).is_empty());
}
