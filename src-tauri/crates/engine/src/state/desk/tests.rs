use tributary_repo::commit::{self, TreeChange};
use tributary_repo::object_batch::ObjectBatch;
use tributary_repo::repository::Setup;

use super::*;

struct Scene {
    desk: Desk,
    _dir: tempfile::TempDir,
}

fn key(n: u32) -> Key {
    Key::parse(format!("SHA256-s{n}--{n:064x}").as_bytes()).expect("a good key")
}

fn path(name: &str) -> TreePath {
    TreePath::new(name).expect("a good path")
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let setup = Setup { description: "test".into(), filter_process: None, look_for_git_annex: false };
        Repository::create(dir.path(), &setup).expect("a new repository");
        Self { desk: Desk::open(dir.path()).expect("the desk opens"), _dir: dir }
    }

    /// Merges a commit that others made.
    fn merge(&mut self, changes: &[(&str, Option<Key>)]) {
        let desk = &mut self.desk;
        let mut batch = ObjectBatch::new();
        let changes: Vec<_> = changes
            .iter()
            .map(|(name, key)| TreeChange {
                path: path(name),
                entry: key
                    .as_ref()
                    .map(|key| commit::pointer_entry(&mut batch, key, false).expect("a pointer")),
            })
            .collect();
        let author = desk.repo.author();
        let made =
            commit::commit_changes(desk.repo.git(), &mut batch, desk.head, &changes, "theirs", &author);
        let made = made.expect("a commit").expect("something changed");
        let (deltas, _) = desk.follow(made.commit).expect("the ledger follows");
        desk.arrive(&deltas).expect("the index follows");
    }

    /// Places the version that is merged, as the applier does.
    fn place(&mut self, name: &str, content: &str) {
        let desk = &mut self.desk;
        let file = desk.repo.work_dir().join(name);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("mkdir");
        std::fs::write(&file, content).expect("write");
        let entry = desk.index.get(name.as_bytes()).expect("it is merged").entry;
        let stat = desk.work.stat(&path(name)).expect("stat").expect("it stands there");
        desk.index.set(name.as_bytes(), IndexEntry::placed(entry, &stat));
        desk.ledger.settle([&path(name)]).expect("the row goes");
    }
}

#[test]
fn a_file_that_others_moved_is_offered_under_its_new_name() {
    let mut scene = Scene::new();
    scene.merge(&[("old/x", Some(key(1)))]);
    scene.place("old/x", "1");
    scene.merge(&[("old/x", None), ("new/x", Some(key(1)))]);
    let offered = scene.desk.ledger.leaving(&key(1)).expect("the ledger answers");
    assert_eq!(offered.map(|(from, _)| from), Some(path("old/x")));
}

#[test]
fn an_old_version_is_not_offered_as_the_new_one_that_others_edited_and_moved() {
    let mut scene = Scene::new();
    scene.merge(&[("old/x", Some(key(1)))]);
    scene.place("old/x", "1");
    // Edited in one commit, moved in the next, and nothing placed in between: version 1 still stands.
    scene.merge(&[("old/x", Some(key(2)))]);
    scene.merge(&[("old/x", None), ("new/x", Some(key(2)))]);
    let row = scene.desk.ledger.standing(&path("old/x")).expect("the ledger answers");
    assert!(row.is_some_and(|row| row.known.is_some()), "what stands there is known, to be removed");
    let offered = scene.desk.ledger.leaving(&key(2)).expect("the ledger answers");
    assert_eq!(offered, None, "what stands there is not version 2");
}
