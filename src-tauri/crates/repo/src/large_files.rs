//! Annex or git? And with which backend, and unlocked or not: the rules for files that are added.
//!
//! Each rule is looked for in the git configuration, then in `.gitattributes`, then in config.log. Source:
//! `annex-format` 7.2. What an expression asks of a file's MIME type is not known here and matches nothing.

use tributary_formats::backend::Backend;
use tributary_formats::hasher::KeyHasher;
use tributary_formats::logs::MapLog;
use tributary_formats::matcher::{self, Expression, Facts, ParseError, Vocabulary};
use tributary_formats::tree_path::TreePath;

use crate::annex_branch::ReadError;
use crate::attributes::AnnexAttributes;
use crate::repository::Repository;

/// The rules of one repository, read once: take them again when config.log or the git configuration changed.
/// So are the directories that have `.gitattributes`.
pub struct AddRules<'r> {
    attributes: AnnexAttributes<'r>,
    dotfiles: bool,
    /// `annex.largefiles` of the git configuration, which goes before the attribute.
    large_here: Option<Rule>,
    /// `annex.largefiles` of config.log.
    large_everywhere: Option<Rule>,
    unlocked: Option<Rule>,
    backend: Backend,
}

/// What a rule may ask about the file.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Where it is.
    pub path: &'a TreePath,
    /// Bytes.
    pub size: u64,
}

impl Facts for Candidate<'_> {
    fn path(&self) -> Option<&TreePath> {
        Some(self.path)
    }

    fn size(&self) -> Option<u64> {
        Some(self.size)
    }
}

/// An expression, or why it is none.
struct Rule(Result<Expression, ParseError>);

impl<'r> AddRules<'r> {
    /// Reads the rules.
    pub fn load(repo: &'r Repository) -> Result<AddRules<'r>, ReadError> {
        let config = MapLog::parse(&repo.annex_branch().read(b"config.log")?);
        let here = |name: &str| repo.git_config_get(name);
        let everywhere =
            |name: &str| config.get_text(name).filter(|value| !value.is_empty()).map(str::to_owned);
        let dotfiles = repo
            .git_config_bool("annex.dotfiles")
            .unwrap_or_else(|| everywhere("annex.dotfiles").is_some_and(|value| is_true(&value)));
        let backend = here("annex.backend").and_then(|name| makeable(name.split_whitespace().next()?));
        Ok(AddRules {
            attributes: AnnexAttributes::of(repo),
            dotfiles,
            large_here: here("annex.largefiles").map(|text| Rule::parse(&text)),
            large_everywhere: everywhere("annex.largefiles").map(|text| Rule::parse(&text)),
            unlocked: here("annex.addunlocked")
                .or_else(|| everywhere("annex.addunlocked"))
                .map(|text| Rule::parse(&text)),
            backend: backend.unwrap_or(Backend::SHA256E),
        })
    }

    /// Whether the file's content goes to the annex; otherwise it goes into git. Without any rule all but dotfiles
    /// goes to the annex, as `git annex add` has it.
    pub fn is_large(&self, file: Candidate<'_>) -> bool {
        self.by_rule(file).unwrap_or_else(|| !self.is_kept_dotfile(file.path))
    }

    /// As [`AddRules::is_large`], but None when no rule says anything: then plain `git add` takes a new file into git.
    pub fn by_rule(&self, file: Candidate<'_>) -> Option<bool> {
        let attribute = match &self.large_here {
            Some(_) => None,
            None => self.attributes.get(file.path, "annex.largefiles").map(|text| Rule::parse(&text)),
        };
        let rule = self.large_here.as_ref().or(attribute.as_ref()).or(self.large_everywhere.as_ref())?;
        Some(!self.is_kept_dotfile(file.path) && rule.matches(file))
    }

    /// The backend for the file: its `annex.backend` attribute, else the configured one, else SHA256E. One whose keys
    /// cannot be made here is passed over.
    pub fn backend_for(&self, path: &TreePath) -> Backend {
        let attribute = self.attributes.get(path, "annex.backend").and_then(|name| makeable(&name));
        attribute.unwrap_or_else(|| self.backend.clone())
    }

    /// Whether the file is added unlocked, as a plain file. Without a rule it is, as git-annex's assistant has it.
    pub fn add_unlocked(&self, file: Candidate<'_>) -> bool {
        self.unlocked.as_ref().is_none_or(|rule| rule.matches(file))
    }

    /// Why one of the rules cannot be read. Then it is taken to match everything: content in the annex, in a plain
    /// file, can still be moved to git, not the other way round.
    pub fn unreadable_rule(&self) -> Option<&ParseError> {
        let rules = [&self.large_here, &self.large_everywhere, &self.unlocked];
        rules.into_iter().flatten().find_map(|rule| rule.0.as_ref().err())
    }

    /// A dotfile, or a file below a dot directory, that belongs into git.
    fn is_kept_dotfile(&self, path: &TreePath) -> bool {
        !self.dotfiles && path.components().any(|name| name.starts_with(b"."))
    }
}

impl Rule {
    fn parse(text: &str) -> Rule {
        match text.trim() {
            // A plain yes or no, which `annex.addunlocked` may be.
            text if is_true(text) => Rule(matcher::parse("anything", Vocabulary::LargeFiles)),
            text if is_false(text) => Rule(matcher::parse("nothing", Vocabulary::LargeFiles)),
            text => Rule(matcher::parse(text, Vocabulary::LargeFiles)),
        }
    }

    fn matches(&self, file: Candidate<'_>) -> bool {
        self.0.as_ref().map_or(true, |expression| expression.matches_file(&file))
    }
}

fn is_true(text: &str) -> bool {
    ["true", "yes", "on", "1"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn is_false(text: &str) -> bool {
    ["false", "no", "off", "0"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// The backend, if its keys can be made here.
fn makeable(name: &str) -> Option<Backend> {
    Backend::parse(name).filter(|backend| KeyHasher::new(backend).is_some() || *backend == Backend::Worm)
}
