//! The UnionPay gateway as a merchant meets it: over HTTP, with a client and a verifier of the tests' own.

#[cfg(test)]
mod account;
#[cfg(test)]
mod bills;
#[cfg(test)]
mod cards;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod fault;
#[cfg(test)]
mod life;
#[cfg(test)]
mod merchant;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod qr;
#[cfg(test)]
mod refusal;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod reversal;
#[cfg(test)]
mod sealing;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod verifier;
