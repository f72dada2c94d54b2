//! The wechat gateway.

use std::sync::Arc;

use axum::Router;
use serde_json::Value;

use crate::frame::{Frame, Refused};

/// Everything the gateway answers, under `/wechat`.
pub(crate) fn router() -> Router<Arc<Frame>> {
    Router::new()
}

/// Takes up again what was pending when the simulator stopped.
pub(crate) fn resume(_frame: &Arc<Frame>) {}

/// Opens a merchant account.
pub(crate) fn open_account(_frame: &Frame, _spec: &Value) -> Result<Value, Refused> {
    Err(Refused("this gateway opens no accounts yet".to_owned()))
}
