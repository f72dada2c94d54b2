//! `metropay simulator`: the gateways on their own, for teams that test their integration.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use metropay_simulator::{Settings, Simulator};

use crate::config::{LogConfig, LogFormat};

/// How they run.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where they listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Where their books are kept; absent means in memory.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// The address under which others reach them, where that is not the listening one.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// How long an accepted payment or refund takes to succeed, in milliseconds.
    #[arg(long, default_value_t = 300)]
    settle_ms: u64,
    /// How fast notifications are repeated, in percent of the documented waits.
    #[arg(long, default_value_t = 100)]
    notice_pace_percent: u32,
    /// What is logged, in the words of tracing's filters.
    #[arg(long, default_value = "info", value_name = "FILTER")]
    log: String,
}

/// Runs until it is told to stop.
pub(super) async fn run(arguments: Arguments) -> Result<()> {
    let log = LogConfig {
        format: LogFormat::Text,
        filter: arguments.log,
    };
    super::log(&log, None)?;
    let settings = Settings {
        listen: arguments.listen,
        data_dir: arguments.data_dir,
        settle_ms: arguments.settle_ms,
        notice_pace_percent: arguments.notice_pace_percent,
        public_url: arguments.public_url,
    };
    let simulator = Simulator::start(settings).await.context("starting the simulators")?;
    println!("simulators   {}", simulator.url());
    println!(
        "  WeChat Pay {}/wechat     Alipay {}/alipay     UnionPay {}/unionpay",
        simulator.url(),
        simulator.url(),
        simulator.url()
    );
    println!(
        "  control    {}/control/{{accounts/<gateway>,books,faults,clock,notices}}",
        simulator.url()
    );
    super::asked_to_stop().await
}
