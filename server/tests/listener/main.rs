//! The listener, spoken to byte by byte.

#[cfg(test)]
mod wire;
