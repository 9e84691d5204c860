//! What of the machine a room can still reach: its own file system and its module's code.
//! A second line behind the sandbox and the file system itself; kernels that know less of it
//! do what they can.

use landlock::{
    ABI, Access, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, Scope,
};
use std::path::Path;

/// The newest rules that are asked for.
const RULES: ABI = ABI::V6;

/// Gives up everything else, for good. To be called before there are other threads.
pub(super) fn restrict(root: &Path, code: &Path) -> anyhow::Result<()> {
    let all = AccessFs::from_all(RULES);
    Ruleset::default()
        .handle_access(all)?
        .handle_access(AccessNet::from_all(RULES))?
        .scope(Scope::from_all(RULES))?
        .create()?
        .add_rule(PathBeneath::new(
            PathFd::new(root)?,
            all & !AccessFs::Execute,
        ))?
        .add_rule(PathBeneath::new(PathFd::new(code)?, AccessFs::ReadFile))?
        .restrict_self()?;
    Ok(())
}
