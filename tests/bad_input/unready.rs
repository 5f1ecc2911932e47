//! Git remotes that carry only names when they are added, and hold contents later: nobody has to add them again.

use tributary_testkit::{Node, Sandbox, Sshd, eventually, need_all, run};

use crate::member::{LIMIT, Member, bare, git, text, trib};

#[test]
fn a_repository_that_is_made_to_hold_contents_later() {
    let sandbox = Sandbox::new();
    let hub = bare(&sandbox, "hub.git");
    let (a, b) = (Member::start(&sandbox, "a"), Member::start(&sandbox, "b"));
    a.add().remote("hub", &[text(&hub)]).write("before", "1").wait();
    assert_eq!(a.status()["places"][0]["kind"], "git", "it carries names only");

    b.clone_from(&hub).remote("origin", &[text(&hub), "--contents"]);
    a.sync();
    eventually(LIMIT, "A knows that it holds contents", || {
        (a.status()["places"][0]["kind"] == "gitWithContents").then_some(())
    });
    a.write("after", "2").wait();
    b.fetches(&a.files());
}

#[test]
fn a_server_that_gets_git_annex_later() {
    if !need_all(&[&["git-annex", "git-annex-shell"], Sshd::NEEDS].concat()) {
        return;
    }
    let sandbox = Sandbox::new();
    let hub = bare(&sandbox, "hub.git");
    let sshd = Sshd::start(&sandbox.join("sshd"));
    let start = |name: &str| {
        let home = sandbox.join(name).join("home");
        let node = Node::builder(trib(), &home).adjust(|machine| sshd.configure(machine)).start();
        Member { node, dir: sandbox.join(name).join("folder") }
    };
    let (a, b) = (start("a"), start("b"));
    a.add().remote("hub", &[&sshd.url(&hub)]).write("before", "1").wait();
    assert_eq!(git(&sandbox, &hub, &["config", "--default", "", "annex.uuid"]), "", "it has no UUID yet");
    b.run(["clone", &sshd.url(&hub), b.path()]);
    // git-annex-shell would do it, now that there is a git-annex branch, when it is asked in the usual way.
    assert_eq!(
        git(&sandbox, &hub, &["config", "--default", "", "annex.uuid"]),
        "",
        "asking initialises nothing"
    );
    // Its owner does.
    let mut init = sandbox.command("git-annex");
    init.current_dir(&hub).args(["init", "server"]);
    run(init).ok();
    a.sync();
    b.fetches(&a.files());
    assert_eq!(a.status()["places"][0]["kind"], "gitWithContents", "A knows that it holds contents");
}
