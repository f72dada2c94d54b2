//! Names into addresses, every one of them judged before a connection is tried: so a name that meant a public address when it was
//! set, and means this machine when it is called, reaches nothing.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use crate::address::{AddressPolicy, Forbidden, Reach};

/// Addresses of one name at most; a name with more is no server of a merchant.
pub const ADDRESSES_MAX: usize = 32;
/// Names that are asked about at the same time: each holds a thread, even after its caller has stopped waiting.
const LOOKUPS_MAX: usize = 64;

/// What turns a name into addresses.
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of a name, at present.
    fn addresses(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The operating system's resolver.
#[derive(Debug, Clone)]
pub struct SystemLookup {
    free: Arc<Semaphore>,
}

impl Default for SystemLookup {
    fn default() -> Self {
        Self {
            free: Arc::new(Semaphore::new(LOOKUPS_MAX)),
        }
    }
}

impl Lookup for SystemLookup {
    fn addresses(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let free = Arc::clone(&self.free);
        Box::pin(async move {
            let permit = free.acquire_owned().await.map_err(io::Error::other)?;
            // The permit goes with the thread, not with the caller, who may be gone long before.
            let asked = tokio::task::spawn_blocking(move || {
                let found = std::net::ToSocketAddrs::to_socket_addrs(&(host.as_str(), 0));
                drop(permit);
                found
            });
            let found = asked.await.map_err(io::Error::other)??;
            Ok(found.map(|socket| socket.ip()).collect())
        })
    }
}

/// Why a name leads nowhere.
#[derive(Debug)]
pub(crate) enum NoWay {
    /// The name cannot be resolved at present, or has no address.
    Unresolved(String),
    /// One of its addresses must not be called.
    Forbidden(IpAddr, Forbidden),
}

impl fmt::Display for NoWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unresolved(reason) => write!(f, "the host cannot be resolved: {reason}"),
            Self::Forbidden(address, why) => write!(f, "the host leads to {address}: {why}"),
        }
    }
}

impl std::error::Error for NoWay {}

/// The addresses of a name, all of them fit to be called: one that is not condemns the others, because nobody who has a true
/// server beside a false one has it by chance.
pub(crate) async fn judged(
    lookup: &dyn Lookup,
    policy: &AddressPolicy,
    reach: Reach,
    host: &str,
) -> Result<Vec<IpAddr>, NoWay> {
    let unresolved = |reason: String| NoWay::Unresolved(reason);
    let found = lookup.addresses(host.to_owned()).await;
    let found = found.map_err(|error| unresolved(error.to_string()))?;
    if found.is_empty() || found.len() > ADDRESSES_MAX {
        return Err(unresolved(format!("{} addresses", found.len())));
    }
    for address in &found {
        policy
            .check(*address, reach)
            .map_err(|why| NoWay::Forbidden(*address, why))?;
    }
    Ok(found)
}

/// The resolver of a client: what it gives out is what is connected to.
#[derive(Clone)]
pub(crate) struct Judge {
    pub(crate) lookup: Arc<dyn Lookup>,
    pub(crate) policy: Arc<AddressPolicy>,
    pub(crate) reach: Reach,
}

impl Resolve for Judge {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { lookup, policy, reach } = self.clone();
        Box::pin(async move {
            let found = judged(&*lookup, &policy, reach, name.as_str()).await?;
            // Port 0: the client puts in the URL's.
            let sockets = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(sockets) as Addrs)
        })
    }
}
