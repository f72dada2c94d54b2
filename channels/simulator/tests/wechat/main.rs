//! The WeChat Pay gateway over HTTP, as a merchant's server and a user's phone see it.

#[cfg(test)]
mod account;
#[cfg(test)]
mod bills;
#[cfg(test)]
mod business_day;
#[cfg(test)]
mod certified;
#[cfg(test)]
mod closing;
#[cfg(test)]
mod deducting;
#[cfg(test)]
mod door;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod life;
#[cfg(test)]
mod logins;
#[cfg(test)]
mod merchant;
#[cfg(test)]
mod paying_by_code;
#[cfg(test)]
mod phone;
#[cfg(test)]
mod quotas;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod refunding;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod spoiled_bills;
#[cfg(test)]
mod v3_client;
#[cfg(test)]
mod v3_door;
#[cfg(test)]
mod v3_paying;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod wire;
