//! channels/wechat
