//! The crowd's accounts and contracts with the simulated gateways, which run in a process of their own.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use metropay_core::clock::SystemClock;
use metropay_core::engine::Engine;
use metropay_core::id::{ContractNo, MchId, Uid};
use metropay_core::mandate::{self, Standing};
use metropay_core::people;
use metropay_core::random::SystemRandom;
use metropay_simulator::{Gateway, SignedBefore, Signer};
use serde::Deserialize;
use serde_json::Value;

use crate::demo::http;

/// The gateways, over which users are spread.
const GATEWAYS: [(Gateway, &str); 3] = [
    (Gateway::Wechat, "wechat"),
    (Gateway::Alipay, "alipay"),
    (Gateway::Unionpay, "unionpay"),
];
/// Contracts that a gateway is told of at a time.
const AT_ONCE: usize = 500;

/// Opens the merchant's accounts, and lets a third of the users sign with each.
///
/// # Errors
/// When a gateway or the database refuses.
pub(super) async fn sign(engine: &Arc<Engine>, url: &str, mch_id: &str, users: &[&Uid]) -> Result<()> {
    let http = http::client()?;
    let opened = http::open_accounts(engine, url, mch_id).await?;
    let accounts = opened.configurations(mch_id);
    for ((place, (gateway, channel)), account) in GATEWAYS.into_iter().enumerate().zip(&accounts) {
        ensure!(account.channel.as_str() == channel, "accounts in another order");
        let merchant = MchId::from(mch_id);
        people::put_account(engine, &merchant, &account.account, &account.channel, &account.config)
            .await
            .with_context(|| format!("setting {} up", account.account))?;
        let own: Vec<&Uid> = users.iter().skip(place).step_by(GATEWAYS.len()).copied().collect();
        let path = format!("{url}/control/contracts/{channel}");
        for some in own.chunks(AT_ONCE) {
            let signed = signed(&http, &path, opened.at(gateway), some).await?;
            mandate::take_over(engine, &account.account, &signed)
                .await
                .context("taking contracts over")?;
        }
    }
    Ok(())
}

/// Lets these users sign at a gateway.
async fn signed(http: &reqwest::Client, path: &str, account: &Value, users: &[&Uid]) -> Result<Vec<Standing>> {
    #[derive(Deserialize)]
    struct Handles {
        handles: Vec<String>,
    }
    let field = |names: &[&str]| {
        let found = names.iter().find_map(|name| account.get(*name)?.as_str());
        found.map(str::to_owned)
    };
    let contracts: Vec<Signer> = users
        .iter()
        .map(|uid| Signer {
            no: ContractNo::fresh(&SystemClock, &SystemRandom).0,
            user: uid.0.clone(),
        })
        .collect();
    let wish = SignedBefore {
        account: field(&["mch_id", "app_id", "mer_id"]).context("an account without number")?,
        sub_mch_id: field(&["sub_mch_id"]),
        plan_id: field(&["plan_id"]),
        contracts,
    };
    let answer: Handles = serde_json::from_value(http::post(http, path, &serde_json::to_value(&wish)?).await?)?;
    ensure!(answer.handles.len() == users.len(), "a gateway left users out");
    let told = wish.contracts.into_iter().zip(answer.handles).zip(users);
    Ok(told
        .map(|((signer, handle), uid)| Standing {
            uid: (*uid).clone(),
            contract_no: Some(ContractNo(signer.no)),
            handle,
        })
        .collect())
}
