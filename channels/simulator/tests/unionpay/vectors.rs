//! The reference's vectors: the gateway takes what they say is right, the verifier refuses what they say is wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metropay_simulator::{Gateway, Simulator};
use serde_json::json;

use super::merchant::{TOKEN, quick};
use super::verifier::{Doubt, Fields, Verifier, form, scan};

/// 2025-03-01 12:34:56 in China.
const PINNED_MS: i64 = 1_740_803_696_000;

fn vectors_verifier(check_name: bool) -> Verifier {
    let (root_pem, middle_pem) = (include_str!("vectors/root.pem"), include_str!("vectors/middle.pem"));
    Verifier {
        root_pem: root_pem.to_owned(),
        middle_pem: middle_pem.to_owned(),
        check_name,
    }
}

/// A simulator with the merchant of the vectors, its clock at their moment.
async fn simulator() -> (Simulator, Verifier) {
    let sim = Simulator::start(quick()).await.unwrap();
    let clock = &sim.frame().clock;
    clock.set_offset_ms(PINNED_MS - clock.now_ms());
    let wishes = json!({
        "mer_id": "700000000000001", "cert_pem": include_str!("vectors/merchant.pem"), "tr_id": "62000000001",
        "tokens": [TOKEN],
    });
    let account = sim.frame().open_account(Gateway::Unionpay, &wishes).unwrap();
    assert!(
        account["private_key_pem"].is_null(),
        "the gateway does not know this merchant's key"
    );
    let said = |name: &str| account[name].as_str().unwrap().to_owned();
    let verifier = Verifier {
        root_pem: said("root_cert_pem"),
        middle_pem: said("middle_cert_pem"),
        check_name: true,
    };
    (sim, verifier)
}

async fn post(sim: &Simulator, door: &str, body: String) -> String {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(format!("{}/unionpay/gateway/api/{door}.do", sim.url()));
    let request = request.header("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
    request.body(body).send().await.unwrap().text().await.unwrap()
}

fn body_of(sorted: &str, signature: &str) -> String {
    let mut message = scan(sorted);
    message.insert("signature".to_owned(), signature.to_owned());
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(message)
        .finish()
}

#[tokio::test]
async fn the_vectors_of_payment_query_and_opening_are_accepted_as_they_stand() {
    let (sim, verifier) = simulator().await;
    let answer = scan(&post(&sim, "backTransReq", include_str!("vectors/v1.form").to_owned()).await);
    assert_eq!(verifier.verify(&answer, PINNED_MS / 1_000), Ok(()));
    assert_eq!(
        (answer["respCode"].as_str(), answer["orderId"].as_str()),
        ("00", "MCP20250301123456000001")
    );
    assert_eq!(answer["tokenPayData"], format!("{{trId=62000000001&token={TOKEN}}}"));
    assert_eq!(answer["queryId"], "102503011234560000018");

    let query = body_of(include_str!("vectors/v4.sorted"), include_str!("vectors/v4.signature"));
    let answer = scan(&post(&sim, "queryTrans", query).await);
    assert_eq!(verifier.verify(&answer, PINNED_MS / 1_000), Ok(()));
    assert_eq!((answer["respCode"].as_str(), answer["txnAmt"].as_str()), ("00", "1280"));

    let opening = body_of(
        include_str!("vectors/v11.sorted"),
        include_str!("vectors/v11.signature"),
    );
    let page = post(&sim, "frontTransReq", opening).await;
    assert!(
        page.contains("云闪付开通无卡支付") && page.contains("尾号0018"),
        "{page}"
    );
}

#[tokio::test]
async fn the_vector_of_a_file_request_gets_the_file_with_the_vectors_payment() {
    let (sim, verifier) = simulator().await;
    post(&sim, "backTransReq", include_str!("vectors/v1.form").to_owned()).await;
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let clock = &sim.frame().clock;
    // 2025-03-02 09:30:00 in China, when the vector was sent.
    clock.set_offset_ms(clock.offset_ms() + 1_740_879_000_000 - PINNED_MS);
    let body = body_of(include_str!("vectors/v8.sorted"), include_str!("vectors/v8.signature"));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for path in ["unionpay/filedownload/", "unionpay/filedownload"] {
        let request = http.post(format!("{}/{path}", sim.url()));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(body.clone()).send().await.unwrap().text().await.unwrap();
        let answer = scan(&answer);
        assert_eq!(verifier.verify(&answer, 1_740_879_000), Ok(()), "{path}: {answer:?}");
        assert_eq!(answer["respCode"], "00");
        assert_eq!(answer["fileName"], "700000000000001_20250301.zip");
        let (ours, theirs) = (rows(&answer["fileContent"]), rows(include_str!("vectors/v8.content")));
        assert_eq!(ours[..607], theirs[..607], "{path}");
    }
}

/// The lines of the file ZM.
fn rows(content: &str) -> Vec<u8> {
    use std::io::Read as _;
    let deflated = STANDARD.decode(content.trim()).unwrap();
    let mut archive = Vec::new();
    flate2::read::ZlibDecoder::new(deflated.as_slice())
        .read_to_end(&mut archive)
        .unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
    let mut rows = Vec::new();
    archive
        .by_name("INN25030188ZM_700000000000001")
        .unwrap()
        .read_to_end(&mut rows)
        .unwrap();
    rows
}

#[test]
fn the_vectors_of_an_answer_and_a_notification_are_believed() {
    let answer = String::from_utf8(STANDARD.decode(include_str!("vectors/v2.base64")).unwrap()).unwrap();
    assert_eq!(
        vectors_verifier(false).verify(&scan(&answer), PINNED_MS / 1_000),
        Ok(())
    );
    assert_eq!(
        vectors_verifier(true).verify(&scan(&answer), PINNED_MS / 1_000),
        Err(Doubt::NotTheGateway)
    );
    for notification in [include_str!("vectors/v3.form"), include_str!("vectors/v13.form")] {
        assert_eq!(
            vectors_verifier(true).verify(&form(notification), PINNED_MS / 1_000),
            Ok(())
        );
    }
}

#[test]
fn the_forged_vectors_are_not_believed() {
    let verifier = vectors_verifier(true);
    let by_a_merchant = form(include_str!("vectors/v3b.form"));
    assert_eq!(
        verifier.verify(&by_a_merchant, PINNED_MS / 1_000),
        Err(Doubt::NotTheGateway)
    );
    let genuine = form(include_str!("vectors/v3.form"));
    let mut cheaper: Fields = genuine.clone();
    cheaper.insert("txnAmt".to_owned(), "1".to_owned());
    assert_eq!(
        verifier.verify(&cheaper, PINNED_MS / 1_000),
        Err(Doubt::SignatureDoesNotFit)
    );
    let mut without_blank = genuine;
    assert_eq!(without_blank.remove("payCardType").as_deref(), Some(""));
    assert_eq!(
        verifier.verify(&without_blank, PINNED_MS / 1_000),
        Err(Doubt::SignatureDoesNotFit)
    );
}
