//! The UnionPay adapter against the simulated gateway, over the real wire. The gateway's own books say who is right.

#[cfg(test)]
mod broken;
#[cfg(test)]
mod life;
#[cfg(test)]
mod reversals;
#[cfg(test)]
mod shop;
