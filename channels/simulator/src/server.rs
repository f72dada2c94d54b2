//! Starting and stopping the simulator.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::club::{self, Club};
use crate::fault::Faults;
use crate::frame::Frame;
use crate::notice::Notices;
use crate::sink::{self, Sinks};
use crate::store::Store;
use crate::{alipay, control, unionpay, wechat};

/// How the simulator runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where it listens; port 0 takes a free one. It is a tool for one's own machine: loopback unless told otherwise.
    pub listen: SocketAddr,
    /// Where the books are kept; absent means in memory only.
    pub data_dir: Option<PathBuf>,
    /// How fast notifications are repeated, in percent of the documented waits (100 = as documented, 1 = hundred times
    /// faster, for tests).
    pub notice_pace_percent: u32,
    /// How long an accepted payment or refund takes to succeed, in milliseconds, where the gateway works in the
    /// background (WeChat deductions and refunds, UnionPay's everything).
    pub settle_ms: u64,
    /// The address under which others reach it, where that is not the listening one: behind a container's wall.
    pub public_url: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: None,
            notice_pace_percent: 100,
            settle_ms: 300,
            public_url: None,
        }
    }
}

/// A running simulator. Dropping it stops it.
pub struct Simulator {
    frame: Arc<Frame>,
    addr: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Simulator {
    /// Starts the simulator on its own listener.
    ///
    /// # Errors
    /// When the address is taken or the data folder cannot be used.
    pub async fn start(settings: Settings) -> std::io::Result<Self> {
        let listener = TcpListener::bind(settings.listen).await?;
        let addr = listener.local_addr()?;
        let frame = Arc::new(Frame {
            clock: Clock::default(),
            club: Club::default(),
            sinks: Sinks::default(),
            store: Store::open(settings.data_dir.as_deref())?,
            faults: Faults::default(),
            notices: Notices::new(),
            public_url: settings.public_url.clone().unwrap_or_else(|| format!("http://{addr}")),
            settings,
        });
        let app: Router = Router::new()
            .merge(control::router())
            .merge(club::router())
            .merge(sink::router())
            .nest("/wechat", wechat::router())
            .nest("/alipay", alipay::router())
            .nest("/unionpay", unionpay::router())
            .with_state(Arc::clone(&frame));
        wechat::resume(&frame);
        alipay::resume(&frame);
        unionpay::resume(&frame);
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let serving = axum::serve(listener, app).with_graceful_shutdown(async {
                stopped.await.ok();
            });
            if let Err(error) = serving.await {
                tracing::error!(%error, "the simulator stopped: {error}");
            }
        });
        Ok(Self {
            frame,
            addr,
            _stop: stop,
        })
    }

    /// Serves the WeChat Pay gateway over TLS too, on a listener of its own: there the calls that need the merchant's
    /// certificate in reality demand it.
    ///
    /// # Errors
    /// When the address is taken or the certificate cannot be made.
    pub async fn listen_wechat_tls(&self, listen: SocketAddr) -> std::io::Result<wechat::WechatTls> {
        wechat::listen_tls(&self.frame, listen).await
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its address as a URL without a slash at the end; gateways stand under `/wechat`, `/alipay` and `/unionpay`.
    pub fn url(&self) -> &str {
        &self.frame.public_url
    }

    /// The ground that the gateways stand on, for in-process control.
    pub fn frame(&self) -> &Arc<Frame> {
        &self.frame
    }
}
