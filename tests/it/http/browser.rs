//! The documentation pages in a real browser. `scripts/check-docs` runs these where chromium and chromedriver are.

use crate::support::TestApp;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// A chromedriver of this test; ends with it.
struct Driver {
    process: Child,
    address: String,
}

impl Driver {
    fn start() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let process = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed");
        Self {
            process,
            address: format!("http://127.0.0.1:{port}"),
        }
    }

    /// A browser that can resolve no name: a page that needs another host fails.
    async fn browser(&self) -> Client {
        let options = json!({"args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1400,2000",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ]});
        let wanted = Capabilities::from_iter([("goog:chromeOptions".to_owned(), options)]);
        let begun = std::time::Instant::now();
        loop {
            let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
            match builder.capabilities(wanted.clone()).connect(&self.address).await {
                Ok(client) => return client,
                Err(error) if begun.elapsed() > PATIENCE => panic!("no browser: {error}"),
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn find(client: &Client, css: &str) -> fantoccini::elements::Element {
    let found = client
        .wait()
        .at_most(PATIENCE)
        .for_element(Locator::Css(css))
        .await;
    found.unwrap_or_else(|error| panic!("{css}: {error}"))
}

/// Every address the page asked for.
async fn requested(client: &Client) -> Vec<String> {
    let script = "return performance.getEntriesByType('resource').map(entry => entry.name)";
    let list = client.execute(script, Vec::new()).await.unwrap();
    list.as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn assert_only_from(base: &str, addresses: &[String]) {
    let elsewhere: Vec<_> = addresses
        .iter()
        .filter(|address| {
            !address.starts_with(base) && !address.starts_with("data:") && !address.starts_with("blob:")
        })
        .collect();
    assert!(elsewhere.is_empty() && !addresses.is_empty(), "{elsewhere:?}");
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver; scripts/check-docs runs it"]
async fn swagger_ui_executes_a_call_with_a_token_from_its_authorize_box() {
    let app = TestApp::with_people().await;
    let driver = Driver::start();
    let browser = driver.browser().await;
    browser.goto(&format!("{}/api/docs", app.base)).await.unwrap();
    find(&browser, ".auth-wrapper button.authorize")
        .await
        .click()
        .await
        .unwrap();
    let token = app.person("mark.stone").token().to_owned();
    find(&browser, ".auth-container input")
        .await
        .send_keys(&token)
        .await
        .unwrap();
    find(&browser, ".auth-btn-wrapper button.authorize")
        .await
        .click()
        .await
        .unwrap();
    find(&browser, ".auth-btn-wrapper button.btn-done")
        .await
        .click()
        .await
        .unwrap();
    find(
        &browser,
        "#operations-access-get_my_access .opblock-summary-control",
    )
    .await
    .click()
    .await
    .unwrap();
    find(&browser, "#operations-access-get_my_access button.execute")
        .await
        .click()
        .await
        .unwrap();
    let answer = find(
        &browser,
        "#operations-access-get_my_access .live-responses-table tbody",
    )
    .await;
    let text = answer.text().await.unwrap();
    assert!(
        text.contains("200") && text.contains("mark.stone@example.com"),
        "{text}"
    );
    assert_only_from(&app.base, &requested(&browser).await);
    browser.close().await.unwrap();
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver; scripts/check-docs runs it"]
async fn redoc_shows_the_document_without_another_host() {
    let app = TestApp::new().await;
    let driver = Driver::start();
    let browser = driver.browser().await;
    browser.goto(&format!("{}/api/redoc/", app.base)).await.unwrap();
    find(&browser, "[id='tag/access/operation/get_my_access']").await;
    assert_only_from(&app.base, &requested(&browser).await);
    browser.close().await.unwrap();
}
