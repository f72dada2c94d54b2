//! The seal of an answer: headers made over its final status and body, such as the platform's signature.
//!
//! Who asks is known only inside the handler, but the answer may be made outside it (a panic, a handler that is too
//! late). So the handler leaves the seal with its [`Call`](crate::Call), and the layers put it on whatever leaves.

use std::fmt;
use std::sync::{Arc, OnceLock};

use http::{HeaderMap, StatusCode};
use metropay_core::problem::Problem;

/// Seals answers to one request.
pub trait Seal: Send + Sync + 'static {
    /// The headers to add to an answer with this status and body.
    ///
    /// # Errors
    /// A fault; it is answered instead, without a seal.
    fn seal(&self, status: StatusCode, body: &[u8]) -> Result<HeaderMap, Problem>;
}

/// The place of a request's seal, shared by handler and layers.
#[derive(Clone, Default)]
pub(crate) struct SealCell(Arc<OnceLock<Arc<dyn Seal>>>);

impl SealCell {
    pub(crate) fn put(&self, seal: Arc<dyn Seal>) {
        // A second seal would be over a request that was verified twice; the first holds.
        let _ = self.0.set(seal);
    }

    pub(crate) fn get(&self) -> Option<Arc<dyn Seal>> {
        self.0.get().cloned()
    }
}

impl fmt::Debug for SealCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.get().is_some() { "Sealed" } else { "Unsealed" })
    }
}
