//! Containers end with the process that started them.
//!
//! A test process ends by returning, by a panic, by Ctrl-C or by `kill -9`, and in none of these cases are its statics dropped. So a shell
//! waits at the other end of a pipe: when the process is gone, however it went, the kernel closes the pipe and the shell removes
//! what bears the process's label. Should the shell itself be killed (a whole machine's tests swept away), the next test process sweeps.

use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result};
use std::os::unix::process::CommandExt;
use tokio::sync::OnceCell;

use super::engine::docker;

/// The label whose value names the process that a container belongs to.
pub(super) const LABEL: &str = "metropay.test.owner";

/// Twice, because the engine may still be creating a container that was asked for at the last moment.
const REMOVE_WHEN_ORPHANED: &str = r#"
trap '' INT TERM HUP QUIT
cat >/dev/null
for look in 1 2; do
  left=$(docker ps -aq --filter "label=$1")
  [ -z "$left" ] || docker rm --force --volumes $left
  sleep 1
done
"#;

/// Starts the guard of this process, once, and sweeps what earlier ones left.
///
/// # Errors
/// When no engine answers or no shell can be started.
pub(super) async fn begin() -> Result<()> {
    static GUARD: OnceCell<Child> = OnceCell::const_new();
    let watch = || async {
        sweep().await?;
        Command::new("sh")
            .args(["-c", REMOVE_WHEN_ORPHANED, "guard", &format!("{LABEL}={}", owner())])
            .stdin(Stdio::piped())
            // The test's own streams would stay open after its end, and whoever reads them would wait.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is for the test.
            .process_group(0)
            .spawn()
            .context("there is no shell")
    };
    GUARD.get_or_try_init(watch).await?;
    Ok(())
}

/// Names this process: the kernel's start, the process space in it, the number, and when that number was given out.
pub(super) fn owner() -> &'static str {
    static OWNER: OnceLock<String> = OnceLock::new();
    OWNER.get_or_init(|| {
        let number = std::process::id();
        format!("{}:{number}:{}", space(), begun(number).unwrap_or_default())
    })
}

/// The process numbers that we can see: those of this kernel's run, in this namespace.
fn space() -> String {
    let run = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let digits: String = namespace
        .to_string_lossy()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    format!("{}.{digits}", run.trim())
}

/// When a process began, in the kernel's ticks since its own start; `None` when there is no such process.
fn begun(process: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is the program's name, which may hold anything; the start is the twenty-second.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// Whether the named process is gone for sure. Of one in another space we know nothing.
fn is_gone(owner: &str, space: &str) -> bool {
    let mut parts = owner.split(':');
    let (Some(in_space), Some(number), Some(since)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let (Ok(number), Ok(since)) = (number.parse(), since.parse::<u64>()) else {
        return false;
    };
    in_space == space && begun(number) != Some(since)
}

/// The containers that belong to a process here, running or not.
///
/// # Errors
/// When no engine answers.
pub async fn of_process(process: u32) -> Result<Vec<String>> {
    let beginning = format!("{}:{process}:", space());
    let all = labelled().await?;
    Ok(all
        .into_iter()
        .filter(|(_, owner)| owner.starts_with(&beginning))
        .map(|(id, _)| id)
        .collect())
}

/// All containers of test processes, with the process that each belongs to.
async fn labelled() -> Result<Vec<(String, String)>> {
    let label = format!("label={LABEL}");
    let shown = format!("{{{{.ID}}}} {{{{.Label \"{LABEL}\"}}}}");
    let all = docker(&["ps", "--all", "--no-trunc", "--filter", &label, "--format", &shown]).await?;
    let pairs = all.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs.map(|(id, owner)| (id.to_owned(), owner.to_owned())).collect())
}

/// Removes containers whose process is gone.
async fn sweep() -> Result<()> {
    let space = space();
    let orphans = labelled()
        .await?
        .into_iter()
        .filter(|(_, owner)| is_gone(owner, &space));
    for (orphan, _) in orphans {
        // Another process may be sweeping too.
        docker(&["rm", "--force", "--volumes", &orphan]).await.ok();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{begun, is_gone, owner, space};

    #[test]
    fn a_process_that_runs_is_not_taken_for_gone_and_its_number_given_out_anew_is() {
        let space = space();
        assert!(!is_gone(owner(), &space));
        let number = std::process::id();
        let since = begun(number).expect("we run");
        assert!(is_gone(&format!("{space}:{number}:{}", since - 1), &space));
        assert!(!is_gone(&format!("elsewhere:{number}:1"), &space));
        assert!(!is_gone("", &space));
    }
}
