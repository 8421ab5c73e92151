//! Subjects with wildcards, as the files and the brokers write them: parts between dots, `*` and `{param}` for one
//! part, a last `>` for one part or more.

/// Whether one part stands for any single part.
fn is_any(part: &str) -> bool {
    part == "*" || (part.starts_with('{') && part.ends_with('}') && part.len() > 2)
}

/// A declared channel in the broker's form: `{param}` becomes `*`.
pub fn pattern(channel: &str) -> String {
    channel.split('.').map(|part| if is_any(part) { "*" } else { part }).collect::<Vec<_>>().join(".")
}

/// Whether some subject fits both patterns. With a subject without wildcards this is "does it fit".
pub fn overlap(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.split('.').peekable(), b.split('.').peekable());
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(">"), Some(_)) if a.peek().is_none() => return true,
            (Some(_), Some(">")) if b.peek().is_none() => return true,
            (Some(x), Some(y)) if x == y || is_any(x) || is_any(y) => {}
            _ => return false,
        }
    }
}

/// Whether every subject that fits `narrow` fits `wide` too.
pub fn covers(wide: &str, narrow: &str) -> bool {
    let (mut wide, mut narrow) = (wide.split('.').peekable(), narrow.split('.').peekable());
    loop {
        match (wide.next(), narrow.next()) {
            (None, None) => return true,
            (Some(">"), Some(_)) if wide.peek().is_none() => return true,
            (_, Some(">")) if narrow.peek().is_none() => return false,
            (Some(x), Some(y)) if is_any(x) || (x == y && !is_any(y)) => {}
            _ => return false,
        }
    }
}

/// Why a declared channel is no NATS subject, if it is none.
pub fn wrong_subject(channel: &str) -> Option<&'static str> {
    let mut parts = channel.split('.').peekable();
    while let Some(part) = parts.next() {
        if part.is_empty() {
            return Some("a part between dots is empty");
        }
        if part.contains(char::is_whitespace) {
            return Some("it has a space");
        }
        if part == ">" && parts.peek().is_some() {
            return Some("`>` may only stand at the end");
        }
    }
    None
}

/// Whether it is one NATS subject, without wildcards.
pub fn is_literal(subject: &str) -> bool {
    wrong_subject(subject).is_none()
        && subject.split('.').all(|part| part != "*" && part != ">" && !is_any(part))
}

/// Why a text is no name of a stream or consumer on NATS, if it is none.
pub fn wrong_name(name: &str) -> Option<&'static str> {
    if name.contains(char::is_whitespace) {
        return Some("it has a space");
    }
    name.contains(['.', '*', '>', '/', '\\']).then_some("it has one of . * > / \\")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wildcards_stand_for_parts() {
        assert!(overlap("orders.created", "orders.created"));
        assert!(overlap("orders.*", "orders.created"));
        assert!(overlap("orders.{id}.paid", "orders.*.paid"));
        assert!(overlap("orders.>", "orders.eu.created"));
        assert!(overlap("*.created", "orders.>"));
        assert!(!overlap("orders.>", "orders"));
        assert!(!overlap("orders.*", "orders.eu.created"));
        assert!(!overlap("orders.created", "orders.paid"));
        assert_eq!(pattern("orders.{id}.paid"), "orders.*.paid");
    }

    #[test]
    fn covering_is_one_way() {
        assert!(covers("orders.>", "orders.created"));
        assert!(covers("orders.*", "orders.{id}"));
        assert!(!covers("orders.created", "orders.*"));
        assert!(!covers("orders.*", "orders.>"));
        assert!(covers(">", "orders.>"));
    }

    #[test]
    fn a_subject_fits_patterns_as_brokers_have_them() {
        for (pattern, subject, yes) in [
            (">", "a", true),
            (">", "a.b", true),
            ("a.>", "a.b", true),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            ("a.*", "a.b", true),
            ("a.*", "a.b.c", false),
            ("*.b", "a.b", true),
            ("a.b", "a.b", true),
            ("a.b.c", "a.b", false),
        ] {
            assert_eq!(covers(pattern, subject), yes, "{pattern} {subject}");
        }
    }

    #[test]
    fn what_is_no_subject_is_known() {
        for good in ["a", "orders.{id}.paid", "orders.*.>", ">", "a>b.c"] {
            assert_eq!(wrong_subject(good), None, "{good}");
        }
        assert_eq!(wrong_subject("a b"), Some("it has a space"));
        assert_eq!(wrong_subject("a..b"), Some("a part between dots is empty"));
        assert_eq!(wrong_subject(".a"), Some("a part between dots is empty"));
        assert_eq!(wrong_subject("a.>.b"), Some("`>` may only stand at the end"));
        assert_eq!(wrong_name("ORDERS-2"), None);
        assert_eq!(wrong_name("OR DERS"), Some("it has a space"));
        assert_eq!(wrong_name("a.b"), Some("it has one of . * > / \\"));
    }

    proptest! {
        #[test]
        fn what_covers_overlaps(a in "[ab*]([.][ab*]){0,3}([.]>)?", b in "[ab*]([.][ab*]){0,3}([.]>)?") {
            prop_assert_eq!(overlap(&a, &b), overlap(&b, &a));
            prop_assert!(overlap(&a, &a) && covers(&a, &a));
            if covers(&a, &b) {
                prop_assert!(overlap(&a, &b));
            }
        }
    }
}
