//! The operators' listener and its figures: servers that share a process, and a database that does not answer.

use metropay_core::metric;

use super::wire::server_with;

async fn scrape(url: &str) -> String {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http.get(format!("{url}/metrics")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}

#[tokio::test]
async fn servers_of_one_process_share_figures_and_a_silent_database_is_said_to_be_silent() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let ops = |config: &mut metropay_server::config::Config| {
        config.server.ops_listen = Some(([127, 0, 0, 1], 0).into());
    };
    let one = server_with(folders[0].path(), ops).await;
    let other = server_with(folders[1].path(), ops).await;
    let due = |value: &str| format!("{}{{kind=\"payment\"}} {value}\n", metric::WORK_DUE);
    for server in [&one, &other] {
        let told = scrape(&server.ops_url().unwrap()).await;
        assert!(told.contains(&due("0")), "{told}");
        assert!(told.contains("# HELP metropay_payments_total ") || !told.contains("metropay_payments_total"));
        assert!(told.contains("# TYPE metropay_alarms_total counter"), "{told}");
        assert!(
            told.contains("metropay_alarms_total{kind=\"amount_mismatch\"} 0"),
            "{told}"
        );
    }
    let ops = other.ops_url().unwrap();
    other.engine().db.close().await.unwrap();
    let told = scrape(&ops).await;
    assert!(told.contains(&due("NaN")), "{told}");
    assert!(told.contains(&format!("{} 1\n", metric::GAUGES_UNREAD)), "{told}");
    // The one beside it is asked for itself.
    assert!(scrape(&one.ops_url().unwrap()).await.contains(&due("0")));
    let outside = reqwest::Client::builder().no_proxy().build().unwrap();
    let outside = outside.get(format!("{}/metrics", one.url())).send().await.unwrap();
    assert_eq!(outside.status(), 404);
}
