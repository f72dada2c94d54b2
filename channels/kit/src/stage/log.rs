//! What adapters log while they are tried: everything is kept, so that a secret in it can be found.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing_subscriber::EnvFilter;

/// What is listened to. Gateways that run in the same process are not: what they print is their own.
const FILTER: &str =
    "debug,metropay=trace,metropay_simulator=off,conformance=off,planted=off,hyper=info,hyper_util=info";

static KEPT: OnceLock<Kept> = OnceLock::new();

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What was logged since a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log {
    from: usize,
    listening: bool,
}

impl Log {
    /// Listens from now on. Whoever set a subscriber before us keeps it; then nothing is heard, and said so.
    pub(crate) fn listen() -> Self {
        static LISTENING: OnceLock<bool> = OnceLock::new();
        let kept = KEPT.get_or_init(Kept::default).clone();
        let from = kept.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        let listening = *LISTENING.get_or_init(|| {
            let writer = kept.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_env_filter(EnvFilter::new(FILTER))
                .with_writer(move || writer.clone())
                .with_ansi(false)
                .finish();
            tracing::subscriber::set_global_default(subscriber).is_ok()
        });
        Self { from, listening }
    }

    /// Whether anything can be heard.
    pub(crate) fn hears(self) -> bool {
        self.listening
    }

    /// What was logged since.
    pub(crate) fn text(self) -> String {
        let Some(kept) = KEPT.get() else { return String::new() };
        let bytes = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(bytes.get(self.from..).unwrap_or_default()).into_owned()
    }
}
