//! What a subject's name tells.

/// The first token, when it is a plain word.
pub(super) fn first_word(subject: &str) -> Option<&str> {
    let token = subject.split('.').next()?;
    let plain = !token.is_empty() && !token.contains(['*', '>', '{', '$']) && !token.starts_with('_');
    plain.then_some(token)
}

/// The broker's own and the reply inboxes: no data of services moves there by itself.
pub(super) fn is_internal(subject: &str) -> bool {
    subject.starts_with('$') || subject.starts_with("_INBOX") || subject.starts_with("_R_.")
}

/// Names that mean the same word: without case, and without the plural's end.
pub(super) fn same_word(a: &str, b: &str) -> bool {
    let plain = |s: &str| {
        let lower = s.to_lowercase().replace('_', "-");
        lower.strip_suffix('s').map_or(lower.clone(), str::to_owned)
    };
    plain(a) == plain(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_without_case_and_plural() {
        assert!(same_word("ORDERS", "order") && same_word("stock_levels", "stock-level"));
        assert!(!same_word("orders", "billing"));
    }

    #[test]
    fn the_first_word_is_a_word() {
        assert_eq!(first_word("orders.created"), Some("orders"));
        for subject in ["*.created", ">", "$JS.API.INFO", "_INBOX.x", "{id}.a", ""] {
            assert_eq!(first_word(subject), None, "{subject}");
        }
    }
}
