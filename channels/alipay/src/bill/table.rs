//! A table's header line and its rows: columns are known by their names, so that added ones do no harm (alipay reference,
//! 6.3).

use std::collections::HashMap;

use metropay_core::channel::BillError;

use super::unreadable;

/// The one column whose text may hold commas: the merchant's own words.
const FREE_TEXT: &str = "商品名称";

/// How many columns a table may have.
const COLUMNS_MAX: usize = 200;

/// The columns of a header line.
#[derive(Debug)]
pub(crate) struct Columns {
    places: HashMap<String, usize>,
    count: usize,
    free_text: Option<usize>,
}

impl Columns {
    /// Reads a header line.
    ///
    /// # Errors
    /// [`BillError::Unreadable`] when it has too many columns.
    pub(super) fn read(line: &str) -> Result<Self, BillError> {
        let names: Vec<String> = line.split(',').take(COLUMNS_MAX + 1).map(plain).collect();
        if names.len() > COLUMNS_MAX {
            return Err(unreadable("the table has too many columns"));
        }
        let free_text = names.iter().position(|name| name == FREE_TEXT);
        let count = names.len();
        let places = names
            .into_iter()
            .enumerate()
            .rev()
            .map(|(place, name)| (name, place))
            .collect();
        Ok(Self {
            places,
            count,
            free_text,
        })
    }

    /// Where a column stands, named with plain brackets: `订单金额(元)`.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    /// Where a column stands that must be there.
    ///
    /// # Errors
    /// [`BillError::Unreadable`] naming it.
    pub(super) fn must(&self, name: &str) -> Result<usize, BillError> {
        self.place(name)
            .ok_or_else(|| unreadable(format!("the table has no column {name}")))
    }

    /// A row.
    ///
    /// # Errors
    /// [`BillError::Unreadable`] when it has fewer fields than the header, or more where no text explains them.
    pub(super) fn row<'a>(&self, line: &'a str) -> Result<Fields<'a>, BillError> {
        let mut fields = Vec::with_capacity(self.count);
        fields.extend(line.split(','));
        let surplus = fields.len().checked_sub(self.count);
        let surplus = surplus.ok_or_else(|| unreadable("a row has fewer fields than the table has columns"))?;
        let shifted_after = match (surplus, self.free_text) {
            (0, _) => usize::MAX,
            (_, Some(place)) => place,
            (_, None) => return Err(unreadable("a row has more fields than the table has columns")),
        };
        Ok(Fields {
            fields,
            shifted_after,
            surplus,
        })
    }
}

/// A header's name without blanks and with plain brackets.
fn plain(name: &str) -> String {
    name.trim().replace('（', "(").replace('）', ")")
}

/// The fields of a row.
pub(crate) struct Fields<'a> {
    fields: Vec<&'a str>,
    shifted_after: usize,
    surplus: usize,
}

impl<'a> Fields<'a> {
    /// The field in this column, without the blanks and tabs around it. Nothing for a column that is not there.
    pub(super) fn text(&self, place: impl Into<Option<usize>>) -> &'a str {
        let Some(place) = place.into() else { return "" };
        let place = if place > self.shifted_after {
            place.saturating_add(self.surplus)
        } else {
            place
        };
        self.fields.get(place).copied().unwrap_or_default().trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_and_commas_belong_to_the_goods() {
        let columns = Columns::read("号\t, 商品名称,订单金额（元）,备注").unwrap();
        assert_eq!(columns.place("订单金额(元)"), Some(2));
        assert!(columns.must("服务费(元)").is_err());
        let row = columns.row("1\t,水, 两瓶,冰的, 4.50\t,").unwrap();
        assert_eq!(
            (row.text(0), row.text(1), row.text(2), row.text(3)),
            ("1", "水", "4.50", "")
        );
        assert_eq!(row.text(None), "");
        assert!(columns.row("1,水,4.50").is_err());
        assert!(Columns::read("a,b").unwrap().row("1,2,3").is_err());
        assert!(Columns::read(&",".repeat(300)).is_err());
    }
}
