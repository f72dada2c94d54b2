//! Where connections come from: one server, the master that sentinels know, or a cluster.

use std::time::Duration;

use metropay_core::secret::Secret;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, FromRedisValue, IntoConnectionInfo, Pipeline, RedisError,
    RedisResult, TlsCertificates, TlsMode,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::config::{BadConfig, Mode, RedisConfig, bad};
use crate::link::BUDGET;

/// How long connecting may take.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// A connection for commands.
#[derive(Clone)]
pub(crate) enum Wire {
    /// To one server.
    Server(MultiplexedConnection),
    /// To a cluster.
    Cluster(ClusterConnection),
}

impl Wire {
    /// Sends commands and waits for their answers.
    pub(crate) async fn ask<T: FromRedisValue>(&mut self, commands: &Pipeline) -> RedisResult<T> {
        match self {
            Self::Server(wire) => commands.query_async(wire).await,
            Self::Cluster(wire) => commands.query_async(wire).await,
        }
    }
}

/// Where connections come from.
pub(crate) enum Source {
    Single(Client),
    Sentinel(Mutex<SentinelClient>),
    /// The cluster, and its nodes one by one: a message that is published at any of them is told at all of them.
    Cluster(ClusterClient, Vec<Client>),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unconnected {
    #[error("{0}")]
    Refused(#[from] RedisError),
    #[error("no answer within {} ms", CONNECT_MAX.as_millis())]
    Late,
}

impl Source {
    /// The source that a valid configuration describes.
    pub(crate) fn of(config: &RedisConfig) -> Result<Self, BadConfig> {
        let certificates = certificates(config)?;
        let unusable = |error: RedisError| bad("urls", error.to_string());
        let mut nodes = Vec::with_capacity(config.urls.len());
        for url in &config.urls {
            nodes.push(info(config, url).map_err(unusable)?);
        }
        let clients = |nodes: Vec<ConnectionInfo>| nodes.into_iter().map(|node| client(node, certificates.as_ref()));
        match config.mode {
            Mode::Single => clients(nodes)
                .next()
                .ok_or_else(|| bad("urls", "at least one address"))?
                .map(Self::Single)
                .map_err(unusable),
            Mode::Sentinel => sentinel(config, &nodes, certificates)
                .map(|client| Self::Sentinel(Mutex::new(client)))
                .map_err(unusable),
            Mode::Cluster => {
                let singly: RedisResult<Vec<Client>> = clients(nodes.clone()).collect();
                let cluster = cluster(config, nodes, certificates).map_err(unusable)?;
                Ok(Self::Cluster(cluster, singly.map_err(unusable)?))
            }
        }
    }

    /// A new connection for commands.
    pub(crate) async fn connect(&self) -> Result<Wire, Unconnected> {
        timeout(CONNECT_MAX, self.connecting())
            .await
            .map_err(|_| Unconnected::Late)?
    }

    async fn connecting(&self) -> Result<Wire, Unconnected> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_MAX))
            .set_response_timeout(Some(BUDGET));
        let client = match self {
            Self::Single(client) => client.clone(),
            Self::Sentinel(sentinel) => sentinel.lock().await.async_get_client().await?,
            Self::Cluster(cluster, _) => return Ok(Wire::Cluster(cluster.get_async_connection().await?)),
        };
        let wire = client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(Wire::Server(wire))
    }

    /// A new connection that listens to these channels. Of a cluster, the node of the given turn is asked.
    pub(crate) async fn listen(&self, channels: &[&str], turn: usize) -> Result<PubSub, Unconnected> {
        let listening = async {
            let client = match self {
                Self::Single(client) => client.clone(),
                Self::Sentinel(sentinel) => sentinel.lock().await.async_get_client().await?,
                Self::Cluster(_, nodes) => nodes
                    .get(turn.checked_rem(nodes.len()).unwrap_or(0))
                    .cloned()
                    .ok_or(Unconnected::Late)?,
            };
            let mut listening = client.get_async_pubsub().await?;
            listening.subscribe(channels).await?;
            Ok(listening)
        };
        timeout(CONNECT_MAX, listening).await.map_err(|_| Unconnected::Late)?
    }
}

fn certificates(config: &RedisConfig) -> Result<Option<TlsCertificates>, BadConfig> {
    let Some(file) = &config.ca_file else {
        return Ok(None);
    };
    let read = std::fs::read(file).map_err(|error| bad("ca_file", error.to_string()))?;
    Ok(Some(TlsCertificates {
        client_tls: None,
        root_cert: Some(read),
    }))
}

/// An address with the account that we come as.
fn info(config: &RedisConfig, url: &str) -> RedisResult<ConnectionInfo> {
    let info = url.into_connection_info()?;
    let mut account = info.redis_settings().clone();
    if let Some(username) = &config.username {
        account = account.set_username(username);
    }
    if let Some(password) = config.password.as_ref().map(Secret::expose) {
        account = account.set_password(password);
    }
    Ok(info.set_redis_settings(account))
}

fn client(node: ConnectionInfo, certificates: Option<&TlsCertificates>) -> RedisResult<Client> {
    match certificates {
        Some(certificates) => Client::build_with_tls(node, certificates.clone()),
        None => Client::open(node),
    }
}

fn sentinel(
    config: &RedisConfig,
    sentinels: &[ConnectionInfo],
    certificates: Option<TlsCertificates>,
) -> RedisResult<SentinelClient> {
    let name = config.master.as_deref().unwrap_or_default();
    let addresses = sentinels.iter().map(|sentinel| sentinel.addr().clone());
    let mut builder = SentinelClientBuilder::new(addresses, name, SentinelServerType::Master)?;
    if let Some(username) = &config.username {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = config.password.as_ref().map(Secret::expose) {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(password) = config.sentinel_password.as_ref().map(Secret::expose) {
        builder = builder.set_client_to_sentinel_password(password);
    }
    if config.is_secure() {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        if let Some(certificates) = certificates {
            builder = builder
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates);
        }
    }
    builder.build()
}

fn cluster(
    config: &RedisConfig,
    nodes: Vec<ConnectionInfo>,
    certificates: Option<TlsCertificates>,
) -> RedisResult<ClusterClient> {
    let mut builder = ClusterClientBuilder::new(nodes)
        .connection_timeout(CONNECT_MAX)
        .response_timeout(BUDGET)
        // The budget allows no more than to follow one redirection.
        .retries(2)
        .max_retry_wait(10);
    if config.is_secure() {
        builder = builder.tls(TlsMode::Secure);
        if let Some(certificates) = certificates {
            builder = builder.certs(certificates);
        }
    }
    builder.build()
}
