//! Real processes of the metropay command: started, asked to stop, killed, and what they told.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// How a process is started. Nothing of our own environment reaches it but `PATH`.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The binary.
    pub program: PathBuf,
    /// Its folder of configuration files; its log is written beside it.
    pub config_dir: PathBuf,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where it listens for operators, if it does.
    pub operators: Option<SocketAddr>,
    /// Its environment.
    pub environment: Vec<(String, String)>,
}

/// A running server. Dropping it kills it.
pub struct Process {
    child: Child,
    url: String,
    log: PathBuf,
    /// How long it took from its start until it said that it can do its work.
    pub ready_after: Duration,
}

/// How long a process may take until it serves.
const READY_MAX: Duration = Duration::from_secs(30);
/// Between two questions whether it serves.
const READY_LOOK: Duration = Duration::from_millis(20);
/// How long a command that ends by itself may take.
const RUN_MAX: Duration = Duration::from_secs(60);
/// Lines of a log that are shown when something went wrong.
const LOG_SHOWN: usize = 60;

impl Launch {
    /// Starts a server (`serve`) and waits until it can do its work.
    ///
    /// # Errors
    /// When it cannot be started, ends at once, or does not answer in time; the text has the end of its log.
    pub async fn serve(&self, more: &[(&str, &str)]) -> Result<Process> {
        self.serve_until("/readyz", more).await
    }

    /// Starts a server and waits until it lives, ready or not.
    ///
    /// # Errors
    /// As [`Launch::serve`].
    pub async fn live(&self, more: &[(&str, &str)]) -> Result<Process> {
        self.serve_until("/healthz", more).await
    }

    async fn serve_until(&self, page: &str, more: &[(&str, &str)]) -> Result<Process> {
        let log = self.config_dir.join("server.log");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let mut command = self.command(&["serve", "--profile", "default"]);
        command.envs(more.iter().copied()).stdout(Stdio::null()).stderr(file);
        let begun = Instant::now();
        let mut process = Process {
            child: command.spawn().with_context(|| self.program.display().to_string())?,
            url: format!("http://{}", self.listen),
            log,
            ready_after: Duration::ZERO,
        };
        let http = reqwest::Client::builder().no_proxy().timeout(READY_MAX).build()?;
        loop {
            let ready = http.get(format!("{}{page}", process.url)).send().await;
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                process.ready_after = begun.elapsed();
                return Ok(process);
            }
            if let Some(status) = process.child.try_wait()? {
                bail!("the server ended before it served: {status}\n{}", process.told());
            }
            ensure!(
                begun.elapsed() < READY_MAX,
                "the server does not serve\n{}",
                process.told()
            );
            sleep(READY_LOOK).await;
        }
    }

    /// Runs a command that ends by itself; its output is in the error when it fails.
    ///
    /// # Errors
    /// When it cannot be started, does not end in time, or ends with another code than 0.
    pub async fn run(&self, arguments: &[&str]) -> Result<()> {
        let (well, told) = self.told(arguments).await?;
        ensure!(well, "{arguments:?} failed\n{told}");
        Ok(())
    }

    /// Runs a command that ends by itself: whether it ended well, and everything that it told.
    ///
    /// # Errors
    /// When it cannot be started, or does not end in time.
    pub async fn told(&self, arguments: &[&str]) -> Result<(bool, String)> {
        let mut command = self.command(arguments);
        let output = timeout(RUN_MAX, command.output())
            .await
            .with_context(|| format!("{arguments:?} does not end"))??;
        let told = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&told).into_owned()))
    }

    /// Begins a command that ends by itself; what it tells on both outputs is there to be read.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn begin(&self, arguments: &[String]) -> Result<Child> {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = self.command(&arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().with_context(|| self.program.display().to_string())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("--config-dir")
            .arg(&self.config_dir)
            .args(arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("METROPAY_SERVER__LISTEN", self.listen.to_string())
            .envs(self.operators.map(|at| ("METROPAY_SERVER__OPS_LISTEN", at.to_string())))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

impl Process {
    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it does not within the time; the text has the end of its log.
    pub async fn ended(&mut self, within: Duration) -> Result<ExitStatus> {
        match timeout(within, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!("the server still runs after {within:?}\n{}", self.told()),
        }
    }

    /// Waits until it has killed itself at its fail point. Nobody else kills it here, so a point that is never reached is
    /// an error.
    ///
    /// # Errors
    /// When it lives on, or ended in another way.
    pub async fn killed_itself(&mut self, within: Duration) -> Result<()> {
        let status = self.ended(within).await.context("the fail point was not reached")?;
        ensure!(
            status.signal() == Some(SIGKILL),
            "the server ended with {status} and not at its fail point\n{}",
            self.told()
        );
        Ok(())
    }

    /// Kills it, as `kill -9` does, while it runs.
    ///
    /// # Errors
    /// When it had ended before.
    pub async fn kill(mut self) -> Result<()> {
        self.child.start_kill()?;
        let status = self.child.wait().await?;
        ensure!(
            status.signal() == Some(SIGKILL),
            "the server had ended before it was killed: {status}\n{}",
            self.told()
        );
        Ok(())
    }

    /// Asks it to stop, as an operator does.
    ///
    /// # Errors
    /// When it has ended already.
    pub async fn terminate(&self) -> Result<()> {
        self.signal("TERM").await
    }

    /// Sends it a signal, by its name without `SIG`.
    ///
    /// # Errors
    /// When it has ended already.
    pub async fn signal(&self, name: &str) -> Result<()> {
        let pid = self.child.id().context("the server has ended already")?;
        let status = Command::new("kill")
            .args([&format!("-{name}"), &pid.to_string()])
            .status()
            .await?;
        ensure!(status.success(), "kill -{name} {pid}: {status}");
        Ok(())
    }

    /// Asks it to stop, and waits until it has ended well.
    ///
    /// # Errors
    /// When it does not end in time or not with code 0.
    pub async fn stop(mut self, within: Duration) -> Result<()> {
        self.terminate().await?;
        let status = self.ended(within).await?;
        ensure!(
            status.success(),
            "the stopped server ended with {status}\n{}",
            self.told()
        );
        Ok(())
    }

    /// The end of its log.
    pub fn told(&self) -> String {
        tail(&self.log)
    }

    /// Its whole log, and that of those who ran in its place before.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// What it answers to a question without identity: status and text.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn ask(&self, page: &str) -> Result<(u16, String)> {
        let answer = reqwest::get(format!("{}{page}", self.url)).await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }
}

const SIGKILL: i32 = 9;

/// The last lines of a log.
pub fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_SHOWN)..].join("\n")
}

/// A free address on loopback that stays free while its server is down: below the ports that the kernel hands out, and
/// each given away once.
///
/// # Errors
/// When no port is free.
pub fn free_address() -> Result<SocketAddr> {
    const FIRST: u16 = 20_000;
    const SPAN: u16 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that test at the same time begin at different places.
    let begin = std::process::id().wrapping_mul(199);
    for _ in 0..SPAN {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let offset = u16::try_from(begin.wrapping_add(step) % u32::from(SPAN))?;
        let address = SocketAddr::from(([127, 0, 0, 1], FIRST + offset));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port is free")
}
