//! The refusals that endpoints of the App share, for the description.

use metropay_core::problem::Code;

/// Who asks is not proven, or asks too much; and what may always happen.
pub(super) const RIDER: &[Code] = &[
    Code::TokenMissing,
    Code::TokenInvalid,
    Code::TokenExpired,
    Code::TokenRevoked,
    Code::DeviceProofMissing,
    Code::DeviceProofInvalid,
    Code::DeviceProofReplayed,
    Code::RateLimited,
    Code::Internal,
    Code::Unavailable,
];

/// A body that is not taken.
pub(super) const BODY: &[Code] = &[
    Code::JsonInvalid,
    Code::ContentTypeUnsupported,
    Code::BodyTooLarge,
    Code::ParamMissing,
    Code::ParamInvalid,
];
