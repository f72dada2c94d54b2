//! Who asks: a user of the App, proven by a token of the App's server and, where the token is bound to a device, by the
//! device's key.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{Method, Uri};
use metropay_core::clock::Time;
use metropay_core::engine::Engine;
use metropay_core::id::Uid;
use metropay_core::once::Memory;
use metropay_core::problem::{Code, Problem};
use metropay_core::user;
use metropay_web::{Answer, Call};

use super::budget::Budgets;
use super::proof::{self, Asked};
use super::token::{self, TokenClaims};
use crate::Doors;

/// A user of the App who has proven himself.
#[derive(Debug, Clone)]
pub(super) struct Rider {
    /// Who he is.
    pub(super) uid: Uid,
    /// What his token says.
    pub(super) claims: TokenClaims,
    /// What he may ask how often.
    pub(super) budgets: Arc<Budgets>,
}

impl FromRequestParts<Doors> for Rider {
    type Rejection = Answer<()>;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, Answer<()>> {
        let call = Call::from_request_parts(parts, doors).await?;
        admit(parts, doors).await.map_err(|problem| call.refuse(problem))
    }
}

impl Rider {
    /// The names under which his token and his device can be revoked.
    pub(super) fn subjects(&self) -> Vec<String> {
        let device = self.claims.jkt.as_ref().map(|jkt| format!("jkt:{jkt}"));
        [format!("jti:{}", self.claims.jti)].into_iter().chain(device).collect()
    }

    /// When his token counts no more.
    pub(super) fn until(&self) -> Time {
        self.claims.expires_at.plus(token::LEEWAY)
    }

    /// Whether one who was let in before may still stay: for what takes long.
    ///
    /// # Errors
    /// `TOKEN_EXPIRED`, `TOKEN_REVOKED`.
    pub(super) async fn may_stay(&self, engine: &Engine) -> Result<(), Problem> {
        let now = engine.clock.now();
        if now >= self.until() {
            return Err(Problem::new(Code::TokenExpired).fact("server_time", now.unix_seconds()));
        }
        if user::is_revoked(engine, self.subjects()).await? {
            return Err(Problem::new(Code::TokenRevoked));
        }
        Ok(())
    }
}

async fn admit(parts: &Parts, doors: &Doors) -> Result<Rider, Problem> {
    let engine = &doors.queries;
    let token = token::bearer(&parts.headers)?;
    let claims = doors.app.tokens.verify(token, engine.clock.now())?;
    let budgets = parts.extensions.get::<Arc<Budgets>>();
    let rider = Rider {
        uid: claims.uid.clone(),
        claims,
        budgets: Arc::clone(budgets.ok_or_else(|| Problem::fault("the App's router was not given its budgets"))?),
    };
    rider.budgets.requests.take(&rider.uid)?;
    doors.entrances.queries().enter(engine).await?;
    rider.may_stay(engine).await?;
    prove(parts, doors, token, &rider).await?;
    Ok(rider)
}

/// The device proves that it holds the key that the token is bound to, for this request, once.
async fn prove(parts: &Parts, doors: &Doors, token: &str, rider: &Rider) -> Result<(), Problem> {
    if rider.claims.jkt.is_none() && !doors.app.require_device_proof {
        return Ok(());
    }
    let given = proof::header(&parts.headers)?;
    let jkt = rider.claims.jkt.as_deref().ok_or_else(unbound)?;
    let engine = &doors.queries;
    let now = engine.clock.now();
    let (authority, path) = address(&engine.public_url, parts.uri.path())?;
    let asked = Asked {
        method: parts.method.as_str(),
        authority: &authority,
        path: &path,
    };
    let proof = proof::verify(given, &asked, token, jkt, now)?;
    // Whoever sends a proof again must not get a code for it; what he could read he has read with it.
    let memory = match parts.method {
        Method::GET => Memory::MayBeLost,
        _ => Memory::Lasting,
    };
    if !user::use_proof(engine, memory, &proof.thumbprint, &proof.jti, now.plus(proof::KEPT)).await? {
        return Err(Problem::new(Code::DeviceProofReplayed));
    }
    Ok(())
}

/// The platform asks for device proofs, and this token is not bound to a key that could make one.
fn unbound() -> Problem {
    Problem {
        rule: Some("cnf.jkt is the thumbprint of the device key"),
        ..Problem::new(Code::TokenInvalid)
    }
}

/// The address under which the App asked. Host and beginning of the path are those of our public address, not those of
/// the request: whoever passes a request on can write any `Host`, but a proof made for his own address must not count here.
fn address(public_url: &str, path: &str) -> Result<(String, String), Problem> {
    let public: Uri = public_url.parse().map_err(Problem::fault)?;
    let authority = public
        .authority()
        .ok_or_else(|| Problem::fault("the public address has no host"))?;
    let beginning = public.path().trim_end_matches('/');
    Ok((authority.to_string(), format!("{beginning}{path}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_request_stands_under_our_public_address() {
        let cases = [
            ("https://pay.example.com", "pay.example.com", "/app/v1/codes"),
            ("http://127.0.0.1:8080", "127.0.0.1:8080", "/app/v1/codes"),
            ("https://example.com/metro", "example.com", "/metro/app/v1/codes"),
            ("https://example.com/metro/", "example.com", "/metro/app/v1/codes"),
        ];
        for (public, authority, path) in cases {
            let found = address(public, "/app/v1/codes").unwrap();
            assert_eq!(found, (authority.to_owned(), path.to_owned()), "{public}");
        }
        for broken in ["", "/metro", "not an address"] {
            assert_eq!(address(broken, "/").unwrap_err().code, Code::Internal, "{broken}");
        }
    }
}
