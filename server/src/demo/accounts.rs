//! The demo merchant's accounts with the simulated channels: opened once, and written in the words of each adapter.

use anyhow::{Context, Result};
use metropay_core::engine::Engine;
use metropay_core::id::{AccountId, ChannelId};
use metropay_simulator::Gateway;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What the gateways handed out when the accounts were opened. The private halves are nowhere else.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Opened {
    wechat: Value,
    alipay: Value,
    unionpay: Value,
}

/// An account to set up.
pub(crate) struct DemoAccount {
    pub channel: ChannelId,
    pub account: AccountId,
    pub config: Value,
}

fn account(mch_id: &str, channel: &str) -> (ChannelId, AccountId) {
    (channel.into(), AccountId(format!("{mch_id}-{channel}")))
}

/// Opens the accounts by asking the gateways, or, where they were opened before, tells them our present addresses.
pub(crate) fn open(
    engine: &Engine,
    gateways: impl Fn(Gateway, &Value) -> Result<Value>,
    mch_id: &str,
    before: Option<&Opened>,
) -> Result<Opened> {
    let notify = |channel: &str| {
        let (channel, account) = account(mch_id, channel);
        engine.notify_url(&channel, &account)
    };
    // The documented starting quotas of WeChat (5 payments a day) would end a demo soon.
    let mut wechat = json!({
        "mode": "provider", "shop_name": "地铁便利店", "plan_name": "消费码免密支付", "termination_url": notify("wechat"),
        "daily_success_max": 10_000, "single_max_fen": 500_000, "daily_max_fen": 50_000_000,
    });
    let mut alipay = json!({ "shop_name": "地铁便利店", "app_gateway_url": notify("alipay") });
    let mut unionpay = json!({ "shop_name": "地铁便利店" });
    if let Some(before) = before {
        for (wish, numbers) in [
            (&mut wechat, take(&before.wechat, &["mch_id"])),
            (&mut alipay, take(&before.alipay, &["app_id"])),
            (&mut unionpay, take(&before.unionpay, &["mer_id"])),
        ] {
            merge(wish, numbers);
        }
        if let Some(wish) = wechat.as_object_mut() {
            wish.remove("mode");
        }
    }
    let open = |gateway, wish: &Value, before: Option<&Value>| -> Result<Value> {
        let opened = gateways(gateway, wish).with_context(|| format!("opening an account at {gateway:?}"))?;
        // Keys are handed out once; addresses may be new.
        let mut whole = before.cloned().unwrap_or_else(|| json!({}));
        let fresh = opened.as_object().cloned().unwrap_or_default();
        let fresh: Map<String, Value> = fresh
            .into_iter()
            .filter(|(name, _)| before.is_none() || name.ends_with("_url"))
            .collect();
        merge(&mut whole, fresh);
        Ok(whole)
    };
    Ok(Opened {
        wechat: open(Gateway::Wechat, &wechat, before.map(|before| &before.wechat))?,
        alipay: open(Gateway::Alipay, &alipay, before.map(|before| &before.alipay))?,
        unionpay: open(Gateway::Unionpay, &unionpay, before.map(|before| &before.unionpay))?,
    })
}

fn take(value: &Value, names: &[&str]) -> Map<String, Value> {
    names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), value.get(*name)?.clone())))
        .collect()
}

fn merge(value: &mut Value, more: Map<String, Value>) {
    if let Some(object) = value.as_object_mut() {
        object.extend(more);
    }
}

impl Opened {
    /// What a gateway handed out.
    pub(crate) fn at(&self, gateway: Gateway) -> &Value {
        match gateway {
            Gateway::Wechat => &self.wechat,
            Gateway::Alipay => &self.alipay,
            Gateway::Unionpay => &self.unionpay,
        }
    }

    /// The accounts in the words of the adapters' configurations.
    pub(crate) fn configurations(&self, mch_id: &str) -> Vec<DemoAccount> {
        let (wechat, alipay, unionpay) = (&self.wechat, &self.alipay, &self.unionpay);
        let configurations = [
            (
                "wechat",
                json!({
                    "mode": wechat["mode"], "appid": wechat["appid"], "mch_id": wechat["mch_id"],
                    "sub_mch_id": wechat["sub_mch_id"], "api_key": wechat["api_key"], "plan_id": wechat["plan_id"],
                    "client_cert_pem": wechat["api_cert_pem"], "client_key_pem": wechat["api_key_pem"],
                    "api_v3_key": wechat["api_v3_key"], "public_key_id": wechat["public_key_id"],
                    "public_key_pem": wechat["public_key_pem"], "app_secret": wechat["app_secret"],
                    "payment_code": true, "base_url": wechat["base_url"],
                    "signing_page_url": format!("{}/phone/sign", wechat["base_url"].as_str().unwrap_or_default()),
                }),
            ),
            (
                "alipay",
                json!({
                    "app_id": alipay["app_id"], "seller_id": alipay["seller_id"],
                    "app_private_key": alipay["app_private_key_pem"], "alipay_public_key": alipay["alipay_public_key_pem"],
                    "gateway_url": alipay["gateway_url"], "product_code": alipay["product_code"],
                    "personal_product_code": alipay["personal_product_code"], "sign_scene": alipay["sign_scene"],
                    "sign_channel": "QRCODE", "payment_code": true,
                }),
            ),
            (
                "unionpay",
                json!({
                    "mer_id": unionpay["mer_id"], "sign_cert_pem": unionpay["cert_pem"],
                    "sign_key_pem": unionpay["private_key_pem"], "root_certs_pem": unionpay["root_cert_pem"],
                    "middle_certs_pem": unionpay["middle_cert_pem"], "tr_id": unionpay["tr_id"],
                    "base_url": unionpay["base_url"], "file_url": unionpay["file_url"],
                    "payment_code": true, "term_id": "METRO001",
                }),
            ),
        ];
        configurations
            .into_iter()
            .map(|(channel, config)| {
                let (channel, account) = account(mch_id, channel);
                DemoAccount {
                    channel,
                    account,
                    config,
                }
            })
            .collect()
    }
}
