//! What the App asks over HTTP: who it is, on which device, and the pictures that it shows.

pub mod picture;
pub mod proof;
pub mod token;

use utoipa_axum::router::OpenApiRouter;

use crate::Doors;

/// Who the App is, and what it must prove.
pub struct AppDoor {
    /// Verifies the App's tokens.
    pub tokens: token::TokenVerifier,
    /// Whether every request must carry a proof by the device's key.
    pub require_device_proof: bool,
    /// Where a browser goes after the way back from a channel's page, when the App has a page of its own for it.
    pub return_url: Option<String>,
}

/// The paths of the App.
pub fn router() -> OpenApiRouter<Doors> {
    OpenApiRouter::new()
}
