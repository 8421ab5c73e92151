//! What a test's server should be like, and the configuration file that says so.

use std::{fmt::Write as _, path::Path};

use super::{binaries::Version, jwt::Operator, tls::Certificates};

/// The name and password of the user that [`Config::system_account`] makes.
pub const SYSTEM_USER: (&str, &str) = ("sys", "sys-secret");

/// How a server is to be started. Everything is on loopback and on ephemeral ports.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub version: Version,
    pub jetstream: bool,
    pub users: Vec<User>,
    pub token: Option<String>,
    /// Public keys that may connect.
    pub nkeys: Vec<String>,
    pub operator: Option<Operator>,
    pub tls: Option<Tls>,
    pub system_account: bool,
    /// Where the account `APP` has the server trace messages.
    pub message_traces: Option<String>,
    /// Verbatim, at the end of the file.
    pub raw: String,
    pub(super) cluster: Option<Member>,
}

/// One node's place in a cluster.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub name: String,
    pub port: u16,
    pub routes: Vec<u16>,
}

/// The server's side of TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    pub certificates: Certificates,
    /// The client must show a certificate of the same authority.
    pub verify_client: bool,
    /// The handshake comes before the server's INFO (2.10 and later).
    pub first: bool,
}

/// One user; an empty list of subjects means no restriction.
#[derive(Clone, Debug)]
pub struct User {
    pub name: String,
    pub password: String,
    /// `APP` (the account that has JetStream) unless said otherwise.
    pub account: String,
    pub may_publish: Vec<String>,
    pub may_subscribe: Vec<String>,
    pub may_not_publish: Vec<String>,
    pub may_not_subscribe: Vec<String>,
}

impl User {
    pub fn new(name: &str, password: &str) -> Self {
        Self {
            name: name.to_owned(),
            password: password.to_owned(),
            account: "APP".to_owned(),
            may_publish: Vec::new(),
            may_subscribe: Vec::new(),
            may_not_publish: Vec::new(),
            may_not_subscribe: Vec::new(),
        }
    }

    pub fn account(mut self, account: &str) -> Self {
        account.clone_into(&mut self.account);
        self
    }

    pub fn may_publish(mut self, subjects: &[&str]) -> Self {
        self.may_publish.extend(subjects.iter().map(ToString::to_string));
        self
    }

    pub fn may_subscribe(mut self, subjects: &[&str]) -> Self {
        self.may_subscribe.extend(subjects.iter().map(ToString::to_string));
        self
    }

    pub fn may_not_publish(mut self, subjects: &[&str]) -> Self {
        self.may_not_publish.extend(subjects.iter().map(ToString::to_string));
        self
    }

    pub fn may_not_subscribe(mut self, subjects: &[&str]) -> Self {
        self.may_not_subscribe.extend(subjects.iter().map(ToString::to_string));
        self
    }
}

impl Config {
    /// Core NATS alone.
    pub fn core() -> Self {
        Self::default()
    }

    /// With JetStream, stored in the server's own temporary directory.
    pub fn jetstream() -> Self {
        Self { jetstream: true, ..Self::default() }
    }

    pub fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// The first user is the one that [`super::Broker::connect`] uses.
    pub fn user(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }

    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub fn nkey(mut self, public_key: &str) -> Self {
        self.nkeys.push(public_key.to_owned());
        self
    }

    pub fn operator(mut self, operator: Operator) -> Self {
        self.operator = Some(operator);
        self
    }

    pub fn tls(mut self, certificates: Certificates) -> Self {
        self.tls = Some(Tls { certificates, verify_client: false, first: false });
        self
    }

    /// Needs [`Config::tls`] before it.
    pub fn verify_client(mut self) -> Self {
        self.tls.as_mut().unwrap().verify_client = true;
        self
    }

    /// Needs [`Config::tls`] before it.
    pub fn tls_first(mut self) -> Self {
        self.tls.as_mut().unwrap().first = true;
        self
    }

    /// A system account with the user [`SYSTEM_USER`]; without users of its own, everybody else who gives no
    /// name lands in the account `APP`.
    pub fn system_account(mut self) -> Self {
        self.system_account = true;
        self
    }

    /// The account `APP` has the server trace messages with a sampled `traceparent` (2.11 and later).
    pub fn message_traces(mut self, subject: &str) -> Self {
        self.message_traces = Some(subject.to_owned());
        self
    }

    /// Lines of the server's own configuration language.
    pub fn raw(mut self, lines: &str) -> Self {
        self.raw.push_str(lines);
        self.raw.push('\n');
        self
    }

    /// The configuration file. Client and monitoring ports are given on the command line.
    pub(super) fn render(&self, directory: &Path) -> String {
        let mut out = String::new();
        if self.jetstream {
            let store = directory.join("store");
            let _ = writeln!(out, "jetstream {{ store_dir: \"{}\" }}", store.display());
        }
        if let Some(member) = &self.cluster {
            let routes: Vec<String> =
                member.routes.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
            let _ = writeln!(
                out,
                "server_name: {}\ncluster {{ name: test, listen: \"127.0.0.1:{}\", routes: [{}] }}",
                member.name,
                member.port,
                routes.join(", ")
            );
        }
        if let Some(tls) = &self.tls {
            let files = &tls.certificates;
            let _ = writeln!(
                out,
                "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: {}{} }}",
                files.server_cert.display(),
                files.server_key.display(),
                files.ca.display(),
                tls.verify_client,
                if tls.first { ", handshake_first: true" } else { "" },
            );
        }
        if let Some(token) = &self.token {
            let _ = writeln!(out, "authorization {{ token: \"{token}\" }}");
        }
        if !self.nkeys.is_empty() {
            let users: Vec<String> = self.nkeys.iter().map(|key| format!("{{ nkey: {key} }}")).collect();
            let _ = writeln!(out, "authorization {{ users: [{}] }}", users.join(", "));
        }
        if let Some(operator) = &self.operator {
            out.push_str(&operator.server_config);
        }
        if self.system_account || self.message_traces.is_some() || !self.users.is_empty() {
            out.push_str(&self.accounts());
        }
        out.push_str(&self.raw);
        out
    }

    fn accounts(&self) -> String {
        let mut names: Vec<&str> = vec!["APP"];
        for user in &self.users {
            if !names.contains(&user.account.as_str()) {
                names.push(&user.account);
            }
        }
        let mut out = String::from("accounts {\n");
        for account in names {
            let mut users: Vec<String> =
                self.users.iter().filter(|user| user.account == account).map(User::render).collect();
            if account == "APP" && self.users.is_empty() {
                users.push("{ user: anyone, password: anyone }".to_owned());
            }
            let storage = if self.jetstream { "jetstream: enabled, " } else { "" };
            let traces = match &self.message_traces {
                Some(subject) if account == "APP" => {
                    format!("msg_trace: {{ dest: \"{subject}\", sampling: 100 }}, ")
                }
                _ => String::new(),
            };
            let _ = writeln!(
                out,
                "  {account} {{ {storage}{traces}users: [\n    {}\n  ] }}",
                users.join("\n    ")
            );
        }
        if self.system_account {
            let (name, password) = SYSTEM_USER;
            let _ = writeln!(out, "  SYS {{ users: [{{ user: {name}, password: {password} }}] }}");
        }
        out.push_str("}\n");
        if self.system_account {
            out.push_str("system_account: SYS\n");
        }
        if self.users.is_empty() {
            out.push_str("no_auth_user: anyone\n");
        }
        out
    }
}

impl User {
    fn render(&self) -> String {
        let list = |subjects: &[String]| {
            let quoted: Vec<String> = subjects.iter().map(|subject| format!("\"{subject}\"")).collect();
            format!("[{}]", quoted.join(", "))
        };
        let side = |name: &str, allow: &[String], deny: &[String]| {
            let mut parts = Vec::new();
            if !allow.is_empty() {
                parts.push(format!("allow: {}", list(allow)));
            }
            if !deny.is_empty() {
                parts.push(format!("deny: {}", list(deny)));
            }
            if parts.is_empty() { String::new() } else { format!("{name}: {{ {} }}, ", parts.join(", ")) }
        };
        let permissions = format!(
            "{}{}",
            side("publish", &self.may_publish, &self.may_not_publish),
            side("subscribe", &self.may_subscribe, &self.may_not_subscribe)
        );
        let permissions =
            if permissions.is_empty() { permissions } else { format!(", permissions: {{ {permissions}}}") };
        format!("{{ user: \"{}\", password: \"{}\"{permissions} }}", self.name, self.password)
    }
}
