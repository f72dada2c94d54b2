//! The Alipay gateway from outside: over HTTP, with a client of its own that signs and verifies by the reference.

#[cfg(test)]
mod agreements;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod authorising;
#[cfg(test)]
mod bills;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod charsets;
#[cfg(test)]
mod codes;
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
mod providers;
#[cfg(test)]
mod refunds;
#[cfg(test)]
mod rest;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod sealing;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod trades;
#[cfg(test)]
mod wallets;
