//! Signatures: RS256 and nothing else, whatever the token says of itself.

use super::claims::Claims;
use crate::domain::error::ServiceError;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};

const MALFORMED: ServiceError = ServiceError::Unauthenticated("the token is malformed");

/// The key id a token names. Its other header parameters (`jku`, `jwk`, `x5u`) are never looked at, and any
/// algorithm but RS256 is refused before a key is sought.
pub(super) fn key_id(token: &str) -> Result<String, ServiceError> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| MALFORMED)?;
    if header.alg != Algorithm::RS256 {
        return Err(ServiceError::Unauthenticated(
            "the token is signed in a way that is not accepted",
        ));
    }
    header
        .kid
        .filter(|kid| !kid.is_empty() && kid.len() <= 256)
        .ok_or(ServiceError::Unauthenticated("the token names no key"))
}

/// The claims of a token whose signature `key` proves.
///
/// Times, audience and issuer are checked by [`Claims`] against our own clock, so that tests can move it.
pub(super) fn verify(token: &str, key: &DecodingKey) -> Result<Claims, ServiceError> {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    jsonwebtoken::decode::<Map<String, Value>>(token, key, &validation)
        .map(|data| Claims(data.claims))
        .map_err(|_| ServiceError::Unauthenticated("the token's signature is not valid"))
}

/// The claims of a token as it stands; nothing is proved by them.
pub(super) fn unproved_claims(token: &str) -> Result<Claims, ServiceError> {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(MALFORMED);
    };
    let bytes = URL_SAFE_NO_PAD.decode(payload).map_err(|_| MALFORMED)?;
    serde_json::from_slice(&bytes).map(Claims).map_err(|_| MALFORMED)
}
