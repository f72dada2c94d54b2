//! A merchant's webhooks, under `/metro/payment/v1/api/webhook/`: where it wants to be told, and what became of each notice.

pub(super) mod create;
pub(super) mod deliveries;
pub(super) mod disable;
pub(super) mod list;
pub(super) mod ping;
pub(super) mod prove;
pub(super) mod remove;
pub(super) mod replay;
pub(super) mod rotate;
pub(super) mod update;

use metropay_core::once::Memory;
use metropay_core::problem::Code;
use metropay_core::webhook::{Endpoint, EndpointState, MadeEndpoint};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::EVERYWHERE;
use super::signed::Asked;

/// What an endpoint of these may refuse with that names one.
const NAMED: &[&[Code]] = &[EVERYWHERE, &[Code::EndpointNotFound]];

/// 通知地址编号 (which endpoint).
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct EndpointNamed {
    /// 通知地址编号 (its number)
    #[schema(example = "WH7K2M9QXR4T1B8VZC5N3D")]
    endpoint_id: String,
}

impl Asked for EndpointNamed {
    const MEMORY: Memory = Memory::Lasting;
    const LANE: metropay_core::Lane = metropay_core::Lane::Queries;
}

/// 通知地址 (an endpoint).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EndpointShown {
    /// 通知地址编号 (its number)
    #[schema(example = "WH7K2M9QXR4T1B8VZC5N3D")]
    endpoint_id: String,
    /// 地址 (its address)
    #[schema(example = "https://shop.example.com/metropay/webhook")]
    url: String,
    /// 说明 (what the merchant calls it)
    description: String,
    /// 订阅的通知类型，`*` 为全部 (what it wants to be told; `*` for everything)
    kinds: Vec<String>,
    /// 状态：UNPROVEN 待验证，ACTIVE 生效，DISABLED 已停用，GONE 地址已返回 410 (how it stands)
    #[schema(value_type = String, example = "ACTIVE")]
    state: EndpointState,
    /// 连续失败次数 (notices in a row that it did not take)
    failures: i32,
    /// 创建时间 (when it was made)
    #[schema(example = "20260801120000")]
    created_at: String,
}

impl From<Endpoint> for EndpointShown {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            kinds: endpoint.wanted(),
            endpoint_id: endpoint.endpoint_id,
            url: endpoint.url,
            description: endpoint.description,
            state: endpoint.state,
            failures: endpoint.failures,
            created_at: endpoint.created_at.stamp(),
        }
    }
}

/// 通知地址及其新密钥，密钥仅此一次返回 (an endpoint with its new keys, which are shown once).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EndpointMade {
    /// 通知地址 (the endpoint)
    endpoint: EndpointShown,
    /// 共享密钥，用于验证 v1 签名，仅此一次返回 (the shared secret for `v1`, shown once)
    #[schema(example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    secret: String,
    /// 平台公钥，用于验证 v1a 签名 (the public key for `v1a`)
    #[schema(example = "whpk_3+5Y7sXUKBZUZyj3aVMjBBi5sSAzyQXQ6JHPhgcpMGQ=")]
    public_key: String,
}

impl From<MadeEndpoint> for EndpointMade {
    fn from(made: MadeEndpoint) -> Self {
        Self {
            endpoint: made.endpoint.into(),
            secret: made.secret.expose().to_owned(),
            public_key: made.public_key,
        }
    }
}
