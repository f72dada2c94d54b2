//! The pages that a user's browser passes when he signs: out to the channel, and back. They carry no token; the address
//! of each proves itself and is good for its mandate only.

mod came_back;
mod page;
mod sign;

use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;

use crate::Doors;

/// The pages; they are no part of the API and not in its description.
pub(super) fn router() -> OpenApiRouter<Doors> {
    OpenApiRouter::new()
        .route("/app/sign/{mandate_id}/{ticket}", get(sign::sign))
        .route(
            "/app/return/{mandate_id}/{nonce}/{state}",
            // Some channels send the browser back with a form.
            get(came_back::came_back).post(came_back::came_back),
        )
}
