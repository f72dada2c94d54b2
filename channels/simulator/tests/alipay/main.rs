//! The Alipay gateway from outside: over HTTP, with a client of its own that signs and verifies by the reference.

#[cfg(test)]
mod agreements;
#[cfg(test)]
mod door;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod life;
#[cfg(test)]
mod merchant;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod refunds;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod trades;
