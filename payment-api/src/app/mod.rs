//! What the App asks over HTTP: the consumption code, the events about it, mandates, memberships, the phone number, consumption records; and the pages
//! that a user's browser passes on its way to a channel's signing page and back.
//!
//! Everything under `/app/v1/` is asked by a [`rider`](self): a user who is proven by a token of the App's own server, on
//! the device that the token is bound to. `/app/sign/` and `/app/return/` are for browsers, which carry no token; their
//! addresses prove themselves. Moments are written in RFC 3339, China time; amounts are fen.

pub mod picture;
pub mod proof;
pub mod token;

mod account;
mod browser;
mod budget;
mod code;
mod device;
mod event;
mod mandate;
mod membership;
mod merchant;
mod moment;
mod named;
mod phone;
mod record;
mod refusal;
mod rider;

use std::sync::Arc;

use axum::Extension;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Doors;
use budget::Budgets;

/// Who the App is, and what it must prove.
pub struct AppDoor {
    /// Verifies the App's tokens.
    pub tokens: token::TokenVerifier,
    /// Whether every request must carry a proof by the device's key.
    pub require_device_proof: bool,
    /// Where a browser goes after the way back from a channel's page, when the App has a page of its own for it.
    pub return_url: Option<String>,
}

/// What the description says of all paths together.
#[derive(OpenApi)]
#[openapi(modifiers(&AppToken))]
struct Description;

struct AppToken;

impl utoipa::Modify for AppToken {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        const TOLD: &str = "App 服务端签发的 JWT。令牌绑定设备密钥（cnf.jkt）时，每个请求还须在 DPoP 头中携带一次性的设备证明 \
                            (a JWT of the App's own server; with cnf.jkt in it, every request carries a DPoP proof)";
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(TOLD))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("app_token", SecurityScheme::Http(bearer));
    }
}

/// The paths of the App.
pub fn router() -> OpenApiRouter<Doors> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(account::open::open, account::show::show, account::close::close))
        .routes(routes!(code::issue::issue))
        .routes(routes!(code::state::state))
        .routes(routes!(event::stream::stream))
        .routes(routes!(event::poll::poll))
        .routes(routes!(mandate::list::list, mandate::sign::sign))
        .routes(routes!(mandate::show::show, mandate::close::close))
        .routes(routes!(merchant::channels::channels))
        .routes(routes!(merchant::prefer::prefer))
        .routes(routes!(membership::list::list))
        .routes(routes!(
            membership::show::show,
            membership::join::join,
            membership::leave::leave
        ))
        .routes(routes!(phone::send_code::send_code))
        .routes(routes!(phone::change::change))
        .routes(routes!(record::list::list))
        .routes(routes!(record::detail::detail))
        .routes(routes!(record::barcode::barcode))
        .routes(routes!(device::revoke::revoke))
        .merge(browser::router())
        .layer(Extension(Arc::new(Budgets::default())))
}
