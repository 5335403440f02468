//! Forged, foreign and broken tokens in each mode, against a tenant that is a local server.

use super::entra::EntraVerifier;
use super::graph_introspection::GraphIntrospection;
use super::{Authenticator, MAX_TOKEN_LEN, Method};
use crate::config::{AuthMode, AuthSettings};
use crate::domain::error::ServiceError;
use crate::domain::time::{Clock, Timestamp};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rstest::rstest;
use serde_json::{Value, json};
use std::sync::OnceLock;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const TENANT: &str = "11111111-1111-1111-1111-111111111111";
const CLIENT: &str = "22222222-2222-2222-2222-222222222222";
const NOW: i64 = 1_767_605_400;

/// An RSA key with its public half as a JWKS entry.
struct Key {
    id: &'static str,
    signing: EncodingKey,
    public_pem: String,
    jwk: Value,
}

impl Key {
    fn generate(id: &'static str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = pair.as_der().unwrap();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der.as_ref())
        );
        let public = pair.public_key();
        let n = URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero());
        let e = URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero());
        let spki = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(public).unwrap();
        let public_pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(spki.as_ref())
        );
        Self {
            id,
            signing: EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(),
            public_pem,
            jwk: json!({"kty": "RSA", "use": "sig", "kid": id, "n": n, "e": e}),
        }
    }

    fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.id.to_owned());
        jsonwebtoken::encode(&header, claims, &self.signing).unwrap()
    }
}

fn tenant_key() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| Key::generate("tenant-1"))
}

fn second_key() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| Key::generate("tenant-2"))
}

fn attacker_key() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| Key::generate("tenant-1"))
}

fn settings(authority: &str) -> AuthSettings {
    AuthSettings {
        mode: AuthMode::EntraApi,
        tenant_id: TENANT.to_owned(),
        client_id: CLIENT.to_owned(),
        client_secret: None,
        audience: Some("api://further".to_owned()),
        required_scope: Some("access_as_user".to_owned()),
        authority: authority.parse().unwrap(),
    }
}

fn clock() -> Clock {
    Clock::fixed(Timestamp::from_millis(NOW * 1_000))
}

fn good_claims(authority: &str) -> Value {
    json!({
        "iss": format!("{authority}/{TENANT}/v2.0"), "aud": CLIENT, "tid": TENANT, "oid": "oid-ann",
        "preferred_username": "Ann.Lee@Contoso.com", "name": "Ann Lee", "scp": "access_as_user", "ver": "2.0",
        "iat": NOW, "nbf": NOW, "exp": NOW + 3_600,
    })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    let map = claims.as_object_mut().unwrap();
    if value.is_null() {
        map.remove(name);
    } else {
        map.insert(name.to_owned(), value);
    }
    claims
}

async fn tenant(keys: &[&Key]) -> MockServer {
    let server = MockServer::start().await;
    serve_keys(&server, keys).await;
    server
}

async fn serve_keys(server: &MockServer, keys: &[&Key]) {
    let mut all: Vec<Value> = keys.iter().map(|key| key.jwk.clone()).collect();
    // Keys of other kinds in the same set are passed over; an octet key would be a shared secret.
    all.push(json!({"kty": "oct", "kid": "octet", "k": "c2VjcmV0", "alg": "HS256"}));
    all.push(json!({"kty": "NEW", "kid": "future"}));
    Mock::given(method("GET"))
        .and(path(format!("/{TENANT}/discovery/v2.0/keys")))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"keys": all})))
        .mount(server)
        .await;
}

fn is_refused(outcome: &Result<super::Identity, ServiceError>) -> bool {
    matches!(outcome, Err(ServiceError::Unauthenticated(_)))
}

fn is_unavailable(outcome: &Result<super::Identity, ServiceError>) -> bool {
    matches!(outcome, Err(ServiceError::Unavailable { .. }))
}

#[tokio::test]
async fn a_good_token_of_either_issuer_proves_its_person() {
    let server = tenant(&[tenant_key()]).await;
    let verifier = EntraVerifier::new(&settings(&server.uri()), clock()).unwrap();
    let claims = good_claims(&server.uri());
    let identity = verifier.authenticate(&tenant_key().sign(&claims)).await.unwrap();
    assert_eq!(identity.person.email.as_str(), "Ann.Lee@contoso.com");
    assert_eq!(identity.person.aad_id.as_deref(), Some("oid-ann"));
    for (name, value) in [
        ("iss", json!(format!("https://sts.windows.net/{TENANT}/"))),
        ("aud", json!(format!("api://{CLIENT}"))),
        ("aud", json!(["other", "api://further"])),
        ("exp", json!(NOW - 59)),
        ("nbf", json!(NOW + 59)),
        ("exp", json!(f64::from(i32::MAX) + 0.5)),
        ("preferred_username", json!("ann@corp.local")),
        ("name", Value::Null),
    ] {
        let token = tenant_key().sign(&with(claims.clone(), name, value.clone()));
        assert!(verifier.authenticate(&token).await.is_ok(), "{name} {value}");
    }
    let application = with(with(claims, "scp", Value::Null), "roles", json!(["reader"]));
    assert_eq!(
        verifier
            .authenticate(&tenant_key().sign(&application))
            .await
            .unwrap()
            .token_roles,
        ["reader"]
    );
}

#[rstest]
#[case::wrong_issuer("iss", json!("https://login.evil.example/v2.0"))]
#[case::no_issuer("iss", Value::Null)]
#[case::issuer_list("iss", json!(["x"]))]
#[case::wrong_audience("aud", json!("00000003-0000-0000-c000-000000000000"))]
#[case::no_audience("aud", Value::Null)]
#[case::wrong_tenant("tid", json!("33333333-3333-3333-3333-333333333333"))]
#[case::no_tenant("tid", Value::Null)]
#[case::expired("exp", json!(NOW - 61))]
#[case::no_expiry("exp", Value::Null)]
#[case::expiry_as_text("exp", json!("never"))]
#[case::enormous_expiry("exp", json!(i64::MAX))]
#[case::not_yet("nbf", json!(NOW + 61))]
#[case::start_as_text("nbf", json!("soon"))]
#[case::no_object_id("oid", Value::Null)]
#[case::empty_object_id("oid", json!(" "))]
#[case::no_address("preferred_username", Value::Null)]
#[case::bad_address("preferred_username", json!("not an address"))]
#[case::no_scope("scp", Value::Null)]
#[case::other_scope("scp", json!("access_as_user_not User.Read"))]
#[tokio::test]
async fn a_signed_token_with_a_wrong_claim_proves_nothing(#[case] name: &str, #[case] value: Value) {
    let server = tenant(&[tenant_key()]).await;
    let verifier = EntraVerifier::new(&settings(&server.uri()), clock()).unwrap();
    let token = tenant_key().sign(&with(good_claims(&server.uri()), name, value));
    assert!(is_refused(&verifier.authenticate(&token).await));
}

/// A token put together by hand.
fn forged(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.{}",
        part(header),
        part(claims),
        URL_SAFE_NO_PAD.encode(signature)
    )
}

#[tokio::test]
async fn forged_tokens_prove_nothing() {
    let server = tenant(&[tenant_key()]).await;
    let verifier = EntraVerifier::new(&settings(&server.uri()), clock()).unwrap();
    let claims = good_claims(&server.uri());
    let hmac = |secret: &[u8], kid: &str| {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(kid.to_owned());
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap()
    };
    let mut with_own_key = Header::new(Algorithm::RS256);
    with_own_key.kid = Some("tenant-1".to_owned());
    with_own_key.jku = Some(format!("{}/attacker/keys", server.uri()));
    with_own_key.jwk = serde_json::from_value(attacker_key().jwk.clone()).ok();
    let genuine = tenant_key().sign(&claims);
    let (front, signature) = genuine.rsplit_once('.').unwrap();
    let tampered = with(claims.clone(), "oid", json!("oid-root"));
    let tokens = [
        (
            "no algorithm",
            forged(&json!({"alg": "none", "kid": "tenant-1"}), &claims, b""),
        ),
        (
            "no algorithm in capitals",
            forged(&json!({"alg": "NONE", "kid": "tenant-1"}), &claims, b""),
        ),
        (
            "hmac with the public key",
            hmac(tenant_key().public_pem.as_bytes(), "tenant-1"),
        ),
        (
            "hmac with the modulus",
            hmac(tenant_key().jwk["n"].as_str().unwrap().as_bytes(), "tenant-1"),
        ),
        ("hmac with the octet key", hmac(b"secret", "octet")),
        ("another key under a known id", attacker_key().sign(&claims)),
        (
            "own key in the header",
            jsonwebtoken::encode(&with_own_key, &claims, &attacker_key().signing).unwrap(),
        ),
        (
            "key id with a path",
            forged(&json!({"alg": "RS256", "kid": "../../etc/passwd"}), &claims, b"x"),
        ),
        (
            "key id that is no text",
            forged(&json!({"alg": "RS256", "kid": {"$ne": ""}}), &claims, b"x"),
        ),
        ("no key id", forged(&json!({"alg": "RS256"}), &claims, b"x")),
        (
            "PS256",
            forged(&json!({"alg": "PS256", "kid": "tenant-1"}), &claims, b"x"),
        ),
        ("no signature", format!("{front}.")),
        ("other claims", {
            let header = genuine.split('.').next().unwrap();
            format!(
                "{header}.{}.{signature}",
                URL_SAFE_NO_PAD.encode(tampered.to_string())
            )
        }),
        ("two parts", front.to_owned()),
        ("four parts", format!("{genuine}.x")),
        ("empty", String::new()),
        ("no base64", "!.!.!".to_owned()),
        ("NUL", "\0.\0.\0".to_owned()),
    ];
    for (what, token) in tokens {
        let outcome = verifier.authenticate(&token).await;
        assert!(is_refused(&outcome), "{what}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_token_that_is_too_long_is_not_looked_at() {
    let server = tenant(&[tenant_key()]).await;
    let verifier = EntraVerifier::new(&settings(&server.uri()), clock()).unwrap();
    let claims = with(
        good_claims(&server.uri()),
        "padding",
        json!("x".repeat(MAX_TOKEN_LEN)),
    );
    let outcome = Authenticator::by(Method::Entra(verifier), &clock())
        .authenticate(&tenant_key().sign(&claims))
        .await;
    assert!(is_refused(&outcome));
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_token_that_was_proved_a_moment_ago_is_believed_until_it_ends_and_a_forged_one_never() {
    let server = tenant(&[tenant_key()]).await;
    let clock = clock();
    let verifier = EntraVerifier::new(&settings(&server.uri()), clock.clone()).unwrap();
    let authenticator = Authenticator::by(Method::Entra(verifier), &clock);
    let token = tenant_key().sign(&good_claims(&server.uri()));
    let first = authenticator.authenticate(&token).await.unwrap();
    assert_eq!(authenticator.authenticate(&token).await.unwrap(), first);
    let mut forged = token.clone();
    forged.replace_range(token.len() - 8.., "AAAAAAAA");
    assert!(is_refused(&authenticator.authenticate(&forged).await));
    let left = first.expires_at.since(clock.now()).num_milliseconds();
    clock.advance(left + 61_000);
    assert!(is_refused(&authenticator.authenticate(&token).await));
}

#[tokio::test]
async fn a_new_key_is_picked_up_and_the_authority_is_not_flooded() {
    let server = tenant(&[tenant_key()]).await;
    let clock = clock();
    let verifier = EntraVerifier::new(&settings(&server.uri()), clock.clone()).unwrap();
    let claims = good_claims(&server.uri());
    let many = futures::future::join_all((0..8).map(|_| {
        let token = tenant_key().sign(&claims);
        let verifier = &verifier;
        async move { verifier.authenticate(&token).await }
    }));
    assert!(many.await.iter().all(Result::is_ok));
    assert_eq!(
        server.received_requests().await.unwrap().len(),
        1,
        "one question for all"
    );
    server.reset().await;
    serve_keys(&server, &[tenant_key(), second_key()]).await;
    for _ in 0..5 {
        assert!(is_refused(
            &verifier.authenticate(&second_key().sign(&claims)).await
        ));
    }
    assert_eq!(
        server.received_requests().await.unwrap().len(),
        0,
        "less than a minute after the last question"
    );
    clock.advance(61_000);
    assert!(verifier.authenticate(&second_key().sign(&claims)).await.is_ok());
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_outage_of_the_authority_is_503_and_known_keys_go_on_working() {
    let server = tenant(&[tenant_key()]).await;
    let clock = clock();
    let verifier = EntraVerifier::new(&settings(&server.uri()), clock.clone()).unwrap();
    let claims = with(good_claims(&server.uri()), "exp", json!(NOW + 1_000_000));
    let token = tenant_key().sign(&claims);
    assert!(verifier.authenticate(&token).await.is_ok());
    server.reset().await;
    clock.advance(25 * 3_600_000);
    assert!(
        verifier.authenticate(&token).await.is_ok(),
        "older than a day, kept while the authority is down"
    );
    assert!(
        is_unavailable(&verifier.authenticate(&second_key().sign(&claims)).await),
        "it may be a new key"
    );
    clock.advance(24 * 3_600_000);
    assert!(
        is_unavailable(&verifier.authenticate(&token).await),
        "older than two days"
    );
    let never = EntraVerifier::new(&settings("http://127.0.0.1:9"), clock).unwrap();
    assert!(is_unavailable(&never.authenticate(&token).await));
}

#[tokio::test]
async fn a_flood_of_unknown_keys_is_one_question_a_minute() {
    let server = tenant(&[tenant_key()]).await;
    let clock = clock();
    let verifier = EntraVerifier::new(&settings(&server.uri()), clock.clone()).unwrap();
    let claims = good_claims(&server.uri());
    assert!(verifier.authenticate(&tenant_key().sign(&claims)).await.is_ok());
    for minute in 1..=2 {
        clock.advance(61_000);
        let flood = (0..500).map(|number| {
            let header = json!({"alg": "RS256", "kid": format!("unknown-{minute}-{number}")});
            let token = forged(&header, &claims, b"x");
            let verifier = &verifier;
            async move { verifier.authenticate(&token).await }
        });
        let outcomes = futures::future::join_all(flood).await;
        assert!(outcomes.iter().all(is_refused));
        assert!(verifier.authenticate(&tenant_key().sign(&claims)).await.is_ok());
        assert_eq!(server.received_requests().await.unwrap().len(), 1 + minute);
    }
}

fn graph_claims() -> Value {
    json!({
        "iss": format!("https://sts.windows.net/{TENANT}/"), "aud": "00000003-0000-0000-c000-000000000000",
        "tid": TENANT, "appid": CLIENT, "oid": "oid-ann", "upn": "ann@contoso.com", "name": "Ann",
        "scp": "User.Read", "exp": NOW + 3_600,
    })
}

async fn graph(status: u16, body: Value) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/v1.0/me"))
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .mount(&server)
        .await;
    server
}

fn introspection(server: &MockServer, clock: Clock) -> GraphIntrospection {
    let base = format!("{}/v1.0", server.uri()).parse().unwrap();
    GraphIntrospection::new(&settings("https://login.example"), &base, clock).unwrap()
}

#[tokio::test]
async fn graph_proves_a_token_once_for_a_while() {
    let server = MockServer::start().await;
    let token = attacker_key().sign(&graph_claims());
    Mock::given(path("/v1.0/me"))
        .and(header("authorization", format!("Bearer {token}").as_str()))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"id": "oid-ann"})))
        .mount(&server)
        .await;
    let clock = clock();
    let introspection = introspection(&server, clock.clone());
    let many = futures::future::join_all((0..8).map(|_| introspection.authenticate(&token)));
    assert!(many.await.iter().all(Result::is_ok));
    assert_eq!(
        server.received_requests().await.unwrap().len(),
        1,
        "requests with one token share one question"
    );
    clock.advance(10 * 60_000);
    assert!(introspection.authenticate(&token).await.is_ok());
    assert_eq!(
        server.received_requests().await.unwrap().len(),
        2,
        "a proof ends after ten minutes"
    );
    clock.advance(3_600_000);
    assert!(
        is_refused(&introspection.authenticate(&token).await),
        "the token itself has ended"
    );
}

#[rstest]
#[case::another_application("appid", json!("44444444-4444-4444-4444-444444444444"))]
#[case::no_application("appid", Value::Null)]
#[case::another_tenant("tid", json!("x"))]
#[case::another_audience("aud", json!(CLIENT))]
#[case::expired("exp", json!(NOW - 61))]
#[tokio::test]
async fn a_graph_token_that_is_not_ours_is_refused_without_asking(#[case] name: &str, #[case] value: Value) {
    let server = graph(200, json!({"id": "oid-ann"})).await;
    let introspection = introspection(&server, clock());
    let token = attacker_key().sign(&with(graph_claims(), name, value));
    assert!(is_refused(&introspection.authenticate(&token).await));
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}

#[rstest]
#[case::graph_refuses(401, json!({}))]
#[case::another_person(200, json!({"id": "oid-ben"}))]
#[tokio::test]
async fn a_graph_token_that_graph_does_not_confirm_is_refused(#[case] status: u16, #[case] body: Value) {
    let server = graph(status, body).await;
    let introspection = introspection(&server, clock());
    let token = attacker_key().sign(&graph_claims());
    assert!(is_refused(&introspection.authenticate(&token).await));
    assert!(is_refused(&introspection.authenticate(&token).await));
    assert_eq!(
        server.received_requests().await.unwrap().len(),
        1,
        "a refusal is remembered for a moment"
    );
}

#[rstest]
#[case::busy(429)]
#[case::broken(500)]
#[case::away(503)]
#[tokio::test]
async fn an_outage_of_graph_is_503(#[case] status: u16) {
    let server = graph(status, json!({})).await;
    let token = attacker_key().sign(&graph_claims());
    assert!(is_unavailable(
        &introspection(&server, clock()).authenticate(&token).await
    ));
}
