//! A small proxy before several nodes: each connection goes to the next.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

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
}

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
        let listener = self.listener;
        Balancer {
            forwarding: tokio::spawn(async move {
                let turn = AtomicUsize::new(0);
                while let Ok((mut client, _)) = listener.accept().await {
                    let first = turn.fetch_add(1, Ordering::Relaxed);
                    let nodes = nodes.clone();
                    tokio::spawn(async move {
                        for at in 0..nodes.len() {
                            let node = nodes[(first + at) % nodes.len()];
                            if let Ok(mut server) = TcpStream::connect(node).await {
                                // Small messages both ways; whoever hangs up first ends it.
                                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                                let _ = copy_bidirectional(&mut client, &mut server).await;
                                return;
                            }
                        }
                    });
                }
            }),
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.forwarding.abort();
    }
}
