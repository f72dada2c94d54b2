//! Merchants as the App sees them: by which channels one can pay there.

pub(super) mod channels;
pub(super) mod prefer;
