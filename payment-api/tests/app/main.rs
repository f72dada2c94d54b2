//! The App's door over HTTP, as a phone, a browser and a channel see it, with a real engine behind.

#[cfg(test)]
mod account;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod club;
#[cfg(test)]
mod code;
#[cfg(test)]
mod description;
#[cfg(test)]
mod device;
#[cfg(test)]
mod events;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod mandate;
#[cfg(test)]
mod membership;
#[cfg(test)]
mod notice;
#[cfg(test)]
mod phone;
#[cfg(test)]
mod phone_change;
#[cfg(test)]
mod platform;
#[cfg(test)]
mod records;
