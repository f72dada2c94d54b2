//! The adapter against single answers of a scripted gateway, and against the vectors of the UnionPay reference.

/// A vector, by its file's name.
#[cfg(test)]
macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!("../vectors/", $name))
    };
}

#[cfg(test)]
mod answers;
#[cfg(test)]
mod bills;
#[cfg(test)]
mod code_payments;
#[cfg(test)]
mod contracts;
#[cfg(test)]
#[path = "../file/mod.rs"]
mod file;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod pfx;
#[cfg(test)]
mod reversals;
#[cfg(test)]
mod tokens;
