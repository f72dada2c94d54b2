//! Merchants and their keys: registration, the built-in directory, and who signed a request.

mod authenticate;
mod directory;
mod keys;
mod register;

pub use authenticate::{Signature, SignedHeaders, Till, authenticate};
pub use directory::BuiltinDirectory;
pub use keys::{PlatformKeys, PublicKey, unlock_vault};
pub use register::{
    MadeCredential, NewMerchant, add_credential, put_account, register, revoke_credential, weigh_account,
};
