//! A merchant's configuration of the membership that the platform keeps.

use metropay_core::member::ConfigError;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::point::Points;

/// Points of one yuan at most.
const PER_YUAN_MAX: u32 = 1_000;
/// Levels at most.
const LEVELS_MAX: usize = 16;
/// Letters of a level's name at most.
const NAME_MAX: usize = 16;
/// Letters of the beginning of numbers at most.
const PREFIX_MAX: usize = 8;

/// How the platform keeps a merchant's membership.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberBuiltinConfig {
    /// What members' numbers begin with (会员号前缀): up to 8 capitals and digits.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[0-9A-Z]{0,8}$"))]
    pub number_prefix: String,
    /// Points of each yuan paid (每元积分), 0 to 1000; 0 collects none. Parts of a point are dropped.
    #[serde(default)]
    #[schemars(range(max = 1000))]
    pub points_per_yuan: u32,
    /// Levels (会员等级), each from more points than the one before.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub levels: Vec<Level>,
}

/// A level of members.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// Its name: 金卡.
    #[schemars(length(min = 1, max = 16))]
    pub name: String,
    /// From how many points on.
    pub from_points: u64,
}

impl MemberBuiltinConfig {
    /// Reads it: the beginning of numbers, and how points are counted.
    pub(crate) fn check(self) -> Result<(String, Points), ConfigError> {
        let letters = self
            .number_prefix
            .bytes()
            .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
        if !letters || self.number_prefix.len() > PREFIX_MAX {
            return Err(wrong("number_prefix", "has up to 8 capitals and digits"));
        }
        if self.points_per_yuan > PER_YUAN_MAX {
            return Err(wrong("points_per_yuan", "is at most 1000"));
        }
        if self.levels.len() > LEVELS_MAX {
            return Err(wrong("levels", "has at most 16 levels"));
        }
        let named = |level: &Level| {
            let count = level.name.chars().count();
            (1..=NAME_MAX).contains(&count) && !level.name.chars().any(char::is_control)
        };
        if !self.levels.iter().all(named) {
            return Err(wrong("levels", "have names of 1 to 16 letters"));
        }
        if !self.levels.is_sorted_by(|a, b| a.from_points < b.from_points) {
            return Err(wrong("levels", "must each begin at more points than the one before"));
        }
        let points = Points {
            per_yuan: self.points_per_yuan,
            levels: self.levels,
        };
        Ok((self.number_prefix, points))
    }
}

fn wrong(field: &str, reason: &str) -> ConfigError {
    ConfigError {
        field: field.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_work_is_told_by_its_field() {
        let level = |name: &str, from: u64| json!({ "name": name, "from_points": from });
        let field = |config: serde_json::Value| {
            let config: MemberBuiltinConfig = serde_json::from_value(config).unwrap();
            config.check().err().map(|error| error.field)
        };
        assert_eq!(field(json!({})), None);
        let good =
            json!({ "number_prefix": "SZ01", "points_per_yuan": 1000, "levels": [level("银卡", 0), level("金卡", 1)] });
        assert_eq!(field(good), None);
        for (config, expected) in [
            (json!({ "number_prefix": "sz" }), "number_prefix"),
            (json!({ "number_prefix": "123456789" }), "number_prefix"),
            (json!({ "points_per_yuan": 1001 }), "points_per_yuan"),
            (json!({ "levels": [level("", 0)] }), "levels"),
            (json!({ "levels": [level("a\nb", 0)] }), "levels"),
            (json!({ "levels": [level("a", 1), level("b", 1)] }), "levels"),
            (json!({ "levels": [level("a", 2), level("b", 1)] }), "levels"),
            (
                json!({ "levels": (0..17).map(|n| level("a", n)).collect::<Vec<_>>() }),
                "levels",
            ),
        ] {
            assert_eq!(field(config.clone()).as_deref(), Some(expected), "{config}");
        }
    }
}
