//! The places of settings files: the user's, and that of the project in which the command runs.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

/// The name of a project's file.
pub const PROJECT: &str = "magistrate.toml";

/// Returns the path of the user's file, such as `~/.config/magistrate/config.toml`. `None` without a home.
pub fn of_user() -> Option<PathBuf> {
    let base = etcetera::choose_base_strategy().ok()?;
    Some(base.config_dir().join("magistrate").join("config.toml"))
}

/// Returns the project's file: the nearest in this folder or above it. The search ends at the user's home and at the top
/// of a repository. A file of another user is passed over, as anyone may write into a shared folder above.
pub fn of_project(folder: &Path, home: Option<&Path>) -> Option<PathBuf> {
    for folder in folder.ancestors() {
        let file = folder.join(PROJECT);
        if file.is_file() && is_ours(&file) {
            return Some(file);
        }
        if Some(folder) == home || folder.join(".git").exists() {
            return None;
        }
    }
    None
}

/// Reports whether a file is this user's, or root's. Root itself uses every file, as in a container.
#[cfg(unix)]
fn is_ours(file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let us = rustix::process::geteuid().as_raw();
    us == 0 || std::fs::metadata(file).is_ok_and(|file| [0, us].contains(&file.uid()))
}

#[cfg(not(unix))]
fn is_ours(_file: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_file_is_used_and_the_search_ends_at_home_and_at_a_repository() {
        let stage = tempfile::tempdir().unwrap();
        let at = |name: &str| stage.path().join(name);
        std::fs::create_dir_all(at("home/project/deep")).unwrap();
        std::fs::write(at("magistrate.toml"), "").unwrap();
        let found = |home: &str| of_project(&at("home/project/deep"), Some(&at(home)));
        assert_eq!(found("elsewhere"), Some(at("magistrate.toml")));
        assert_eq!(found("home"), None);
        std::fs::write(at("home/magistrate.toml"), "").unwrap();
        assert_eq!(found("home"), Some(at("home/magistrate.toml")));
        std::fs::create_dir(at("home/project/.git")).unwrap();
        assert_eq!(found("home"), None);
        std::fs::write(at("home/project/magistrate.toml"), "").unwrap();
        assert_eq!(found("home"), Some(at("home/project/magistrate.toml")));
    }
}
