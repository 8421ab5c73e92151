//! Contexts as the `nats` command line writes them, and those that cannot be used.

use super::*;

struct Home {
    directory: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join(".config/nats/context")).unwrap();
        Self { directory }
    }

    fn write(&self, name: &str, text: &str) -> String {
        let file = self.directory.path().join(".config/nats/context").join(format!("{name}.json"));
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    }

    fn load(&self, name: &str) -> Result<NatsOptions, String> {
        let home = self.directory.path().display().to_string();
        let lookup = |name: &str| match name {
            "HOME" => Some(home.clone()),
            "KEYS" => Some("/keys".to_owned()),
            "SECRET" => Some("from-env".to_owned()),
            _ => None,
        };
        load(name, SourceId::from("nats"), &lookup)
            .map(|context| context.options)
            .map_err(|error| error.to_string())
    }

    fn one(&self, text: &str) -> Result<NatsOptions, String> {
        self.write("one", text);
        self.load("one")
    }
}

#[test]
fn a_context_as_the_nats_command_writes_it() {
    let home = Home::new();
    let options = home
        .one(
            r#"{"description": "staging", "url": "nats://a:4222, nats://b:4222", "socks_proxy": "", "token": "",
                "user": "app", "password": "s3cret", "creds": "", "nkey": "", "cert": "~/c.pem",
                "key": "$KEYS/k.pem", "ca": "file:///ca.pem", "nsc": "", "jetstream_domain": "hub",
                "jetstream_api_prefix": "", "jetstream_event_prefix": "events.", "inbox_prefix": "_INBOX_app",
                "user_jwt": "", "color_scheme": "", "tls_first": true, "windows_ca_certs_match": null,
                "future": 1}"#,
        )
        .unwrap();
    assert_eq!(options.servers_shown(), "nats://a:4222, nats://b:4222");
    assert_eq!(options.auth, Auth::UserPassword { user: "app".to_owned(), password: Secret::new("s3cret") });
    let path = |text: &str| Some(PathBuf::from(text));
    assert_eq!(options.tls.cert, Some(home.directory.path().join("c.pem")));
    assert_eq!((options.tls.key, options.tls.ca), (path("/keys/k.pem"), path("/ca.pem")));
    assert!(options.tls.first);
    assert_eq!((options.js_api.as_str(), options.js_event.as_str()), ("$JS.hub.API", "events"));
    assert_eq!(options.inbox_prefix.as_deref(), Some("_INBOX_app"));
}

#[test]
fn an_empty_context_is_the_server_on_this_machine() {
    let options = Home::new().one("{}").unwrap();
    assert_eq!(options.servers_shown(), "nats://127.0.0.1:4222");
    assert_eq!((options.auth, options.js_api.as_str()), (Auth::None, "$JS.API"));
}

#[test]
fn each_kind_of_credentials() {
    let home = Home::new();
    let secret = Secret::new;
    for (text, auth) in [
        (r#"{"creds": "~/a.creds"}"#, Auth::CredsFile(home.directory.path().join("a.creds"))),
        (r#"{"creds": "file:///a.creds"}"#, Auth::CredsFile("/a.creds".into())),
        (r#"{"creds": "env://SECRET"}"#, Auth::Creds(secret("from-env"))),
        (r#"{"nkey": "$KEYS/a.nk"}"#, Auth::NkeyFile("/keys/a.nk".into())),
        (r#"{"nkey": "data:;base64,U1VB"}"#, Auth::Nkey(secret("SUA"))),
        (r#"{"token": "env://SECRET"}"#, Auth::Token(secret("from-env"))),
        (r#"{"token": "plain:text"}"#, Auth::Token(secret("plain:text"))),
        (
            r#"{"user": "app", "password": "env://SECRET", "token": "unused", "creds": "unused"}"#,
            Auth::UserPassword { user: "app".to_owned(), password: secret("from-env") },
        ),
        (
            r#"{"user_jwt": "ey", "user_seed": "SU"}"#,
            Auth::Jwt { jwt: secret("ey"), seed: Some(secret("SU")) },
        ),
        (r#"{"user_jwt": "ey"}"#, Auth::Jwt { jwt: secret("ey"), seed: None }),
        (
            r#"{"url": "nats://in:url@host", "token": "t"}"#,
            Auth::UserPassword { user: "in".to_owned(), password: secret("url") },
        ),
    ] {
        assert_eq!(home.one(text).unwrap().auth, auth, "{text}");
    }
}

#[test]
fn the_api_prefix_wins_over_the_domain() {
    let options = Home::new().one(r#"{"jetstream_domain": "hub", "jetstream_api_prefix": "JS.app.API."}"#);
    assert_eq!(options.unwrap().js_api, "JS.app.API");
}

#[test]
fn what_cannot_be_used_is_refused_by_field_and_file() {
    let home = Home::new();
    let file = home.write("one", "");
    for (text, error) in [
        (
            r#"{"token": "op://vault/nats"}"#,
            "'token' in FILE keeps its secret as op://, which needs the program 'op'; start Headwater with \
             'op run', and refer to the variable it sets as env://NAME",
        ),
        (
            r#"{"creds": "nsc://op/account/user"}"#,
            "'creds' in FILE keeps its secret as nsc://, which needs the program 'nsc'; write the credentials to \
             a file with 'nsc generate creds' and give it with --creds",
        ),
        (
            r#"{"user": "app", "password": "env://NONE"}"#,
            "'password' in FILE names the environment variable NONE, which is not set",
        ),
        (
            r#"{"nsc": "nsc://op/account/user"}"#,
            "'nsc' in FILE is not supported by Headwater; write the credentials to a file with \
             'nsc generate creds' and give it with --creds",
        ),
        (
            r#"{"socks_proxy": "socks5://proxy:1080"}"#,
            "'socks_proxy' in FILE is not supported by Headwater; connect through a tunnel (ssh -L) and give its \
             address with --nats",
        ),
        (
            r#"{"ca": "op://vault/ca"}"#,
            "'ca' in FILE is not supported by Headwater; only a path or file:// can be read there",
        ),
        (
            r#"{"url": "wss://app:s3cret@host"}"#,
            "'url' in FILE: 'wss://***@host': wss:// is not spoken here; give the server's nats:// or tls:// \
             address",
        ),
        ("{\n  \"user\": 7\n}", "FILE:2:11: expected a string"),
        ("{\n  \"user\": \"app\",\n}", "FILE:3:1: this is not JSON"),
        ("{", "FILE:1:1: the JSON ends too early"),
    ] {
        assert_eq!(home.one(text).unwrap_err(), error.replace("FILE", &file), "{text}");
    }
}

#[test]
fn a_missing_context_names_the_nearest() {
    let home = Home::new();
    let directory = home.directory.path().join(".config/nats/context").display().to_string();
    assert_eq!(home.load("prod").unwrap_err(), format!("there is no NATS context 'prod' in {directory}"));
    home.write("prod", "{}");
    home.write("staging", "{}");
    assert_eq!(
        home.load("pord").unwrap_err(),
        format!("there is no NATS context 'pord' in {directory}; did you mean 'prod'?")
    );
    assert_eq!(
        home.load("elsewhere").unwrap_err(),
        format!("there is no NATS context 'elsewhere' in {directory}; there are: prod, staging")
    );
    assert_eq!(
        home.load("../prod").unwrap_err(),
        "'../prod' is not the name of a NATS context; see `nats context ls`"
    );
}

#[test]
fn the_selected_context_is_the_one_in_context_txt() {
    let home = Home::new();
    let xdg = home.directory.path().join(".config").display().to_string();
    let lookup = |name: &str| (name == "XDG_CONFIG_HOME").then(|| xdg.clone());
    assert_eq!(selected(&lookup).unwrap(), None);
    std::fs::write(home.directory.path().join(".config/nats/context.txt"), "prod\n").unwrap();
    assert_eq!(selected(&lookup).unwrap().as_deref(), Some("prod"));
    assert_eq!(selected(&|_: &str| None).unwrap(), None);
    assert_eq!(load("prod", SourceId::from("nats"), &|_: &str| None).unwrap_err(), ContextError::NoHome);
}
