//! The consumption code: its form, and the forms of everybody else.

pub mod foreign;
pub mod form;
pub mod issue;
mod stock;

pub use stock::stock;
