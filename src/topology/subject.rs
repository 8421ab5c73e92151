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
