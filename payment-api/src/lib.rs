//! payment-api

pub mod app;
