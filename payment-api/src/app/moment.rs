//! Moments as the App reads them.

use metropay_core::clock::Time;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// 时间：RFC 3339，北京时间，毫秒 (RFC 3339, China time, to the millisecond).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-08-01T12:00:00.000+08:00")]
pub(super) struct Moment(pub(super) Time);

impl From<Time> for Moment {
    fn from(time: Time) -> Self {
        Self(time)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.in_china().format("%Y-%m-%dT%H:%M:%S%.3f%:z"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_china_time_to_the_millisecond() {
        let noon = Moment(Time(1_785_556_800_007));
        assert_eq!(serde_json::to_value(noon).unwrap(), "2026-08-01T12:00:00.007+08:00");
    }
}
