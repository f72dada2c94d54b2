//! Further merchants of a world: with accounts of their own, with none, or under the plan of the first.

use anyhow::{Context, Result};
use metropay_core::id::{AccountId, MchId, StoreId};
use metropay_core::people::{self, NewMerchant};
use metropay_core::signing::Algorithm;
use metropay_server::demo::{DemoCredential, DemoMerchant};
use metropay_simulator::Gateway;
use serde_json::{Value, json};

use crate::World;

impl World {
    /// A merchant with a store and an HMAC key, and no account with any channel.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn merchant_without_channels(&self, mch_id: &str) -> Result<DemoMerchant> {
        let engine = self.server.engine();
        let store = format!("{mch_id}-1");
        let new = NewMerchant {
            mch_id: mch_id.into(),
            name: format!("商户 {mch_id}"),
            fee_rate: 60,
            category: None,
            ip_allow: Vec::new(),
            stores: vec![(StoreId(store.clone()), "一号店".to_owned())],
        };
        people::register(engine, new).await?;
        let made = people::add_credential(engine, &mch_id.into(), Algorithm::HmacSha256).await?;
        let merchant = DemoMerchant {
            mch_id: mch_id.to_owned(),
            store_ids: vec![store],
            credentials: vec![DemoCredential {
                serial: made.serial.0,
                algorithm: Algorithm::HmacSha256.word().to_owned(),
                secret: Some(made.private.expose().to_owned()),
                private_key_pem: None,
            }],
        };
        self.knows(merchant.clone());
        Ok(merchant)
    }

    /// A merchant whose WeChat shop stands under the same provider and plan as the first merchant's, so that the two share
    /// their users' contracts.
    ///
    /// # Errors
    /// When something refuses.
    pub async fn merchant_on_the_same_plan(&self, mch_id: &str) -> Result<DemoMerchant> {
        let merchant = self.merchant_without_channels(mch_id).await?;
        let opened = std::fs::read_to_string(self.folder().join("accounts.json"))?;
        let first: Value = serde_json::from_str(&opened)?;
        let first = first.get("wechat").context("the first merchant has a WeChat account")?;
        let wish = json!({ "provider": first["mch_id"], "shop_name": mch_id });
        let shop = self.frame().open_account(Gateway::Wechat, &wish)?;
        let config = json!({
            "mode": first["mode"], "appid": first["appid"], "mch_id": first["mch_id"], "api_key": first["api_key"],
            "plan_id": first["plan_id"], "base_url": first["base_url"], "sub_mch_id": shop["sub_mch_id"],
            "signing_page_url": format!("{}/phone/sign", first["base_url"].as_str().unwrap_or_default()),
        });
        let (engine, number) = (self.server.engine(), MchId::from(mch_id));
        let account = AccountId(format!("{mch_id}-wechat"));
        people::put_account(engine, &number, &account, &"wechat".into(), &config).await?;
        Ok(merchant)
    }
}
