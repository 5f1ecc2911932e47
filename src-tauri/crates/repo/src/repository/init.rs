//! Repositories made new, and git repositories turned into git-annex repositories.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use git2::RepositoryInitOptions;
use tributary_formats::branches::BRANCH_UPDATE;
use tributary_formats::uuid::RepoUuid;

use super::{ANNEX_VERSION, CreateError, OpenError, Repository, checks, filter_lines, hooks};
use crate::annex_branch::LogChange;
use crate::object_batch::{ObjectBatch, WriteError};
use crate::stat::FileStat;

/// What a new folder publishes in config.log for all its clones: plain files, dotfiles as all others, and only those
/// files in git that git itself reads.
pub(crate) const NEW_FOLDER_CONFIG: [(&str, &str); 3] = [
    ("annex.addunlocked", "true"),
    ("annex.dotfiles", "true"),
    (
        "annex.largefiles",
        "exclude=.gitignore and exclude=*/.gitignore and exclude=.gitattributes and exclude=*/.gitattributes",
    ),
];

/// What a new repository is told about itself.
#[derive(Debug, Clone)]
pub struct Setup {
    /// How uuid.log describes it, such as `anna's laptop`. A newline is escaped.
    pub description: String,
    /// Command line of our own `filter.annex.process`, used where no git-annex is on PATH.
    /// None: then no filter is configured, since a missing filter program would put whole files into git.
    pub filter_process: Option<String>,
    /// Whether to look for git-annex on PATH: false in tests that must not depend on it.
    pub look_for_git_annex: bool,
}

impl Repository {
    /// Makes `path` (made when missing, its files left alone) a new git-annex repository: branch `master` with an
    /// empty first commit, a fresh UUID, and the defaults of a new folder in config.log.
    ///
    /// # Errors
    /// [`CreateError::AlreadyRepository`] when there is one.
    pub fn create(path: &Path, setup: &Setup) -> Result<Repository, CreateError> {
        Repository::create_on(path, "master", setup)
    }

    /// As [`create`](Self::create), on a branch of this name: that of the folder that it is to become a copy of.
    ///
    /// # Errors
    /// As there; a name that is none is git's to refuse.
    pub fn create_on(path: &Path, branch: &str, setup: &Setup) -> Result<Repository, CreateError> {
        let repo = Repository::init_git(path, branch)?;
        repo.first_commit(branch)?;
        let config = NEW_FOLDER_CONFIG
            .map(|(name, value)| LogChange::Config { name: name.into(), value: value.into() });
        repo.finish_init(setup, config.to_vec())?;
        Ok(repo)
    }

    /// Makes `path` (made when missing) a git repository without any commit, to fetch a folder into. It becomes a
    /// git-annex repository by [`Repository::init_annex`], after the fetch: its git-annex branch then starts at that of
    /// the folder, whatever transitions that went through.
    ///
    /// # Errors
    /// [`CreateError::AlreadyRepository`] when there is one.
    pub fn init_to_fetch(path: &Path) -> Result<(), CreateError> {
        Repository::init_git(path, "master").map(drop)
    }

    /// Opens what [`Repository::init_to_fetch`] made.
    ///
    /// # Errors
    /// [`OpenError`] when it is not there.
    pub fn open_to_fetch(path: &Path) -> Result<git2::Repository, OpenError> {
        checks::open_git(path)
    }

    /// Makes the git repository or clone at `path` a git-annex repository: fresh UUID, filter, attributes,
    /// and its line in uuid.log. History and work tree are left alone. One that is annexed already is opened as it is.
    ///
    /// # Errors
    /// [`CreateError::Open`] for one that could not be used afterwards.
    pub fn init_annex(path: &Path, setup: &Setup) -> Result<Repository, CreateError> {
        match Repository::open(path) {
            Err(OpenError::NotAnnexed { .. }) => {}
            annexed => {
                annexed?;
                return Repository::adopt(path, setup);
            }
        }
        let git = checks::open_git(path)?;
        checks::checked_out(&git)?;
        checks::not_tuned(&git)?;
        let repo = Repository::from_parts(git, fresh_uuid());
        repo.finish_init(setup, Vec::new())?;
        Ok(repo)
    }

    /// Opens the repository that is there as it is, and repairs what a git-annex repository needs to be used from
    /// plain git: a filter program that exists, the sentinal. Its branch, rules and mode of files stay.
    ///
    /// # Errors
    /// [`CreateError::Open`] for one that cannot be used.
    pub fn adopt(path: &Path, setup: &Setup) -> Result<Repository, CreateError> {
        let repo = Repository::open(path)?;
        repo.prepare_git_dir(setup)?;
        Ok(repo)
    }

    /// A git repository without any commit where there was none; its UUID is not configured yet.
    fn init_git(path: &Path, branch: &str) -> Result<Repository, CreateError> {
        fs::create_dir_all(path).map_err(at(path))?;
        if path.join(".git").symlink_metadata().is_ok() {
            return Err(CreateError::AlreadyRepository { path: path.to_owned() });
        }
        outside_annexed(path)?;
        let mut options = RepositoryInitOptions::new();
        options.initial_head(branch).external_template(false).no_reinit(true);
        let git = git2::Repository::init_opts(path, &options)?;
        Ok(Repository::from_parts(git, fresh_uuid()))
    }

    /// An empty commit that no other folder has: its message names the first repository, so that two folders made in
    /// the same second by the same person have nothing in common.
    fn first_commit(&self, branch: &str) -> Result<(), CreateError> {
        let mut batch = ObjectBatch::new();
        let tree = batch.tree(Vec::new())?;
        let message = format!("new folder\n\nFirst repository: {}\n", self.uuid);
        let who = self.author();
        let commit = batch.commit(tree, &[], &who, &who, message.as_bytes())?;
        batch.write_durably(&self.git).map_err(from_write)?;
        self.git.reference(&format!("refs/heads/{branch}"), commit, false, "new folder")?;
        Ok(())
    }

    /// Everything that makes a git repository an annexed one. The UUID is configured last, so that one that was
    /// interrupted is still a plain git repository and can be initialised again.
    fn finish_init(&self, setup: &Setup, mut changes: Vec<LogChange>) -> Result<(), CreateError> {
        self.prepare_git_dir(setup)?;
        let branch = self.annex_branch();
        changes
            .push(LogChange::Description { uuid: self.uuid.clone(), description: setup.description.clone() });
        branch.update(&changes, now(), BRANCH_UPDATE)?;
        self.git_config_set("annex.version", ANNEX_VERSION)?;
        self.git_config_set("annex.uuid", self.uuid.as_str())?;
        Ok(())
    }

    fn prepare_git_dir(&self, setup: &Setup) -> Result<(), CreateError> {
        let annex = self.annex_dir();
        for dir in ["journal", "othertmp", "tmp", "objects"] {
            fs::create_dir_all(annex.join(dir)).map_err(at(&annex))?;
        }
        write_sentinal(&annex).map_err(at(&annex))?;
        if self.is_bare() {
            return Ok(());
        }
        let git_annex = setup.look_for_git_annex && filter_lines::is_on_path("git-annex");
        filter_lines::configure(&self.git, git_annex, setup.filter_process.as_deref())?;
        filter_lines::add_attribute(&self.git_dir).map_err(at(&self.git_dir))?;
        if git_annex {
            hooks::install(&self.git_dir).map_err(at(&self.git_dir))?;
        }
        Ok(())
    }

    /// Makes the bare repository a git-annex repository; see [`crate::bare::init_contents`].
    pub(crate) fn init_bare(git: git2::Repository, description: &str) -> Result<Repository, CreateError> {
        let repo = Repository::from_parts(git, fresh_uuid());
        let setup =
            Setup { description: description.to_owned(), filter_process: None, look_for_git_annex: false };
        repo.finish_init(&setup, Vec::new())?;
        Ok(repo)
    }
}

/// A folder inside another git-annex repository would be synced twice, and its `.git` never.
fn outside_annexed(path: &Path) -> Result<(), CreateError> {
    let Ok(around) = git2::Repository::discover(path) else { return Ok(()) };
    let annexed = around.config().and_then(|config| config.get_string("annex.uuid")).is_ok();
    match around.workdir() {
        Some(outer) if annexed => {
            Err(CreateError::InsideRepository { path: path.to_owned(), outer: outer.components().collect() })
        }
        _ => Ok(()),
    }
}

/// An empty file by whose inode git-annex notices that a repository was copied, and that file's stat data.
fn write_sentinal(annex: &Path) -> io::Result<()> {
    let (file, cache) = (annex.join("sentinal"), annex.join("sentinal.cache"));
    if cache.exists() && file.exists() {
        return Ok(());
    }
    OpenOptions::new().append(true).create(true).open(&file)?;
    let stat = FileStat::from(&file.symlink_metadata()?);
    fs::write(cache, stat.inode_cache())
}

fn fresh_uuid() -> RepoUuid {
    RepoUuid::parse(&uuid::Uuid::new_v4().to_string()).expect("a random UUID is a repository's UUID")
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn at(path: &Path) -> impl Fn(io::Error) -> CreateError {
    let path: PathBuf = path.to_owned();
    move |source| CreateError::Io { path: path.clone(), source }
}

fn from_write(error: WriteError) -> CreateError {
    CreateError::AnnexBranch(error.into())
}
