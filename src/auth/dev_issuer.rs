//! The local issuer of development: its own RSA key, kept under the storage folder, and tokens for the people of the
//! development directory. Its tokens are verified exactly as the tenant's are.

use super::claims::Identity;
use super::jwt;
use crate::clients::development_directory::DevelopmentDirectory;
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::id::hex12;
use crate::domain::person::Email;
use crate::domain::time::{Clock, Timestamp};
use anyhow::Context;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde_json::{Value, json};
use std::io::{ErrorKind, Write};
use std::path::Path;

const ISSUER: &str = "urn:workflow-ops:development";
const AUDIENCE: &str = "api://workflow-ops-development";
const TENANT: &str = "development";
const KEY_FILE: &str = "development-issuer.der";

/// How long a token is good, in hours.
const LIFETIME_HOURS: i64 = 12;

/// Mints and checks tokens of development.
pub struct DevIssuer {
    people: DevelopmentDirectory,
    clock: Clock,
    key_id: String,
    signing: EncodingKey,
    verifying: DecodingKey,
    jwk: Value,
}

impl std::fmt::Debug for DevIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DevIssuer")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// A token and when it ends.
#[derive(Debug, Clone)]
pub struct MintedToken {
    /// The token.
    pub token: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl DevIssuer {
    /// Opens the issuer whose key is kept in `storage`; makes the key the first time.
    ///
    /// # Errors
    /// The key can neither be read nor made.
    pub fn open(storage: &Path, people: DevelopmentDirectory, clock: Clock) -> anyhow::Result<Self> {
        let der = read_or_make_key(storage)?;
        let pair = KeyPair::from_pkcs8(&der).map_err(|reason| {
            anyhow::anyhow!("the development key in {KEY_FILE} is not usable ({reason}); delete it")
        })?;
        let public = pair.public_key();
        let modulus = URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero());
        let exponent = URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero());
        let key_id = format!("dev-{}", hex12(&modulus));
        let jwk =
            json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": key_id, "n": modulus, "e": exponent});
        Ok(Self {
            people,
            clock,
            signing: EncodingKey::from_rsa_pem(armoured(&der).as_bytes())?,
            verifying: DecodingKey::from_rsa_components(&modulus, &exponent)?,
            key_id,
            jwk,
        })
    }

    /// The people for whom tokens are minted.
    pub const fn people(&self) -> &DevelopmentDirectory {
        &self.people
    }

    /// The public key as a JWKS document.
    pub fn jwks(&self) -> Value {
        json!({"keys": [self.jwk]})
    }

    /// A token for the person with this address.
    ///
    /// # Errors
    /// Nobody of the development directory has this address.
    pub fn mint(&self, email: &Email) -> Result<MintedToken, ServiceError> {
        let person = self.people.by_email(email).ok_or_else(|| {
            let text = format!("nobody in the development directory has the address {email}");
            ServiceError::not_found(ErrorCode::NotFound, text)
        })?;
        let now = self.clock.now();
        let expires_at = now.plus_minutes(LIFETIME_HOURS * 60);
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "tid": TENANT, "oid": person.aad_id, "sub": person.aad_id,
            "email": person.email, "preferred_username": person.email, "name": person.display_name, "roles": [],
            "iat": now.millis() / 1_000, "nbf": now.millis() / 1_000, "exp": expires_at.millis() / 1_000,
        });
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.key_id.clone());
        let token = jsonwebtoken::encode(&header, &claims, &self.signing)
            .map_err(|error| ServiceError::Defect(error.into()))?;
        Ok(MintedToken { token, expires_at })
    }

    /// Proves who presents `token`.
    ///
    /// # Errors
    /// [`ServiceError::Unauthenticated`].
    pub fn authenticate(&self, token: &str) -> Result<Identity, ServiceError> {
        if jwt::key_id(token)? != self.key_id {
            return Err(ServiceError::Unauthenticated(
                "the token is signed by an unknown key",
            ));
        }
        let claims = jwt::verify(token, &self.verifying)?;
        let expires_at = claims.check_times(self.clock.now())?;
        claims.check_issuer(&[ISSUER.to_owned()])?;
        claims.check_audience(&[AUDIENCE.to_owned()])?;
        claims.check_tenant(TENANT)?;
        claims.to_identity(expires_at)
    }
}

/// The key in the armour that the signer reads.
fn armoured(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

/// The key of `storage`; of several processes that make one at the same time, one wins.
fn read_or_make_key(storage: &Path) -> anyhow::Result<Vec<u8>> {
    let file = storage.join(KEY_FILE);
    if let Some(der) = read_if_there(&file)? {
        return Ok(der);
    }
    std::fs::create_dir_all(storage).with_context(|| format!("cannot create {}", storage.display()))?;
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| anyhow::anyhow!("cannot generate a key"))?;
    let der = pair
        .as_der()
        .map_err(|_| anyhow::anyhow!("the development key cannot be encoded"))?;
    let draft = storage.join(format!("{KEY_FILE}.{}", std::process::id()));
    write_private(&draft, der.as_ref()).with_context(|| format!("cannot write {}", draft.display()))?;
    // A hard link fails when the name is taken, so nobody's key is replaced.
    let linked = std::fs::hard_link(&draft, &file);
    let _ = std::fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("cannot write {}", file.display()))
        }
        _ => read_if_there(&file)?.context("the development key vanished"),
    }
}

fn read_if_there(file: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match std::fs::read(file) {
        Ok(der) => Ok(Some(der)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

fn write_private(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut open = options.open(file)?;
    open.write_all(bytes)?;
    open.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(storage: &Path, clock: &Clock) -> DevIssuer {
        let people = DevelopmentDirectory::load(Path::new("config/people.json")).unwrap();
        DevIssuer::open(storage, people, clock.clone()).unwrap()
    }

    #[test]
    fn a_minted_token_proves_its_person_also_after_a_restart() {
        let storage = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(Timestamp::from_millis(1_767_605_400_000));
        let ann = Email::try_from("ann.lee@example.com").unwrap();
        let minted = open(storage.path(), &clock).mint(&ann).unwrap();
        let again = open(storage.path(), &clock);
        let identity = again.authenticate(&minted.token).unwrap();
        assert_eq!(identity.person.email, ann);
        assert_eq!(identity.person.display_name, "Ann Lee");
        clock.advance(LIFETIME_HOURS * 3_600_000 + 60_000);
        assert!(again.authenticate(&minted.token).is_err());
    }

    #[test]
    fn another_installation_s_token_proves_nothing() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let clock = Clock::System;
        let ann = Email::try_from("ann.lee@example.com").unwrap();
        let foreign = open(two.path(), &clock).mint(&ann).unwrap();
        assert!(open(one.path(), &clock).authenticate(&foreign.token).is_err());
    }
}
