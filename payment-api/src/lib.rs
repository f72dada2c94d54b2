//! The payment API over HTTP: three doors to the one engine. `till` is for merchants' cashier systems, `app` for the metro
//! App, `notify` for the channels. A door verifies who asks, reads what it is asked, runs one flow, and answers; what the
//! flow does stands in the engine.

pub mod app;
mod entrance;
pub mod notify;
pub mod till;

use std::sync::Arc;

use metropay_core::engine::Engine;
use metropay_core::people::PlatformKeys;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

pub use entrance::{EntranceSettings, Entrances};

/// What the doors stand on. Cheap to clone.
#[derive(Clone)]
pub struct Doors {
    /// The engine, for what moves money.
    pub engine: Arc<Engine>,
    /// The same on other connections to the database, for Apps and for questions of tills: a crowd of them keeps no payment
    /// waiting.
    pub queries: Arc<Engine>,
    /// The keys that answers to merchants are signed with.
    pub keys: Arc<PlatformKeys>,
    /// Who the App is.
    pub app: Arc<app::AppDoor>,
    /// What tills may ask how often.
    pub budgets: Arc<till::Budgets>,
    /// Who cannot be served soon is turned away here.
    pub entrances: Arc<Entrances>,
    /// Cancelled when this node is about to stop: who waits for events goes to another.
    pub leaving: CancellationToken,
}

/// All doors, with their description.
pub fn router() -> OpenApiRouter<Doors> {
    OpenApiRouter::new()
        .merge(till::router())
        .merge(app::router())
        .merge(notify::router())
}
