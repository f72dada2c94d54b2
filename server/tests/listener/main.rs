//! The listener, spoken to byte by byte.

#[cfg(test)]
mod metrics;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod wire;
