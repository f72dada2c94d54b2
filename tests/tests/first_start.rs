//! The first start of a platform with several nodes: whatever is made when it is missing is made once.

use std::sync::Arc;

use anyhow::{Context, Result};
use metropay_core::clock::SystemClock;
use metropay_server::config::{Config, Profile};
use metropay_server::demo::Folder;
use metropay_server::serve::{Server, migrate, open_database};
use metropay_tests::containers::{Durability, Postgres};

/// Nodes that start at the same moment.
const NODES: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_together_on_an_empty_database_share_their_keys() -> Result<()> {
    let Some(server) = Postgres::shared(Durability::Memory).await else {
        return Ok(());
    };
    let database = server.database().await?;
    let folder = tempfile::tempdir()?;
    let mut config = Config::load(Profile::Demo, folder.path())?;
    Folder::at(folder.path().to_owned())?.complete(&mut config)?;
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.server.ops_listen = None;
    config.database.url = database.url();
    config.database.migrate = false;
    let db = open_database(&config).await?;
    migrate(&db).await?;
    db.close().await?;

    let start = || Server::start(&config, Arc::new(SystemClock));
    let nodes = futures::future::join_all((0..NODES).map(|_| start())).await;
    let nodes = nodes.into_iter().collect::<Result<Vec<Server>>>()?;
    let public = nodes.first().context("there are nodes")?.keys().public().to_vec();
    assert_eq!(public.len(), 3, "one key of each kind: {public:?}");
    for node in &nodes {
        assert_eq!(sorted(node.keys().public()), sorted(&public));
    }
    for node in nodes {
        node.stop().await;
    }
    let later = start().await?;
    assert_eq!(
        sorted(later.keys().public()),
        sorted(&public),
        "what was made is found again"
    );
    later.stop().await;
    Ok(())
}

fn sorted(keys: &[metropay_core::people::PublicKey]) -> Vec<String> {
    let mut serials: Vec<String> = keys.iter().map(|key| key.serial.to_string()).collect();
    serials.sort();
    serials
}
