//! What the App asks over HTTP: who it is, on which device, and the pictures that it shows.

pub mod picture;
pub mod proof;
pub mod token;
