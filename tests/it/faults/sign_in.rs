//! The tenant: its keys, by which tokens are checked, and its directory of people.

use super::wire::{Weather, Wire};
use super::{Row, after, said};
use crate::support::{START, TestApp, TestClient};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::time::Instant;
use wiremock::matchers::{method, path, path_regex};
use wiremock::{Mock, MockServer, ResponseTemplate};

const TENANT: &str = "11111111-1111-1111-1111-111111111111";
const CLIENT: &str = "22222222-2222-2222-2222-222222222222";
const MINUTE: i64 = 60_000;
const ME: &str = "/api/v1/directory/me";

/// A tenant whose keys and directory are at the ends of two lines.
struct Tenant {
    server: MockServer,
    keys: Wire,
    directory: Wire,
    signing: EncodingKey,
    jwk: Value,
}

impl Tenant {
    async fn start() -> Self {
        let server = MockServer::start().await;
        let address = server.address().to_string();
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = STANDARD.encode(pair.as_der().unwrap().as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n");
        let public = pair.public_key();
        let n = URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero());
        let e = URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero());
        let tenant = Self {
            keys: Wire::to(&address).await,
            directory: Wire::to(&address).await,
            signing: EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(),
            jwk: json!({"kty": "RSA", "use": "sig", "kid": "a-key", "n": n, "e": e}),
            server,
        };
        tenant.serve_keys(&json!([tenant.jwk])).await;
        let token = json!({"access_token": "a-token", "expires_in": 3_600});
        Mock::given(method("POST"))
            .and(path(format!("/{TENANT}/oauth2/v2.0/token")))
            .respond_with(ResponseTemplate::new(200).set_body_json(token))
            .mount(&tenant.server)
            .await;
        let boss = json!({"id": "2", "displayName": "Boss", "mail": "boss@a.example"});
        for found in ["/v1.0/users/boss@a.example", "/v1.0/users/oid-ann/manager"] {
            Mock::given(path(found))
                .respond_with(ResponseTemplate::new(200).set_body_json(&boss))
                .mount(&tenant.server)
                .await;
        }
        Mock::given(path_regex("^/v1.0/users$"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"value": [boss]})))
            .mount(&tenant.server)
            .await;
        tenant
    }

    async fn serve_keys(&self, keys: &Value) {
        Mock::given(path(format!("/{TENANT}/discovery/v2.0/keys")))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"keys": keys})))
            .with_priority(if keys.as_array().unwrap().is_empty() { 1 } else { 5 })
            .mount(&self.server)
            .await;
    }

    fn authority(&self) -> String {
        format!("http://{}", self.keys.address())
    }

    async fn app(&self) -> TestApp {
        let graph = format!("http://{}/v1.0", self.directory.address());
        TestApp::with(&[
            ("AUTH_MODE", "entra_api"),
            ("AAD_TENANT_ID", TENANT),
            ("AAD_CLIENT_ID", CLIENT),
            ("AAD_CLIENT_SECRET", "secret"),
            ("AAD_AUTHORITY", &self.authority()),
            ("GRAPH_BASE_URL", &graph),
            ("MAIL_TRANSPORT", "disabled"),
        ])
        .await
    }

    fn ann(&self, app: &TestApp) -> TestClient {
        let now = START.millis() / 1_000;
        let claims = json!({
            "iss": format!("{}/{TENANT}/v2.0", self.authority()), "aud": CLIENT, "tid": TENANT, "oid": "oid-ann",
            "preferred_username": "ann@a.example", "name": "Ann", "scp": "access_as_user", "ver": "2.0", "iat": now, "nbf": now,
            "exp": now + 36_000,
        });
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some("a-key".to_owned());
        app.with_token(&jsonwebtoken::encode(&header, &claims, &self.signing).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_tenants_keys_cannot_be_had_nobody_is_called_an_impostor() {
    let faults = [
        (100, "down at the first sign-in", Weather::Broken),
        (110, "slow: answers nothing in time", Weather::Silent),
        (120, "lying: an answer that is no key set", Weather::Garbled),
    ];
    for (order, fault, weather) in faults {
        let tenant = Tenant::start().await;
        let app = tenant.app().await;
        let ann = tenant.ann(&app);
        tenant.keys.turn(weather);
        let begun = Instant::now();
        let reply = ann.get(ME).await.expect(503);
        let took = after(begun);
        assert!(!reply.header("retry-after").is_empty(), "{fault}");
        let live = app.anonymous().get("/health/ready").await.expect(200);
        tenant.keys.turn(Weather::Fair);
        app.clock.advance(MINUTE + 1_000);
        ann.get(ME).await.expect(200);
        Row {
            order,
            dependency: "Tenant's keys",
            fault,
            answer: format!(
                "{} {took}; `/health/ready` {}",
                said(&reply),
                live.status.as_u16()
            ),
            recovery: "200 with the first sign-in a minute after the failed question".to_owned(),
        }
        .keep();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_known_serve_while_the_authority_is_down_or_forgets_them() {
    let tenant = Tenant::start().await;
    let app = tenant.app().await;
    let ann = tenant.ann(&app);
    ann.get(ME).await.expect(200);
    tenant.keys.turn(Weather::Broken);
    app.clock.advance(9 * 60 * MINUTE);
    let known = ann.get(ME).await.expect(200);
    Row {
        order: 130,
        dependency: "Tenant's keys",
        fault: "down while its keys are known",
        answer: format!(
            "{}: the keys are good for 24 hours, and for 48 while they cannot be renewed",
            said(&known)
        ),
        recovery: "none needed".to_owned(),
    }
    .keep();

    let forgetful = Tenant::start().await;
    let app = forgetful.app().await;
    forgetful.serve_keys(&json!([])).await;
    let reply = forgetful.ann(&app).get(ME).await.expect(503);
    Row {
        order: 140,
        dependency: "Tenant's keys",
        fault: "lying: a key set without keys",
        answer: said(&reply),
        recovery: "as above; a set that has keys, but not the token's, is believed: 401".to_owned(),
    }
    .keep();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_directory_fails_people_known_here_answer() {
    let faults = [
        (200, "down", Weather::Broken),
        (210, "slow: answers nothing in time", Weather::Silent),
        (220, "lying: answers that are no HTTP", Weather::Garbled),
    ];
    for (order, fault, weather) in faults {
        let tenant = Tenant::start().await;
        let app = tenant.app().await;
        app.grant_people_their_rights().await;
        let ann = tenant.ann(&app);
        ann.get(ME).await.expect(200);
        tenant.directory.turn(weather);
        let begun = Instant::now();
        let unknown = ann
            .get("/api/v1/directory/users/boss%40a.example")
            .await
            .expect(502);
        let took = after(begun);
        let me = ann.get(ME).await.expect(200);
        let manager = ann.get("/api/v1/directory/me/manager").await.expect(200);
        assert_eq!(manager.text, "null");
        let search = ann
            .get("/api/v1/directory/users/search?q=novak")
            .await
            .expect(200);
        assert_eq!(search.body["items"][0]["email"], "ivan.novak@example.com");
        tenant.directory.turn(Weather::Fair);
        let found = ann
            .get("/api/v1/directory/users/boss%40a.example")
            .await
            .expect(200);
        assert_eq!(found.body["display_name"], "Boss");
        let manager = ann.get("/api/v1/directory/me/manager").await.expect(200);
        assert_eq!(manager.body["display_name"], "Boss");
        Row {
            order,
            dependency: "Directory",
            fault,
            answer: format!(
                "own page {}, manager `null`, a search finds people known here ({}), an unknown address {} {took}",
                said(&me),
                said(&search),
                said(&unknown)
            ),
            recovery: "the next question is answered".to_owned(),
        }
        .keep();
    }
}
