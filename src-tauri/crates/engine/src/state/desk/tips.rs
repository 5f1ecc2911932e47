//! Tips: where our branches are, and where the planner believes them to be.

use tributary_repo::Oid;

use super::{Desk, DeskError, Result};

/// The branch and the git-annex branch.
pub type Tips = (Option<Oid>, Option<Oid>);

impl Desk {
    /// Our own tips.
    pub fn tips(&self) -> Result<Tips> {
        let annex = self.repo.annex_branch().head().map_err(|error| DeskError::Git(error.to_string()))?;
        Ok((self.head, annex))
    }

    /// Our own tips, of which the planner is told now.
    pub fn tell_tips(&mut self) -> Result<Tips> {
        let tips = self.tips()?;
        self.told = Some(tips);
        Ok(tips)
    }

    /// Whether the planner believes in other tips than there are: others push straight to the git-annex branch, and not
    /// every push brings anything else.
    pub fn has_untold_tips(&self) -> Result<bool> {
        Ok(self.told != Some(self.tips()?))
    }
}
