//! channels/unionpay
