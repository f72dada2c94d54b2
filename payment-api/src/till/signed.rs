//! The extractor of a till's request: verified over its raw bytes before anything else of it is read, and answered under
//! the platform's signature from then on.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, OriginalUri, Request};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use metropay_core::Lane;
use metropay_core::engine::Engine;
use metropay_core::once::Memory;
use metropay_core::people::{PlatformKeys, Signature, Till, authenticate};
use metropay_core::problem::{Code, Problem};
use metropay_core::signing::{self, Authorization};
use metropay_web::{Answer, Call, Seal, read_json};
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::form;
use crate::Doors;

/// A till's request: who asks is proven, and its body is read.
pub(super) struct Signed<T> {
    /// What answers it.
    pub call: Call,
    /// Who asks.
    pub till: Till,
    /// What is asked.
    pub body: T,
}

/// What can be asked.
pub(super) trait Asked: DeserializeOwned {
    /// How well it must be remembered that a request was taken. What only reads, and what its number answers for ever, may be
    /// taken again; what acts may not.
    const MEMORY: Memory;
    /// On whose connections it is answered.
    const LANE: Lane;
}

/// 请求签名 (the request's signature).
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its description is wanted")]
pub(super) struct SignatureHeader {
    /// 请求签名：`METROPAY-<ALG> mch_id="…",serial="…",timestamp="…",nonce="…",signature="…"`。待签名文本共七行，每行以 `\n`
    /// 结尾：`METROPAY-REQUEST`、请求方法、Host 头（小写）、带查询串的原始路径、时间戳（秒）、随机串、请求体的 SHA-256（小写
    /// 十六进制）。签名以 Base64 编码。时间戳与平台相差不超过 300 秒，随机串（16–64 位）只能使用一次。应答（包括拒绝）在
    /// `Metropay-Serial`、`Metropay-Timestamp`、`Metropay-Nonce`、`Metropay-Signature` 中携带平台签名，验签通过前不要采信。
    /// (Seven lines are signed, each ended by `\n`: `METROPAY-REQUEST`, method, Host in lower case, raw path with query,
    /// Unix seconds, nonce, lower-case hex SHA-256 of the body. Answers, refusals too, carry the platform's signature over
    /// `METROPAY-ANSWER`, HTTP status, timestamp, the request's nonce and the hash of the body: believe none before it is
    /// verified.)
    #[param(
        rename = "Authorization",
        example = r#"METROPAY-HMAC-SHA256 mch_id="1900000109",serial="K0A1B2C3D4E5F607",timestamp="1785542400",nonce="4f1c2a9b7d3e48f0a1b2c3d4e5f60718",signature="q9lmD8utQKct6Qc6gc9bEntsUpZ7DRa4bWUEsAfhVBU=""#
    )]
    authorization: String,
}

impl<T: Asked> FromRequest<Doors> for Signed<T> {
    type Rejection = Answer<()>;

    async fn from_request(request: Request, doors: &Doors) -> Result<Self, Answer<()>> {
        let (mut parts, body) = request.into_parts();
        let call = Call::from_request_parts(&mut parts, doors).await?;
        let uri = OriginalUri::from_request_parts(&mut parts, doors).await;
        let target = match &uri {
            Ok(OriginalUri(uri)) => uri.path_and_query().map_or("/", |target| target.as_str()),
            Err(never) => match *never {},
        };
        // The layers have read it whole, under their limit.
        let body = match Bytes::from_request(Request::new(body), doors).await {
            Ok(body) => body,
            Err(unread) => return Err(call.refuse(Problem::fault(unread))),
        };
        let (engine, entrance) = match T::LANE {
            Lane::Queries => (&doors.queries, doors.entrances.queries()),
            Lane::Payments | Lane::Jobs => (&doors.engine, doors.entrances.payments()),
        };
        let asked = async {
            entrance.enter(engine).await?;
            let till = verified((engine, &doors.keys), &call, &parts, target, &body, T::MEMORY).await?;
            if let Err(limited) = doors.budgets.admit(&till.mch_id, engine.clock.now()) {
                till.keep_nonce(engine).await?;
                return Err(limited);
            }
            let body = read_json(&parts.headers, &body).map_err(form::of_amount)?;
            Ok((till, body))
        };
        match asked.await {
            Ok((till, body)) => Ok(Self { call, till, body }),
            Err(problem) => Err(call.refuse(problem)),
        }
    }
}

/// Who asks. From the moment the key is verified every answer is sealed with its signature, a refusal too.
async fn verified(
    (engine, keys): (&Arc<Engine>, &Arc<PlatformKeys>),
    call: &Call,
    parts: &Parts,
    target: &str,
    body: &[u8],
    memory: Memory,
) -> Result<Till, Problem> {
    let values = parts.headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    let header = Authorization::read(values)?;
    let request = signing::Request {
        method: parts.method.as_str(),
        authority: authority(parts)?,
        target,
        body,
    };
    let (signature, till) = authenticate(engine, &header, &request, call.client, memory).await;
    if let Some(signature) = signature {
        call.seal_with(Arc::new(Wax {
            engine: Arc::clone(engine),
            keys: Arc::clone(keys),
            signature,
        }));
    }
    till
}

/// The `Host` header as sent; there must be exactly one.
fn authority(parts: &Parts) -> Result<&str, Problem> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let only = hosts.next().filter(|_| hosts.next().is_none());
    only.and_then(|host| host.to_str().ok()).ok_or_else(|| Problem {
        rule: Some(form::ONE_HOST),
        ..Problem::new(Code::SignMalformed).at("Host")
    })
}

/// Seals answers with the platform's signature.
struct Wax {
    engine: Arc<Engine>,
    keys: Arc<PlatformKeys>,
    signature: Signature,
}

impl Seal for Wax {
    fn seal(&self, status: StatusCode, body: &[u8]) -> Result<HeaderMap, Problem> {
        let now = self.engine.clock.now();
        let signed = self.signature.sign(&self.keys, status.as_u16(), body, now)?;
        let headers = [
            (HeaderName::from_static("metropay-serial"), signed.serial),
            (HeaderName::from_static("metropay-timestamp"), signed.timestamp),
            (HeaderName::from_static("metropay-nonce"), signed.nonce),
            (HeaderName::from_static("metropay-signature"), signed.signature),
        ];
        headers
            .into_iter()
            .map(|(name, value)| Ok((name, HeaderValue::from_str(&value).map_err(Problem::fault)?)))
            .collect()
    }
}
