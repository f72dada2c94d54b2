//! `metropay migrate`.

use std::path::Path;

use anyhow::Result;

use crate::config::{Config, Profile};
use crate::serve::{migrate, open_database};

/// Brings the schema up to date and ends.
pub(super) async fn run(profile: Profile, folder: &Path) -> Result<()> {
    let mut config = Config::load(profile, folder)?;
    super::log(&config.log, None)?;
    config.database.migrate = false;
    let db = open_database(&config).await?;
    migrate(&db).await?;
    println!("the schema is up to date");
    Ok(())
}
