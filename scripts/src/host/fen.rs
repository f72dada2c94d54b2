//! Money: exact arithmetic in whole fen with named rounding.

use metropay_core::money::FEN_MAX;
use mlua::{Lua, Result, Table, Value, Variadic};

use super::{described, text, wants, whole};

/// A rate's text, at most.
const RATE_LENGTH_MAX: usize = 32;
/// Parts into which a decimal rate divides an amount at most: `0.00000001‰`.
const PARTS: u128 = 100_000_000_000;
/// Decimals of a rate, at most.
const DECIMALS_MAX: usize = 8;
/// Tiers, at most.
const TIERS_MAX: usize = 32;
/// The numbers of a fraction, at most.
const FRACTION_MAX: u128 = 1_000_000_000;

/// How an amount that is not whole is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounding {
    HalfUp,
    HalfEven,
    Up,
    Down,
}

/// A part of an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) numerator: u128,
    pub(crate) denominator: u128,
}

impl Rate {
    /// Reads `0.6%`, `6‰` or `3/500`. A rate is never above the whole.
    pub(crate) fn parse(text: &str) -> std::result::Result<Self, String> {
        let rate = if let Some((numerator, denominator)) = text.split_once('/') {
            Self {
                numerator: integer(numerator).ok_or_else(|| unread(text))?,
                denominator: integer(denominator).ok_or_else(|| unread(text))?,
            }
        } else if let Some(number) = text.strip_suffix('%') {
            Self::decimal(number, PARTS / 100).ok_or_else(|| unread(text))?
        } else if let Some(number) = text.strip_suffix('‰') {
            Self::decimal(number, PARTS / 1_000).ok_or_else(|| unread(text))?
        } else {
            return Err(unread(text));
        };
        if rate.denominator == 0 || rate.numerator > rate.denominator {
            return Err(format!("the rate `{text}` is more than the whole"));
        }
        Ok(rate)
    }

    /// `number` times `one` parts of [`PARTS`].
    fn decimal(number: &str, one: u128) -> Option<Self> {
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        if decimals.len() > DECIMALS_MAX {
            return None;
        }
        let scale = 10u128.checked_pow(u32::try_from(decimals.len()).ok()?)?;
        let number = integer(whole)?.checked_mul(scale)?.checked_add(integer(decimals)?)?;
        Some(Self {
            numerator: number.checked_mul(one)?.checked_div(scale)?,
            denominator: PARTS,
        })
    }

    /// This part of an amount.
    pub(crate) fn of(self, amount: u64, rounding: Rounding) -> Option<u64> {
        let product = u128::from(amount).checked_mul(self.numerator)?;
        divided(product, self.denominator, rounding)
    }
}

/// `dividend / divisor`, rounded; nothing where that is no amount.
fn divided(dividend: u128, divisor: u128, rounding: Rounding) -> Option<u64> {
    let (quotient, rest) = (dividend.checked_div(divisor)?, dividend.checked_rem(divisor)?);
    let twice = rest.checked_mul(2)?;
    let up = match rounding {
        Rounding::Down => false,
        Rounding::Up => rest > 0,
        Rounding::HalfUp => twice >= divisor,
        Rounding::HalfEven => twice > divisor || twice == divisor && !quotient.is_multiple_of(2),
    };
    let rounded = u64::try_from(quotient.checked_add(u128::from(up))?).ok()?;
    (rounded <= FEN_MAX).then_some(rounded)
}

fn integer(digits: &str) -> Option<u128> {
    let plain = !digits.is_empty() && digits.len() <= 12 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u128 = if plain { digits.parse().ok()? } else { return None };
    (number <= FRACTION_MAX).then_some(number)
}

fn unread(text: &str) -> String {
    format!("`{text}` is no rate; write `0.6%`, `6‰` or `3/500` (at most {DECIMALS_MAX} decimals)")
}

/// The functions under `fen`.
pub(crate) fn table(lua: &Lua) -> Result<Table> {
    let fen = lua.create_table()?;
    fen.raw_set("percent", lua.create_function(|_, args| percent(args))?)?;
    fen.raw_set("ten_thousandths", lua.create_function(|_, args| ten_thousandths(args))?)?;
    fen.raw_set("clamp", lua.create_function(|_, args| clamp(args))?)?;
    fen.raw_set(
        "min",
        lua.create_function(|_, args: Variadic<Value>| extreme(&args, u64::min))?,
    )?;
    fen.raw_set(
        "max",
        lua.create_function(|_, args: Variadic<Value>| extreme(&args, u64::max))?,
    )?;
    fen.raw_set("share", lua.create_function(|_, args| share(args))?)?;
    fen.raw_set("tiers", lua.create_function(|_, args| tiers(&args))?)?;
    fen.raw_set("tier", lua.create_function(|_, args| tier(args))?)?;
    Ok(fen)
}

fn amount(value: &Value, name: &str) -> Result<u64> {
    whole(value, FEN_MAX).map_err(|reason| wants(format!("{name} {reason}")))
}

fn rate(value: &Value) -> Result<Rate> {
    Rate::parse(&text(value, "the rate", RATE_LENGTH_MAX)?).map_err(wants)
}

fn rounding(value: &Value, otherwise: Rounding) -> Result<Rounding> {
    if value.is_nil() {
        return Ok(otherwise);
    }
    match text(value, "the rounding", RATE_LENGTH_MAX)?.as_str() {
        "half_up" => Ok(Rounding::HalfUp),
        "half_even" => Ok(Rounding::HalfEven),
        "up" => Ok(Rounding::Up),
        "down" => Ok(Rounding::Down),
        other => Err(wants(format!(
            "`{other}` is no rounding; there are half_up, half_even, up and down"
        ))),
    }
}

fn number(fen: Option<u64>) -> Result<f64> {
    let fen = fen.ok_or_else(|| wants("the result is no amount"))?;
    exact(fen)
}

/// An amount as Luau's number; every amount has one.
#[expect(
    clippy::cast_precision_loss,
    reason = "amounts end at 2^53 - 1, below which every whole number is a double"
)]
fn exact(fen: u64) -> Result<f64> {
    if fen > FEN_MAX {
        return Err(wants("the result is no amount"));
    }
    Ok(fen as f64)
}

fn percent((of, rated, rounded): (Value, Value, Value)) -> Result<f64> {
    let (of, rated) = (amount(&of, "the amount")?, rate(&rated)?);
    number(rated.of(of, rounding(&rounded, Rounding::HalfUp)?))
}

fn ten_thousandths((of, parts, rounded): (Value, Value, Value)) -> Result<f64> {
    let of = amount(&of, "the amount")?;
    let parts = whole(&parts, 10_000).map_err(|reason| wants(format!("the rate {reason}")))?;
    let rate = Rate {
        numerator: u128::from(parts),
        denominator: 10_000,
    };
    number(rate.of(of, rounding(&rounded, Rounding::HalfUp)?))
}

fn clamp((of, least, most): (Value, Value, Value)) -> Result<f64> {
    let of = amount(&of, "the amount")?;
    let least = amount(&least, "the minimum")?;
    let most = if most.is_nil() {
        FEN_MAX
    } else {
        amount(&most, "the cap")?
    };
    if least > most {
        return Err(wants(format!("the minimum {least} is above the cap {most}")));
    }
    exact(of.clamp(least, most))
}

fn extreme(amounts: &[Value], choose: fn(u64, u64) -> u64) -> Result<f64> {
    let amounts = amounts.iter().map(|value| amount(value, "an amount"));
    let chosen = amounts.reduce(|one, other| Ok(choose(one?, other?)));
    exact(chosen.unwrap_or_else(|| Err(wants("at least one amount is wanted")))?)
}

fn share((of, part, all, rounded): (Value, Value, Value, Value)) -> Result<f64> {
    let (of, part, all) = (
        amount(&of, "the amount")?,
        amount(&part, "the part")?,
        amount(&all, "the whole")?,
    );
    if part > all {
        return Err(wants(format!("the part {part} is more than the whole {all}")));
    }
    if all == 0 {
        return Ok(0.0);
    }
    let rate = Rate {
        numerator: u128::from(part),
        denominator: u128::from(all),
    };
    number(rate.of(of, rounding(&rounded, Rounding::Down)?))
}

/// A tier: up to which amount it reaches (the last has no bound), and its row.
struct Tier {
    up_to: Option<u64>,
    row: Table,
}

fn rows(value: &Value) -> Result<Vec<Tier>> {
    let Value::Table(list) = value else {
        return Err(wants(format!("the tiers must be a list, not {}", described(value))));
    };
    let mut tiers: Vec<Tier> = Vec::new();
    for (place, row) in list.sequence_values::<Value>().enumerate() {
        let name = format!("tiers[{}]", place.saturating_add(1));
        if place >= TIERS_MAX {
            return Err(wants(format!("there are more than {TIERS_MAX} tiers")));
        }
        let Value::Table(row) = row? else {
            return Err(wants(format!("{name} must be a table")));
        };
        let up_to = match row.raw_get::<Value>("up_to")? {
            Value::Nil => None,
            value => Some(amount(&value, &format!("{name}.up_to"))?),
        };
        match tiers.last().map(|before| before.up_to) {
            Some(None) => return Err(wants(format!("{name} stands after the tier without `up_to`"))),
            Some(Some(before)) if up_to.is_some_and(|up_to| up_to <= before) => {
                return Err(wants(format!("{name}.up_to must be more than that of the tier before")));
            }
            _ => tiers.push(Tier { up_to, row }),
        }
    }
    match tiers.last() {
        Some(Tier { up_to: None, .. }) => Ok(tiers),
        _ => Err(wants("the last tier must have no `up_to`")),
    }
}

/// Each slice of the amount at the rate of its own tier; rounded once, at the end.
fn tiers((of, list, rounded): &(Value, Value, Value)) -> Result<f64> {
    let of = amount(of, "the amount")?;
    let (mut sum, mut from) = (0u128, 0u64);
    for Tier { up_to, row } in rows(list)? {
        let rate = rate(&row.raw_get::<Value>("rate")?)?;
        let parts = PARTS
            .checked_rem(rate.denominator)
            .filter(|rest| *rest == 0)
            .and_then(|_| PARTS.checked_div(rate.denominator))
            .and_then(|times| rate.numerator.checked_mul(times))
            .ok_or_else(|| wants("the rate of a tier must be written with % or ‰"))?;
        let to = up_to.map_or(of, |up_to| up_to.min(of));
        let slice = u128::from(to.saturating_sub(from));
        sum = sum.saturating_add(slice.saturating_mul(parts));
        from = from.max(to);
    }
    number(divided(sum, PARTS, rounding(rounded, Rounding::HalfUp)?))
}

/// The tier that a total lies in: the first whose `up_to` it does not pass.
fn tier((total, list): (Value, Value)) -> Result<Table> {
    let total = amount(&total, "the total")?;
    let found = rows(&list)?
        .into_iter()
        .find(|tier| tier.up_to.is_none_or(|up_to| total <= up_to));
    found.map(|tier| tier.row).ok_or_else(|| wants("there is no tier"))
}
