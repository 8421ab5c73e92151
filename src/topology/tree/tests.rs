//! Spans are right, and no text makes the reader fail.

use proptest::prelude::*;

use super::*;

fn one(text: &str) -> Node {
    let mut parsed = parse(text);
    assert_eq!(parsed.faults, [], "{text}");
    assert_eq!(parsed.documents.len(), 1, "{text}");
    parsed.documents.remove(0)
}

fn faults(text: &str) -> Vec<(u32, u32, String)> {
    parse(text).faults.into_iter().map(|f| (f.at.line, f.at.column, f.text)).collect()
}

#[test]
fn keys_and_values_know_their_places() {
    let node = one("service: billing\nowns:\n  - { entity: Invoice }\n");
    let Value::Map(fields) = &node.value else { panic!("a map") };
    assert_eq!(fields[0].0.at, Mark { line: 1, column: 1 });
    assert_eq!(fields[0].1.at, Mark { line: 1, column: 10 });
    let Value::List(items) = &fields[1].1.value else { panic!("a list") };
    assert_eq!(items[0].at, Mark { line: 3, column: 5 });
}

#[test]
fn scalars_follow_the_core_schema() {
    for (text, want) in [
        ("~", Value::Null),
        ("no", Value::Text("no".into())),
        ("True", Value::Bool(true)),
        ("'true'", Value::Text("true".into())),
        ("1.10", Value::Number(1.10, "1.10".into())),
        ("0x1f", Value::Number(31.0, "0x1f".into())),
        ("-3", Value::Number(-3.0, "-3".into())),
        ("inf", Value::Text("inf".into())),
        ("2s", Value::Text("2s".into())),
        ("1.2.3", Value::Text("1.2.3".into())),
        ("!!str 12", Value::Text("12".into())),
    ] {
        assert_eq!(one(&format!("a: {text}")).to_json_field("a"), want, "{text}");
    }
}

impl Node {
    fn to_json_field(&self, key: &str) -> Value {
        let Value::Map(fields) = &self.value else { panic!("a map") };
        fields.iter().find(|(k, _)| k.text == key).expect("field").1.value.clone()
    }
}

#[test]
fn a_key_that_stands_twice_names_both_places() {
    assert_eq!(
        faults("a: 1\nb: 2\na: 3\n"),
        [(3, 1, "`a` stands twice in one map; the first is in line 1".to_owned())]
    );
}

#[test]
fn documents_before_a_syntax_error_are_kept() {
    let parsed = parse("service: a\n---\nservice: [b\n");
    assert_eq!(parsed.documents.len(), 1);
    assert_eq!(parsed.faults.len(), 1);
    assert!(parsed.faults[0].fatal);
}

#[test]
fn a_tab_is_named() {
    let found = faults("service: a\nowns:\n\t- entity: X\n");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].2, "found a tab in the indentation; YAML allows only spaces there");
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    assert_eq!(one("\u{feff}service: a").at, Mark { line: 1, column: 1 });
}

#[test]
fn control_characters_are_refused_with_their_place() {
    assert_eq!(
        faults("service: a\nteam: \u{1b}[31m"),
        [(2, 7, "found the control character U+001B, which YAML does not allow".to_owned())]
    );
}

#[test]
fn an_alias_repeats_what_its_anchor_holds() {
    let node = one("a: &x { k: v }\nb: *x\n");
    assert_eq!(node.to_json_field("a"), node.to_json_field("b"));
}

#[test]
fn aliases_of_aliases_end_in_a_message() {
    let mut lines = vec!["a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned()];
    for n in 1..30 {
        let before = format!("*a{}, ", n - 1).repeat(10);
        lines.push(format!("a{n}: &a{n} [{before}]\n"));
    }
    let found = faults(&lines.concat());
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].2,
        "more than 100000 values, counting an alias as what it stands for; split the file"
    );
}

#[test]
fn an_alias_into_itself_ends_in_a_message() {
    assert_eq!(
        faults("a: &x [*x]"),
        [(1, 8, "found an alias to something that is not finished here".to_owned())]
    );
}

#[test]
fn depth_is_bounded() {
    assert_eq!(DEEP, format!("nested deeper than {MAX_DEPTH} levels"));
    for depth in [MAX_DEPTH + 1, 10_000] {
        assert_eq!(faults(&"[".repeat(depth))[0].2, DEEP);
    }
    let lines: Vec<String> = (0..200).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    let block = lines.concat();
    assert_eq!(faults(&block)[0].2, DEEP);
}

#[test]
fn tags_are_refused() {
    assert_eq!(
        faults("a: !secret x"),
        [(1, 4, "found the tag `!secret`; tags are not used in topology files".to_owned())]
    );
}

#[test]
fn nothing_gives_nothing() {
    for text in ["", "\n", "# only a comment\n", "---\n", "---\n---\n", "~"] {
        assert_eq!(parse(text), Parsed::default(), "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_gives_a_tree_or_a_fault(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn any_text_of_yaml_signs_gives_a_tree_or_a_fault(text in "[ab:\\-\\[\\]{},&*!|>'\"%#?@`~ \n\t\r\u{85}<=0.\\\\]{0,60}") {
        let _ = parse(&text);
    }
}
