//! A small proxy before several nodes: each connection goes to the next that can have it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::Result;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A proxy that is bound and does not forward yet: its address must be known before the nodes start.
pub struct Bound {
    listener: TcpListener,
    addr: SocketAddr,
}

/// A running proxy. Dropping it ends it.
pub struct Balancer {
    forwarding: JoinHandle<()>,
    given: Arc<Vec<AtomicUsize>>,
}

/// To whom connections are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    /// To whom takes them.
    Anybody,
    /// To who says that he is ready.
    Ready,
}

/// How long a node may take to say whether it is ready.
const READY_WAIT: Duration = Duration::from_secs(2);

impl Bound {
    /// Binds a free port.
    ///
    /// # Errors
    /// When there is none.
    pub async fn new() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        Ok(Self { listener, addr })
    }

    /// Its address as a URL without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Forwards to these nodes from now on. A node that takes no connection is passed over, as a proxy that checks health
    /// would.
    pub fn forward(self, nodes: Vec<SocketAddr>) -> Balancer {
        self.forward_to(To::Anybody, nodes)
    }

    /// The same, and a node that does not say on `/readyz` that it is ready is passed over too.
    pub fn forward_to_ready(self, nodes: Vec<SocketAddr>) -> Balancer {
        self.forward_to(To::Ready, nodes)
    }

    fn forward_to(self, to: To, nodes: Vec<SocketAddr>) -> Balancer {
        let given: Arc<Vec<AtomicUsize>> = Arc::new(nodes.iter().map(|_| AtomicUsize::new(0)).collect());
        let (listener, counted) = (self.listener, Arc::clone(&given));
        let forwarding = tokio::spawn(async move {
            let turn = AtomicUsize::new(0);
            while let Ok((client, _)) = listener.accept().await {
                let first = turn.fetch_add(1, Ordering::Relaxed);
                let (nodes, counted) = (nodes.clone(), Arc::clone(&counted));
                tokio::spawn(async move { give(client, to, &nodes, first, &counted).await });
            }
        });
        Balancer { forwarding, given }
    }
}

impl Balancer {
    /// How many connections a node was given.
    pub fn given_to(&self, node: usize) -> usize {
        self.given[node].load(Ordering::Relaxed)
    }
}

/// Gives a connection to the first node that can have it, beginning at one of them.
async fn give(mut client: TcpStream, to: To, nodes: &[SocketAddr], first: usize, given: &[AtomicUsize]) {
    for at in 0..nodes.len() {
        let at = (first + at) % nodes.len();
        if to == To::Ready && !is_ready(nodes[at]).await {
            continue;
        }
        if let Ok(mut server) = TcpStream::connect(nodes[at]).await {
            given[at].fetch_add(1, Ordering::Relaxed);
            // Small messages both ways; whoever hangs up first ends it.
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let _ = copy_bidirectional(&mut client, &mut server).await;
            return;
        }
    }
}

async fn is_ready(node: SocketAddr) -> bool {
    static ASKING: LazyLock<reqwest::Client> = LazyLock::new(reqwest::Client::new);
    let asked = ASKING.get(format!("http://{node}/readyz")).timeout(READY_WAIT);
    asked.send().await.is_ok_and(|answer| answer.status().is_success())
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.forwarding.abort();
    }
}
