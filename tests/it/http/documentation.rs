use crate::support::TestApp;

#[tokio::test]
async fn the_document_names_the_bearer_scheme_and_the_errors() {
    let app = TestApp::new().await;
    let document = app.anonymous().get("/api/openapi.json").await.expect(200).body;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(
        document["components"]["securitySchemes"]["bearer"]["scheme"],
        "bearer"
    );
    let operation = &document["paths"]["/api/v1/admin/my-access"]["get"];
    assert!(operation["responses"]["401"].is_object() && operation["responses"]["503"].is_object());
    assert!(document["paths"]["/dev/token"]["post"].is_object());
}

#[tokio::test]
async fn every_operation_has_its_own_name_and_a_summary() {
    let app = TestApp::new().await;
    let document = app.anonymous().get("/api/openapi.json").await.expect(200).body;
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap_or_default();
            assert!(
                names.insert(name.to_owned()),
                "{method} {path}: {name:?} is used twice"
            );
            let text = operation["summary"].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{method} {path} has no summary");
        }
    }
}

#[tokio::test]
async fn both_pages_come_from_the_program_and_name_no_other_host() {
    let app = TestApp::new().await;
    let anonymous = app.anonymous();
    assert_eq!(
        anonymous.get("/api/docs").await.expect(307).header("location"),
        "/api/docs/"
    );
    for page in ["/api/docs/", "/api/docs/swagger-initializer.js", "/api/redoc"] {
        let reply = anonymous.get(page).await.expect(200);
        assert!(
            !reply.text.contains("http://") && !reply.text.contains("https://"),
            "{page}"
        );
        assert!(
            reply
                .header("content-security-policy")
                .contains("default-src 'self'")
        );
    }
    let bundle = anonymous.get("/api/redoc/redoc-2.5.4.js").await.expect(200);
    assert!(bundle.text.len() > 1_000_000);
    let quiet = TestApp::with(&[("DEBUG", "false")]).await;
    quiet.anonymous().get("/api/docs/").await.expect(404);
}
