//! The load driver, played for a second: what it says must be there, and the books must hold afterwards.

#[cfg(test)]
mod short;
