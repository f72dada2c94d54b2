//! Python with the SDKs: a virtual environment in the user's cache, made once for each list of requirements.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// How long making the environment may take: forty megabytes come from the registry.
const INSTALL_MAX: Duration = Duration::from_secs(400);
/// How long Python may take to say who it is.
const ANSWER_MAX: Duration = Duration::from_secs(20);

static READY: OnceCell<Result<Python, String>> = OnceCell::const_new();

/// An interpreter that has the SDKs.
pub(crate) struct Python {
    program: PathBuf,
    /// Where it keeps what it compiled: neither in the checkout nor beside the SDKs.
    compiled: PathBuf,
}

/// How a program ended.
pub(crate) struct Ended {
    /// Whether it ended with code 0.
    pub(crate) well: bool,
    /// All that it said.
    pub(crate) output: String,
}

impl Python {
    /// The interpreter, or why there is none here.
    pub(crate) async fn ready() -> Result<&'static Self, &'static str> {
        let ready = READY.get_or_init(made).await;
        ready.as_ref().map_err(String::as_str)
    }

    /// Plays a script. Nothing of our own environment reaches it, so no proxy stands between it and the simulator.
    pub(crate) async fn run(&self, script: &Path, simulator_url: &str, within: Duration) -> Ended {
        let mut command = Command::new(&self.program);
        command
            .arg(script)
            .arg(simulator_url)
            .env_clear()
            .env("PYTHONUTF8", "1")
            .env("PYTHONPYCACHEPREFIX", &self.compiled);
        let ended = ended(command, within).await;
        ended.unwrap_or_else(|why| Ended {
            well: false,
            output: why,
        })
    }
}

/// Finds the environment of these requirements, or makes it.
async fn made() -> Result<Python, String> {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign/requirements.txt");
    let text = fs::read_to_string(&requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    let version = said(python3(&["-VV"]), ANSWER_MAX).await?;
    let folder = cache()?.join(format!("foreign-{:016x}", fingerprint(&text, &version)));
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    // Another checkout may be at it in this moment.
    let _lock = locked(folder.join("lock")).await?;
    let (venv, mark) = (folder.join("venv"), folder.join("complete"));
    let python = Python {
        program: venv.join("bin/python"),
        compiled: folder.join("compiled"),
    };
    let mut probe = Command::new(&python.program);
    probe.arg("-V");
    if mark.exists() && said(probe, ANSWER_MAX).await.is_ok() {
        return Ok(python);
    }
    fs::remove_file(&mark).ok();
    let make = python3(&["-m", "venv", "--clear", &venv.display().to_string()]);
    said(make, INSTALL_MAX).await?;
    install(&python.program, &requirements).await?;
    File::create(&mark).map_err(|error| format!("{}: {error}", mark.display()))?;
    Ok(python)
}

/// Only what the list names, by its hashes, and no package that would have to be built. Alipay's SDK has thirty-six thousand
/// files, of which a play needs a few dozen; they are compiled when they are needed.
const INSTALL: &str = "-m pip install --quiet --no-input --disable-pip-version-check --require-hashes \
                       --only-binary :all: --no-compile --requirement";

async fn install(program: &Path, requirements: &Path) -> Result<(), String> {
    let mut command = Command::new(program);
    command.args(INSTALL.split(' ')).arg(requirements);
    let installed = said(command, INSTALL_MAX).await;
    if let Err(why) = &installed {
        // A package that is not what was pinned is no reason to look away.
        assert!(!why.contains("DO NOT MATCH THE HASHES"), "{why}");
    }
    installed.map(|_| ())
}

fn python3(arguments: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.args(arguments);
    command
}

/// Where things are kept that can be made again: outside the checkout.
fn cache() -> Result<PathBuf, String> {
    let named = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = named("XDG_CACHE_HOME").or_else(|| named("HOME").map(|home| home.join(".cache")));
    base.map(|base| base.join("metropay"))
        .ok_or_else(|| "neither XDG_CACHE_HOME nor HOME says where to keep it".to_owned())
}

/// Names an environment. Should another compiler count otherwise, it is made once more.
fn fingerprint(requirements: &str, version: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (requirements, version).hash(&mut hasher);
    hasher.finish()
}

/// A lock that other processes respect, until it is dropped.
async fn locked(path: PathBuf) -> Result<File, String> {
    let lock = move || -> io::Result<File> {
        let file = File::create(&path)?;
        file.lock()?;
        Ok(file)
    };
    let taken = tokio::task::spawn_blocking(lock).await;
    taken
        .map_err(|error| error.to_string())?
        .map_err(|error| format!("the lock of the cache: {error}"))
}

/// What a program said that ended well; else why it did not.
async fn said(command: Command, within: Duration) -> Result<String, String> {
    let shown = format!("{:?}", command.as_std());
    let ended = ended(command, within).await?;
    if ended.well {
        Ok(ended.output)
    } else {
        Err(format!("{shown} failed:\n{}", ended.output))
    }
}

async fn ended(mut command: Command, within: Duration) -> Result<Ended, String> {
    let shown = format!("{:?}", command.as_std());
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(within, command.output())
        .await
        .map_err(|_| format!("{shown} does not end within {within:?}"))?
        .map_err(|error| format!("{shown}: {error}"))?;
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Ended {
        well: output.status.success(),
        output: told(&output.stdout) + &told(&output.stderr),
    })
}
