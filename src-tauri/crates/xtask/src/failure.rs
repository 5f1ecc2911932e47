//! Why a command of xtask stopped, as one sentence for the person who called it.

use std::error::Error;
use std::fmt;

/// The outcome of a step.
pub type Result<T> = std::result::Result<T, Failure>;

/// What was being tried, why it failed, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    what: String,
    hint: Option<String>,
    usage: bool,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure without a deeper cause.
    pub fn new(what: impl Into<String>) -> Self {
        Failure { what: what.into(), hint: None, usage: false, source: None }
    }

    /// The command line was wrong: the usage is shown with it.
    pub fn usage(what: impl Into<String>) -> Self {
        Failure { usage: true, ..Failure::new(what) }
    }

    /// Adds what the person can do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether the command line was wrong.
    pub fn is_usage(&self) -> bool {
        self.usage
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        match &self.hint {
            Some(hint) => write!(f, "\n  {hint}"),
            None => Ok(()),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Says what was being tried when something failed.
pub trait Context<T> {
    /// Wraps the error; `what` completes "could not …" or stands as a sentence of its own.
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Error + Send + Sync + 'static> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Failure { source: Some(Box::new(error)), ..Failure::new(what()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_its_causes_and_then_the_hint() {
        let missing = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
        let failure = Err::<(), _>(missing).context(|| "could not read x".into()).unwrap_err().hint("make x");
        assert_eq!(failure.to_string(), "could not read x: no such file\n  make x");
    }
}
