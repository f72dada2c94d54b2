//! The WeChat Pay gateway over HTTP, as a merchant's server and a user's phone see it.

mod closing;
mod deducting;
mod door;
mod faults;
mod life;
mod merchant;
mod quotas;
mod receiver;
mod refunding;
mod restart;
mod signing;
mod vectors;
mod wire;
