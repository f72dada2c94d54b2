//! The door of the channels' notifications.

use utoipa_axum::router::OpenApiRouter;

use crate::Doors;

/// The paths of notifications.
pub fn router() -> OpenApiRouter<Doors> {
    OpenApiRouter::new()
}
