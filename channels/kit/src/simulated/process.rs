//! The simulators in a process of their own, so that what they hold in memory is not laid to the adapter.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result};

/// What the other process says before its address.
const STANDS: &str = "the gateway stands at ";

/// A process in which a simulator runs. It ends with this value.
#[derive(Debug)]
pub struct Process {
    child: Child,
    url: String,
    /// Whoever writes to a pipe that nobody holds any more is ended, and the test that serves says now and then that it runs.
    _said: BufReader<ChildStdout>,
}

impl Process {
    /// Runs an ignored test of this very program, which calls [`Process::serve`], and waits until its gateway stands.
    ///
    /// # Errors
    /// When the test cannot be run, or ends before it serves.
    pub fn start(test: &str) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([test, "--exact", "--ignored", "--nocapture"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("the gateway's process")?;
        let mut said = BufReader::new(child.stdout.take().context("what the gateway says")?);
        let mut line = String::new();
        while said.read_line(&mut line)? > 0 {
            // The test's own name may stand in front.
            if let Some((_, url)) = line.trim_end().split_once(STANDS) {
                let url = url.to_owned();
                return Ok(Self {
                    child,
                    url,
                    _said: said,
                });
            }
            line.clear();
        }
        child.wait()?;
        anyhow::bail!("{test} ended before its gateway stood")
    }

    /// Where the simulator is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Tells the other process where the gateway is, and comes back when that process wants it no more.
    ///
    /// # Errors
    /// When the other process cannot be told or heard.
    pub async fn serve(url: &str) -> Result<()> {
        println!("{STANDS}{url}");
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its standard input ends with this process too, should this never be reached.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
