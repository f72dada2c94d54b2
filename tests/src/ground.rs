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

use crate::containers::Database;
use crate::store::{self, Store};

/// Where the gateways keep their books in a world's folder.
const GATEWAYS: &str = "simulator";

static SEEDED: OnceCell<Ground> = OnceCell::const_new();

/// What a world stands on. Dropping it removes it.
pub(crate) struct Ground {
    /// Where its files are.
    pub(crate) folder: TempDir,
    /// Its database, where that is not among the files.
    database: Option<Database>,
}

/// A ground of its own with everything seeded, and the configuration of a server that stands on it.
///
/// # Errors
/// When it cannot be seeded or copied.
pub(crate) async fn own() -> Result<(Ground, Config)> {
    let seeded = SEEDED.get_or_try_init(made).await?;
    let folder = in_memory()?;
    copy(seeded.folder.path(), folder.path()).context("copying the seeded folder")?;
    let mut config = configuration(folder.path())?;
    let database = store::copy_of(seeded.database.as_ref(), &mut config).await?;
    Store::asked().share(&mut config).await?;
    Ok((Ground { folder, database }, config))
}

/// The demo's configuration on this folder and a free port.
///
/// # Errors
/// When the demo's own configuration cannot be read.
fn configuration(folder: &Path) -> Result<Config> {
    let mut config = Config::load(Profile::Demo, Path::new("no such folder"))?;
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.server.ops_listen = Some(([127, 0, 0, 1], 0).into());
    config.sms.file = Some(folder.join("sms.log"));
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
        public_url: None,
    }
}

async fn made() -> Result<Ground> {
    let folder = in_memory()?;
    let mut config = configuration(folder.path())?;
    let database = Store::asked().fresh(&mut config).await?;
    let demo = Folder::at(folder.path().to_owned())?;
    let app_key = demo.complete(&mut config)?;
    let simulator = Simulator::start(gateways(folder.path(), 0)).await?;
    let server = Server::start(&config, std::sync::Arc::new(SystemClock)).await?;
    seed::seed(&config, &demo, &app_key, &server, &simulator).await?;
    server.stop().await;
    Ok(Ground { folder, database })
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
