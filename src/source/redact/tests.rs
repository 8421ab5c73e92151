//! What is taken out of messages, by example and by law.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

fn names() -> Sensitive {
    Sensitive::of(["iban".into(), "date_of_birth".into()])
}

fn text(of: &str) -> (String, Vec<String>) {
    let told = payload(of.as_bytes(), &names());
    let Content::Text(text) = told.content else { panic!("{told:?}") };
    (text.to_string(), told.redacted.iter().map(ToString::to_string).collect())
}

#[test]
fn fields_are_taken_out_and_all_else_stays_as_it_was_written() {
    let (told, redacted) = text(
        r#" {"z":1.50, "a" : 1e3 ,"dateOfBirth":{"y":[1,"}"]},"Access-Token" : "a\"b", "list":[{"IBAN":12,"n":"x: 1"}], "é":null}"#,
    );
    assert_eq!(
        told,
        r#" {"z":1.50, "a" : 1e3 ,"dateOfBirth":"<redacted>","Access-Token" : "<redacted>", "list":[{"IBAN":"<redacted>","n":"x: 1"}], "é":null}"#
    );
    assert_eq!(redacted, ["dateOfBirth", "Access-Token", "IBAN"]);
    assert_eq!(text("{\"n\":1}\n{\"token\":2}").0, "{\"n\":1}\n{\"token\":\"<redacted>\"}");
}

#[test]
fn names_are_read_as_a_program_reads_them_and_texts_may_spell_them_out() {
    assert_eq!(text(r#"{"p\u0061ssword":"x"}"#).0, r#"{"p\u0061ssword":"<redacted>"}"#);
    assert_eq!(text(r#"{"body":"{\"password\":\"x\"}"}"#).0, r#"{"body":"<redacted>"}"#);
    assert_eq!(text(r#"["https://a/?b=1&token=x","token of love"]"#).0, r#"["<redacted>","token of love"]"#);
}

#[test]
fn a_value_beside_its_name_is_taken_out() {
    for (of, told) in [
        (
            r#"{"name":"password","value":"x","n":1}"#,
            r#"{"name":"password","value":"<redacted>","n":"<redacted>"}"#,
        ),
        (
            r#"[{"value":{"a":"x"},"key":"IBAN"},{"key":"b","value":"y"}]"#,
            r#"[{"value":"<redacted>","key":"IBAN"},{"key":"b","value":"y"}]"#,
        ),
        (
            r#"{"op":"replace","path":"/user/password","value":"x"}"#,
            r#"{"op":"<redacted>","path":"/user/password","value":"<redacted>"}"#,
        ),
        (
            r#"[["Authorization","Bearer x"],["Accept","y"]]"#,
            r#"[["Authorization","<redacted>"],["Accept","y"]]"#,
        ),
        (
            r#"{"user.password":"x","@token":"x","user[iban]":"x","tokens":1}"#,
            r#"{"user.password":"<redacted>","@token":"<redacted>","user[iban]":"<redacted>","tokens":1}"#,
        ),
        (r#"{"href":"https://a/token","n":[1, 2]}"#, r#"{"href":"https://a/token","n":[1, 2]}"#),
        (r#"{"name":"password","value":"x\ud800"}"#, r#"{"name":"password","value":"<redacted>"}"#),
        (r#"{"a":"b=1:password","c":1}"#, r#"{"a":"b=1:password","c":"<redacted>"}"#),
    ] {
        assert_eq!(text(of).0, told);
    }
    let within = json!({ "body": r#"{"name":"password","value":"x"}"# }).to_string();
    assert_eq!(text(&within).0, r#"{"body":"<redacted>"}"#);
}

#[test]
fn what_is_written_in_another_way_is_read() {
    for body in [
        "&lt;password&gt;x&lt;/password&gt;",
        "{&quot;password&quot;:&quot;x&quot;}",
        "&amp;lt;password&amp;gt;x",
        "p&#97;ssword: x",
        "&# password=x;",
        "?next=%3Ftoken%3Dx",
        "user[password]=x",
    ] {
        let hidden = "<a b=\"&lt;redacted&gt;\">&lt;redacted&gt;</a>";
        assert_eq!(text(&format!("<a b=\"{body}\">{body}</a>")).0, hidden, "{body}");
        assert_eq!(text(&json!([body]).to_string()).0, r#"["<redacted>"]"#, "{body}");
        let (told, _) = headers([("q", body)], &names());
        assert_eq!(&*told[0].1, MARK, "{body}");
    }
    let hidden = r#"<a n="p&#97;ssword" v="&lt;redacted&gt;"/>"#;
    assert_eq!(text(r#"<a n="p&#97;ssword" v="x"/>"#).0, hidden);
}

#[test]
fn elements_and_attributes_of_xml() {
    let (told, redacted) = text(concat!(
        r#"<?xml version="1.0"?><u a="1" iban='DE'><n:Password x="y"><b>deep</b></n:Password><c>ok</c>"#,
        r#"<p name="token" value="v"/><!-- password: x --></u>"#
    ));
    assert_eq!(
        told,
        concat!(
            r#"<?xml version="1.0"?><u a="1" iban='&lt;redacted&gt;'><n:Password x="&lt;redacted&gt;">&lt;redacted&gt;</n:Password>"#,
            r#"<c>ok</c><p name="token" value="&lt;redacted&gt;"/><!--&lt;redacted&gt;--></u>"#
        )
    );
    assert!(redacted.contains(&"iban".to_owned()) && redacted.contains(&"Password".to_owned()));
}

#[test]
fn what_cannot_be_told_apart_is_withheld() {
    for hidden in [
        &b"user=a&password=b"[..],
        b"{\"password\":\"x\"",
        b"<a><password>x</password>",
        b"\xff\xfep\0a\0s\0s\0w\0d\0",
        b"\x82\xa4name\xa1a\xa8passWord\xa1x\xff",
        b"<e><key>password</key><value>x</value></e>",
        b"<e><key>p&#97;ssword</key><value>x</value></e>",
        b"<p>Your password: <b>x</b></p>",
        b"p%61ssword=x",
        b"{\"p\\u0061ssword\":\"x\"",
        b"<\0a\0>\0p\0a\0s\0s\0w\0o\0r\0d\0=\0x\0<\0/\0a\0>\0",
        b"<!DOCTYPE a [<!ENTITY x 'y'>]><a><iban>1</iban></a>",
    ] {
        let told = payload(hidden, &names());
        assert!(matches!(told.content, Content::Withheld(_)), "{told:?}");
    }
    let told = payload(b"iban 1", &names());
    let why = "it names iban, and is no JSON or XML in which the value could be told apart";
    assert_eq!(told.content, Content::Withheld(why.into()));
    assert_eq!(text("plain words").0, "plain words");
    assert_eq!(payload(b"\xff\x00", &names()).content, Content::Binary(vec![0xff, 0].into()));
}

#[test]
fn what_is_long_is_cut_after_it_was_redacted() {
    let long = json!({ "a": "é".repeat(LONGEST), "password": "x" }).to_string();
    let told = payload(long.as_bytes(), &names());
    let Content::Text(text) = &told.content else { panic!() };
    assert!(text.len() <= LONGEST && text.len() > LONGEST - 4);
    let whole = long.len() + MARK.len() - 1;
    assert_eq!((text.len() as u64 + told.cut, told.redacted.len()), (whole as u64, 1));
    let told = payload(&vec![0xff; LONGEST + 5], &names());
    assert_eq!((told.content.len(), told.cut), (LONGEST, 5));
}

#[test]
fn headers_are_told_but_for_sensitive_ones() {
    let all =
        [("Authorization", "Bearer x"), ("traceparent", "00-1"), ("Set-Cookie", "a"), ("q", "?token=1")];
    let (told, redacted) = headers(all, &names());
    let told: Vec<_> = told.iter().map(|(name, value)| (&**name, &**value)).collect();
    let expected = [("Authorization", MARK), ("traceparent", "00-1"), ("Set-Cookie", MARK), ("q", MARK)];
    assert_eq!((told, redacted.len()), (expected.to_vec(), 3));
}

const HIDDEN: &str = "S3CR3T";

/// Any JSON, with fields of sensitive names in all their spellings anywhere; and the same as it may be told.
fn with_secrets() -> impl Strategy<Value = (Value, Value)> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z \"\\\\{}\\[\\],\u{e9}\u{1}]{0,12}".prop_map(Value::from),
    ];
    let leaf = leaf.prop_map(|value| (value.clone(), value));
    leaf.prop_recursive(5, 64, 6, |inner| {
        let name = prop_oneof![
            "[a-c]{1,2}",
            "[\"\\\\{}:,]{1,3}",
            prop::sample::select(vec![
                "iban",
                "IBAN",
                "I-ban",
                "passWord",
                "api-Key",
                "Date_Of-Birth",
                "set_cookie"
            ])
            .prop_map(str::to_owned),
        ];
        let field = (name, inner.clone()).prop_map(|(name, (mut value, mut told))| {
            if names().is(&name) {
                value = match value {
                    Value::Array(mut list) => {
                        list.push(HIDDEN.into());
                        list.into()
                    }
                    Value::Object(map) => json!({ "x": map, HIDDEN: { "y": HIDDEN } }),
                    other => format!("{HIDDEN}{other}").into(),
                };
                told = MARK.into();
            }
            (name, value, told)
        });
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(|list| {
                let (values, told): (Vec<_>, Vec<_>) = list.into_iter().unzip();
                (Value::from(values), Value::from(told))
            }),
            prop::collection::vec(field, 0..5).prop_map(|fields| {
                let (mut values, mut told) = (Map::new(), Map::new());
                for (name, value, as_told) in fields {
                    values.insert(name.clone(), value);
                    told.insert(name, as_told);
                }
                (values.into(), told.into())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_secret_survives_whatever_is_around_it((value, expected) in with_secrets(), pretty: bool) {
        let written = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let (told, _) = text(&written.unwrap());
        prop_assert!(!told.contains(HIDDEN), "{told}");
        prop_assert_eq!(serde_json::from_str::<Value>(&told).unwrap(), expected);
    }

    #[test]
    fn no_element_of_a_sensitive_name_is_told(before in "[a-z <>/&=\"!-]{0,20}", after in "[a-z <>/&=\"!-]{0,20}", inside in "[a-z ]{0,5}") {
        let written = format!("<r>{before}<iban {inside}>{HIDDEN}</iban>{after}</r>");
        let told = payload(written.as_bytes(), &names());
        prop_assert!(!format!("{told:?}").contains(HIDDEN), "{told:?}");
    }

    #[test]
    fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), like in "[<>{}\\[\\]\":,/=!?&#;\\\\ a-z\u{e9}-]{0,80}") {
        for bytes in [bytes.as_slice(), like.as_bytes()] {
            let told = payload(bytes, &names());
            prop_assert!(told.content.len() <= LONGEST + 100);
        }
    }
}
