//! The ground that worlds stand on: a seeded folder that is made once in a process and copied for each world, because keys
//! take a second to make.

use std::path::Path;

use anyhow::{Context, Result};
use metropay_core::clock::SystemClock;
use metropay_server::config::{Config, Profile};
use metropay_server::demo::{Folder, seed};
use metropay_server::serve::Server;
use metropay_simulator::{Settings, Simulator};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::store;

/// Where the gateways keep their books in a world's folder.
const GATEWAYS: &str = "simulator";

static SEEDED: OnceCell<(TempDir, Config)> = OnceCell::const_new();

/// A folder of its own with everything seeded, and the configuration of a server that stands on it.
///
/// # Errors
/// When it cannot be seeded or copied.
pub(crate) async fn own() -> Result<(TempDir, Config)> {
    let (folder, config) = SEEDED.get_or_try_init(made).await?;
    let own = in_memory()?;
    copy(folder.path(), own.path()).context("copying the seeded folder")?;
    let mut own_config = configuration(own.path())?;
    if let Some(database) = store::copy_of(&config.database.url).await? {
        own_config.database = database;
    }
    Ok((own, own_config))
}

/// The demo's configuration on this folder and a free port.
///
/// # Errors
/// When the demo's own configuration cannot be read.
fn configuration(folder: &Path) -> Result<Config> {
    let mut config = Config::load(Profile::Demo, Path::new("no such folder"))?;
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.server.ops_listen = Some(([127, 0, 0, 1], 0).into());
    config.database.url = format!("sqlite://{}/metropay.db?mode=rwc", folder.display());
    Ok(config)
}

/// How the gateways run on this folder, settling after so many milliseconds.
pub(crate) fn gateways(folder: &Path, settle_ms: u64) -> Settings {
    Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        data_dir: Some(folder.join(GATEWAYS)),
        notice_pace_percent: 1,
        settle_ms,
    }
}

async fn made() -> Result<(TempDir, Config)> {
    let folder = in_memory()?;
    let mut config = configuration(folder.path())?;
    if let Some(database) = store::fresh().await? {
        config.database = database;
    }
    let demo = Folder::at(folder.path().to_owned())?;
    let app_key = demo.complete(&mut config)?;
    let simulator = Simulator::start(gateways(folder.path(), 0)).await?;
    let server = Server::start(&config, std::sync::Arc::new(SystemClock)).await?;
    seed::seed(&config, &demo, &app_key, &server, &simulator).await?;
    server.stop().await;
    Ok((folder, config))
}

/// A folder in memory where the machine has such a place: a world may lose everything when it ends, and need not wait for a
/// disk.
fn in_memory() -> std::io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
