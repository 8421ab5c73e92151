//! The binary from outside: usage, exit codes, and that help teaches.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::{Command, Output};

/// Runs the binary in an environment of its own: nothing of this machine's NATS settings.
fn headwater(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_headwater"))
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Standard error and exit code; nothing on standard output.
fn refused(arguments: &[&str], environment: &[(&str, &str)]) -> (String, i32) {
    let output = headwater(arguments, environment);
    assert_eq!(text(&output.stdout), "");
    (text(&output.stderr), output.status.code().unwrap())
}

#[test]
fn help_and_version_are_no_errors() {
    let output = headwater(&["--help"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    for part in ["headwater demo", "--nats <[NAME=]URL>", "$NATS_PASSWORD", "Exit codes:", "doctor"] {
        assert!(help.contains(part), "{part} is not in\n{help}");
    }
    assert!(!help.contains('`'), "help is no Markdown:\n{help}");
    let widest = help.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{widest:?}");
    let output = headwater(&["--version"], &[]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "headwater 0.1.0\n".to_owned()));
    for command in ["once", "stream", "trace", "doctor", "demo", "topology"] {
        let output = headwater(&[command, "--help"], &[]);
        assert_eq!(output.status.code(), Some(0), "{command}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2_and_one_line() {
    let (error, code) = refused(&["once", "--format", "xml"], &[]);
    assert_eq!(code, 2);
    assert!(error.contains("invalid value 'xml' for '--format <FORMAT>'"), "{error}");
    assert_eq!(
        refused(&["once", "--nats", "nats://app:s3cret@host:x"], &[]),
        (
            "headwater: --nats: 'nats://***@host:x' is not the address of a NATS server (invalid port number); \
             write nats://host:4222\n"
                .to_owned(),
            2
        )
    );
    assert_eq!(
        refused(&["demo", "--headless", "--broker", "nats://h:4222", "--creds", "/none/x"], &[]),
        ("headwater: --creds: cannot read the credentials file /none/x: no such file\n".to_owned(), 2)
    );
    assert_eq!(
        refused(&["demo", "--headless", "--simulate", "--tls-ca", "/none/x"], &[]),
        (
            "headwater: --tls-ca has no meaning for a demo on a server of its own; it goes with --broker URL\n".to_owned(),
            2
        )
    );
    assert_eq!(
        refused(&["once"], &[("NATS_URL", "amqp://app:s3cret@host")]),
        (
            "headwater: $NATS_URL: 'amqp://***@host': amqp:// is not spoken here; give the server's nats:// or \
             tls:// address\n"
                .to_owned(),
            2
        )
    );
}

#[test]
fn a_theme_that_is_none_is_wrong_usage_wherever_it_is_named() {
    let built_in = "built in: default, mono, light, dusk, colour-blind; or give the path of a .toml file";
    for command in [&[][..], &["once"], &["stream"], &["demo"], &["doctor"]] {
        let asked = [command, &["--theme", "dusc"]].concat();
        let wrong = format!("no theme is called `dusc` (did you mean `dusk`?); {built_in}");
        assert_eq!(refused(&asked, &[]), (format!("headwater: --theme: {wrong}\n"), 2), "{command:?}");
        let by_environment = refused(command, &[("HEADWATER_THEME", "dusc")]);
        assert_eq!(by_environment, (format!("headwater: $HEADWATER_THEME: {wrong}\n"), 2), "{command:?}");
    }
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("my.toml");
    std::fs::write(&file, "[roles]\ntitle = \"gren\"\n").unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(
        refused(&["once", "--theme", file], &[]),
        (
            format!(
                "headwater: --theme: theme {file}:2:1: roles.title: unknown colour `gren` (did you mean `green`?); use a \
                 name, #rrggbb, 0-255 or $palette\n"
            ),
            2
        )
    );
    assert_eq!(
        refused(&["once", "--theme", "/none/my.toml"], &[]),
        ("headwater: --theme: cannot read theme /none/my.toml: no such file\n".to_owned(), 2)
    );
}
