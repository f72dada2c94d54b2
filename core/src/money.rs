//! Money: whole fen, checked, never a float.

use std::fmt;

use schemars::JsonSchema;
use sea_orm::sea_query::{self, ArrayType, ColumnType, Nullable, Value, ValueTypeErr};
use sea_orm::{ColIdx, DbErr, QueryResult, TryGetError, TryGetable};
use serde::{Deserialize, Serialize};

/// The largest amount anywhere in the product: 2^53 − 1 fen, so that rules and browsers read every amount exactly.
pub const FEN_MAX: u64 = (1 << 53) - 1;

/// An amount in fen (1/100 yuan). Never negative, never above [`FEN_MAX`]; arithmetic is checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u64", into = "u64")]
pub struct Fen(u64);

/// The amount does not fit: below zero or above [`FEN_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an amount must lie between 0 and {FEN_MAX} fen")]
pub struct OutOfRange;

impl Fen {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount of so many fen.
    ///
    /// # Errors
    /// [`OutOfRange`] above [`FEN_MAX`].
    pub const fn new(fen: u64) -> Result<Self, OutOfRange> {
        if fen > FEN_MAX { Err(OutOfRange) } else { Ok(Self(fen)) }
    }

    /// The plain number of fen.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The amount as a signed number, for entries of the ledger and columns of the database.
    pub const fn signed(self) -> i64 {
        // FEN_MAX is far below i64::MAX.
        self.0.cast_signed()
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum.
    ///
    /// # Errors
    /// [`OutOfRange`] above [`FEN_MAX`].
    pub fn plus(self, other: Self) -> Result<Self, OutOfRange> {
        self.0.checked_add(other.0).ok_or(OutOfRange).and_then(Self::new)
    }

    /// The difference.
    ///
    /// # Errors
    /// [`OutOfRange`] below zero.
    pub fn minus(self, other: Self) -> Result<Self, OutOfRange> {
        self.0.checked_sub(other.0).map(Self).ok_or(OutOfRange)
    }

    /// This amount's share `part / whole`, rounded down: how a fee follows a partial refund. Zero of zero is zero.
    pub fn share(self, part: Self, whole: Self) -> Self {
        if whole.is_zero() {
            return Self::ZERO;
        }
        let share = u128::from(self.0)
            .checked_mul(u128::from(part.0))
            .and_then(|product| product.checked_div(u128::from(whole.0)))
            .unwrap_or(0);
        Self(u64::try_from(share).unwrap_or(FEN_MAX).min(FEN_MAX))
    }

    /// `rate` ten-thousandths of this amount, rounded half up: how a fee is computed.
    pub fn ten_thousandths(self, rate: u32) -> Self {
        let product = u128::from(self.0)
            .saturating_mul(u128::from(rate))
            .saturating_add(5_000);
        Self(
            u64::try_from(product.checked_div(10_000).unwrap_or(0))
                .unwrap_or(FEN_MAX)
                .min(FEN_MAX),
        )
    }

    /// The amount in yuan with two decimals (`1234` fen is `12.34`), as people and some channels write it.
    pub fn yuan(self) -> String {
        let (yuan, fen) = (
            self.0.checked_div(100).unwrap_or(0),
            self.0.checked_rem(100).unwrap_or(0),
        );
        format!("{yuan}.{fen:02}")
    }

    /// Reads yuan with none, one or two decimals. Signs, exponents, blanks and further non-zero decimals are refused.
    ///
    /// # Errors
    /// [`OutOfRange`] for everything that is not such a number.
    pub fn from_yuan(text: &str) -> Result<Self, OutOfRange> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        let decimals = decimals.trim_end_matches('0');
        if !digits(whole) || decimals.len() > 2 || !decimals.bytes().all(|b| b.is_ascii_digit()) || text.ends_with('.')
        {
            return Err(OutOfRange);
        }
        let yuan: u64 = whole.parse().map_err(|_| OutOfRange)?;
        let fen: u64 = format!("{decimals:0<2}").parse().map_err(|_| OutOfRange)?;
        yuan.checked_mul(100)
            .and_then(|y| y.checked_add(fen))
            .ok_or(OutOfRange)
            .and_then(Self::new)
    }
}

impl fmt::Display for Fen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl TryFrom<u64> for Fen {
    type Error = OutOfRange;

    fn try_from(fen: u64) -> Result<Self, OutOfRange> {
        Self::new(fen)
    }
}

impl From<Fen> for u64 {
    fn from(fen: Fen) -> Self {
        fen.0
    }
}

impl From<Fen> for Value {
    fn from(fen: Fen) -> Self {
        Self::BigInt(Some(fen.signed()))
    }
}

impl TryGetable for Fen {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        let fen = i64::try_get_by(row, index)?;
        u64::try_from(fen)
            .map_err(|_| OutOfRange)
            .and_then(Self::new)
            .map_err(|error| TryGetError::DbErr(DbErr::Type(error.to_string())))
    }
}

impl sea_query::ValueType for Fen {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        let fen = <i64 as sea_query::ValueType>::try_from(value)?;
        TryInto::<u64>::try_into(fen)
            .map_err(|_| ValueTypeErr)
            .and_then(|fen| Self::new(fen).map_err(|_| ValueTypeErr))
    }

    fn type_name() -> String {
        "Fen".to_owned()
    }

    fn array_type() -> ArrayType {
        ArrayType::BigInt
    }

    fn column_type() -> ColumnType {
        ColumnType::BigInteger
    }
}

impl Nullable for Fen {
    fn null() -> Value {
        Value::BigInt(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn yuan_are_written_with_two_decimals_and_read_with_none_to_two() {
        for (fen, text) in [
            (1, "0.01"),
            (10, "0.10"),
            (100, "1.00"),
            (450, "4.50"),
            (10_000_000_000, "100000000.00"),
        ] {
            assert_eq!(Fen(fen).yuan(), text);
            assert_eq!(Fen::from_yuan(text), Ok(Fen(fen)));
        }
        assert_eq!(Fen::from_yuan("0.1"), Ok(Fen(10)));
        assert_eq!(Fen::from_yuan("7"), Ok(Fen(700)));
        assert_eq!(Fen::from_yuan("4.500"), Ok(Fen(450)));
        for bad in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1.005",
            "1e3",
            " 1",
            "1,000.00",
            "1.-5",
            "99999999999999999",
        ] {
            assert_eq!(Fen::from_yuan(bad), Err(OutOfRange), "{bad}");
        }
    }

    #[test]
    fn a_fee_is_rounded_half_up() {
        assert_eq!(Fen(600).ten_thousandths(60), Fen(4)); // 3.6
        assert_eq!(Fen(75).ten_thousandths(60), Fen(0)); // 0.45
        assert_eq!(Fen(84).ten_thousandths(60), Fen(1)); // 0.504
    }

    proptest! {
        #[test]
        fn what_is_added_can_be_taken_away(a in 0..=FEN_MAX, b in 0..=FEN_MAX) {
            let (a, b) = (Fen(a), Fen(b));
            match a.plus(b) {
                Ok(sum) => prop_assert_eq!(sum.minus(b), Ok(a)),
                Err(OutOfRange) => prop_assert!(a.get() + b.get() > FEN_MAX),
            }
        }

        #[test]
        fn yuan_survive_the_way_there_and_back(fen in 0..=FEN_MAX) {
            prop_assert_eq!(Fen::from_yuan(&Fen(fen).yuan()), Ok(Fen(fen)));
        }

        #[test]
        fn shares_of_growing_parts_grow_and_end_at_the_whole(fee in 0..10_000_000u64, whole in 1..10_000_000u64, a in 0..10_000_000u64) {
            let a = a % (whole + 1);
            prop_assert!(Fen(fee).share(Fen(a), Fen(whole)) <= Fen(fee));
            prop_assert_eq!(Fen(fee).share(Fen(whole), Fen(whole)), Fen(fee));
        }
    }
}
