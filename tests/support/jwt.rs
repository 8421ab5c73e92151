//! Operator mode: an operator, a system account and one JetStream account with a user, all made here.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use nkeys::KeyPair;
use serde_json::{Value, json};

/// The configuration of a server in operator mode, and credentials that it accepts.
#[derive(Clone, Debug)]
pub struct Operator {
    /// Goes into the server's configuration: operator, system account and a memory resolver.
    pub server_config: String,
    /// The user's token alone.
    pub user_jwt: String,
    /// The user's seed alone. A secret of this test.
    pub user_seed: String,
    /// Both in the format of a `.creds` file.
    pub creds: String,
    /// The same for a user of the system account.
    pub system_creds: String,
}

impl Operator {
    /// Makes keys and tokens.
    pub fn make() -> Self {
        let operator = KeyPair::new_operator();
        let system = KeyPair::new_account();
        let account = KeyPair::new_account();

        let operator_jwt =
            token(&operator, &operator, "test-operator", &json!({"type": "operator", "version": 2}));
        let system_jwt = token(&operator, &system, "SYS", &account_claims(0));
        let account_jwt = token(&operator, &account, "APP", &account_claims(-1));
        let (system_user_jwt, system_user_seed) = user(&system, "sys");
        let (user_jwt, user_seed) = user(&account, "app");

        let server_config = format!(
            "operator: {operator_jwt}\nsystem_account: {system_id}\nresolver: MEMORY\n\
             resolver_preload: {{\n  {system_id}: {system_jwt}\n  {account_id}: {account_jwt}\n}}\n",
            system_id = system.public_key(),
            account_id = account.public_key(),
        );
        Self {
            server_config,
            creds: creds(&user_jwt, &user_seed),
            system_creds: creds(&system_user_jwt, &system_user_seed),
            user_jwt,
            user_seed,
        }
    }
}

fn account_claims(storage: i64) -> Value {
    json!({
        "type": "account", "version": 2,
        "default_permissions": {"pub": {}, "sub": {}},
        "limits": {
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
            "conn": -1, "leaf": -1,
            "mem_storage": storage, "disk_storage": storage, "streams": storage, "consumer": storage,
        },
    })
}

fn user(account: &KeyPair, name: &str) -> (String, String) {
    let user = KeyPair::new_user();
    let claims = json!({
        "type": "user", "version": 2, "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1,
    });
    (token(account, &user, name, &claims), user.seed().unwrap())
}

/// A token in NATS' own kind of JWT: Ed25519 over `header.claims`.
fn token(issuer: &KeyPair, subject: &KeyPair, name: &str, nats: &Value) -> String {
    let header = json!({"typ": "JWT", "alg": "ed25519-nkey"});
    let claims = json!({
        "jti": subject.public_key(), "iat": 1_700_000_000, "iss": issuer.public_key(),
        "name": name, "sub": subject.public_key(), "nats": nats,
    });
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let signature = issuer.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn creds(jwt: &str, seed: &str) -> String {
    format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
}
