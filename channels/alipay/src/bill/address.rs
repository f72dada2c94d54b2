//! Where a bill may be fetched from: the address comes in an answer, and the file itself is not signed.

use metropay_core::channel::BillError;
use url::Url;

/// The address to go to. Only an encrypted connection proves whose file it is, so one without encryption is encrypted first
/// (the gateway hands out `http` by default, and serves `https` at the same place); the configured gateway's own host, which
/// may be a simulator or a proxy of one's own, is gone to as it says.
///
/// # Errors
/// [`BillError::Refused`] for everything else.
pub(super) fn allowed(gateway: &str, address: &str) -> Result<Url, BillError> {
    let refused = |reason: &str| BillError::Refused(format!("the bill's address {reason}"));
    let mut url = Url::parse(address).map_err(|_| refused("is none"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("names a user"));
    }
    let ours = Url::parse(gateway).ok();
    let is_ours = ours.is_some_and(|ours| ours.host().is_some() && ours.host() == url.host());
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_ours => Ok(url),
        "http" if url.port().is_none() => {
            url.set_scheme("https").map_err(|()| refused("cannot be encrypted"))?;
            Ok(url)
        }
        _ => Err(refused("is neither https nor on the gateway's own host")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAY: &str = "https://openapi.alipay.com/gateway.do";

    #[test]
    fn the_file_comes_encrypted_or_from_the_gateways_own_host() {
        let at = |gateway: &str, address: &str| allowed(gateway, address).map(String::from);
        let path = "downloadBillFile.resource?bizType=trade&token=1";
        for scheme in ["http", "https"] {
            assert_eq!(
                at(GATEWAY, &format!("{scheme}://dwbillcenter.alipay.com/{path}")),
                Ok(format!("https://dwbillcenter.alipay.com/{path}"))
            );
        }
        let own = format!("http://127.0.0.1:9000/{path}");
        assert_eq!(at("http://127.0.0.1:8000/gateway.do", &own), Ok(own.clone()));
        for address in [
            own.as_str(),
            "http://10.0.0.1:80/x",
            "ftp://dwbillcenter.alipay.com/x",
            "file:///etc/passwd",
            "https://user:secret@dwbillcenter.alipay.com/x",
            "data:text/plain,x",
            "no address",
            "",
        ] {
            let answer = at(GATEWAY, address);
            let encrypted = answer.as_ref().is_ok_and(|url| url.starts_with("https://"));
            assert!(
                encrypted || matches!(answer, Err(BillError::Refused(_))),
                "{address}: {answer:?}"
            );
        }
        assert!(matches!(at(GATEWAY, &own), Err(BillError::Refused(_))));
    }
}
