//! The door of merchants' tills.

use utoipa_axum::router::OpenApiRouter;

use crate::Doors;

/// What tills may ask how often.
#[derive(Debug, Default)]
pub struct Budgets {}

/// The paths of tills.
pub fn router() -> OpenApiRouter<Doors> {
    OpenApiRouter::new()
}
