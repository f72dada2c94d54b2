//! The template of a new channel, and its copying.
//!
//! The template is a crate like any other (`channels/kit/template`): it compiles, and what is not written yet says so. A new
//! channel is that crate under another name, and one more line among the workspace's members.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The name that the template bears.
const NAME: &str = "foochan";
/// In the manifest of the template, what follows this line is the template's own.
const NOT_COPIED: &str = "\n# Copied into another folder";

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The files, from the workspace's root.
    pub files: Vec<PathBuf>,
    /// The line that registers the channel in `server/src/registry.rs`.
    pub registration: String,
    /// The line that lets `server/Cargo.toml` know it.
    pub dependency: String,
}

/// Makes a channel of this name in the workspace at `root`, from the template in it.
///
/// # Errors
/// When the name cannot be one, is taken, or a file cannot be written.
pub fn new_channel(root: &Path, name: &str) -> Result<Made> {
    let letters = name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    ensure!(
        letters && (2..=16).contains(&name.len()) && name.starts_with(|first: char| first.is_ascii_lowercase()),
        "a channel's name has 2 to 16 small letters and digits, and begins with a letter: {name:?} does not"
    );
    let folder = root.join("channels").join(name);
    ensure!(!folder.exists(), "{} is there already", folder.display());
    let template = root.join("channels/kit/template");
    let mut files = Vec::new();
    for file in all_files(&template)? {
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let text = text.split(NOT_COPIED).next().unwrap_or_default();
        let inside = file.strip_prefix(&template)?;
        let target = folder.join(inside);
        let parent = target.parent().context("a file has a folder")?;
        fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        fs::write(&target, renamed(text, name)).with_context(|| format!("writing {}", target.display()))?;
        files.push(target.strip_prefix(root)?.to_path_buf());
    }
    let manifest = root.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).context("reading the workspace's manifest")?;
    fs::write(&manifest, with_member(&text, name)?).context("writing the workspace's manifest")?;
    Ok(Made {
        files,
        registration: renamed(
            "        .with(metropay_channel_foochan::FoochanFactory::new(OutboundSettings::to(\"foochan\")))",
            name,
        ),
        dependency: renamed("metropay-channel-foochan.workspace = true", name),
    })
}

fn all_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(all_files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A name with its first letter as a capital.
fn capital(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn renamed(text: &str, name: &str) -> String {
    text.replace(NAME, name)
        .replace(&capital(NAME), &capital(name))
        .replace(&NAME.to_uppercase(), &name.to_uppercase())
}

/// The workspace's manifest with one more member, and its path for those who depend on it.
fn with_member(manifest: &str, name: &str) -> Result<String> {
    let mut lines: Vec<String> = manifest.lines().map(str::to_owned).collect();
    let last = |lines: &[String], begins: &str| lines.iter().rposition(|line| line.starts_with(begins));
    let member = last(&lines, "    \"channels/").context("the workspace has no channels among its members")?;
    lines.insert(member.saturating_add(1), format!("    \"channels/{name}\","));
    let path = last(&lines, "metropay-channel-").context("the workspace names no channels")?;
    lines.insert(
        path.saturating_add(1),
        format!("metropay-channel-{name} = {{ path = \"channels/{name}\" }}"),
    );
    Ok(lines.join("\n") + "\n")
}
