//! channels/alipay
