//! Folding of id-like parts of a subject, so that `orders.8471.created` and `orders.8472.created` are one row.
//!
//! A part between dots is replaced by `{id}` when it is one of:
//!
//! | kind | rule | folded | kept |
//! |---|---|---|---|
//! | number | digits alone, unless a year (1900 to 2099) | `8471`, `7` | `2026`, `v1` |
//! | UUID | 8-4-4-4-12 hexadecimal digits | `3f2b8c1e-…` | |
//! | ULID | 26 of Crockford's base 32, one case, first one `0` to `7`, two digits at least | `01HZX3…` | |
//! | hexadecimal | 8 or more digits of base 16 (after `0x`, if any), at least one of `0` to `9` | `7f9d00aa` | `deadbeef`, `facade` |
//! | NUID and its like | 20 or more letters and digits that change between lower case, upper case and digit at a third of the places or more | `Xk3PqZ…` | `customerAddressChanged` |
//! | e-mail address | something on both sides of an `@` | `ann@example` | `@all` |
//!
//! After a word and `-` or `_` the same kinds fold when they cannot be a short number that somebody chose:
//! `order-8471` is `order-{id}`, but `eu-west-1`, `shard-12` and `report-2026` stay. Everything after `_INBOX.` and `_R_.`
//! (private addresses of requesters) is one `{id}`. Wildcards stay as they are.
//!
//! What the rule misses stays a subject of its own, and the cap of the accumulator holds the number of those.

use std::borrow::Cow;

/// What stands for an id.
pub const ID: &str = "{id}";

/// Replaces id-like parts; see the module's table.
///
/// ```
/// use headwater::source::fold::fold;
/// assert_eq!(fold("orders.8471.created"), "orders.{id}.created");
/// assert_eq!(fold("orders.v1.created"), "orders.v1.created");
/// ```
pub fn fold(subject: &str) -> Cow<'_, str> {
    let mut folded = String::new();
    if fold_into(subject, &mut folded) { Cow::Owned(folded) } else { Cow::Borrowed(subject) }
}

/// The same into a buffer that the caller keeps, so that nothing is allocated per message. Says whether
/// anything was replaced; if not, the buffer's content means nothing.
pub fn fold_into(subject: &str, out: &mut String) -> bool {
    for private in ["_INBOX.", "_R_."] {
        if subject.strip_prefix(private).is_some_and(|rest| !rest.is_empty() && rest != ">" && rest != "*") {
            out.clear();
            out.push_str(private);
            out.push_str(ID);
            return true;
        }
    }
    // Nearly all subjects are words alone, and every kind of id but some rare ones has a digit or an `@`.
    if !subject.bytes().any(|b| b.is_ascii_digit() || b == b'@')
        && !subject.split('.').any(|part| part.len() >= NUID_LIKE)
    {
        return false;
    }
    out.clear();
    let mut any = false;
    for (at, part) in subject.split('.').enumerate() {
        if at > 0 {
            out.push('.');
        }
        match id_in(part) {
            Some(kept) => {
                out.push_str(kept);
                out.push_str(ID);
                any = true;
            }
            None => out.push_str(part),
        }
    }
    any
}

/// The shortest text that is taken for a random id by its mixture of letters and digits alone.
const NUID_LIKE: usize = 20;

/// What stays before the id, when there is an id: `""` for a part that is one, `order-` for `order-8471`.
fn id_in(part: &str) -> Option<&str> {
    if is_number(part) && !is_year(part) || is_long_id(part) || is_email(part) {
        return Some("");
    }
    // A UUID has hyphens itself, so that the last hyphen is not where it begins.
    if let Some(at) = part.len().checked_sub(36)
        && let (Some(word), Some(uuid)) = (part.get(..at), part.get(at..))
        && word.ends_with(['-', '_'])
        && is_uuid(uuid)
    {
        return Some(word);
    }
    let at = part.rfind(['-', '_'])? + 1;
    let (word, last) = (part.get(..at)?, part.get(at..)?);
    let chosen = is_number(last) && (last.len() < 4 || is_year(last));
    let id = (is_number(last) && !chosen) || is_long_id(last);
    (id && word.len() > 1).then_some(word)
}

fn is_number(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())
}

fn is_year(part: &str) -> bool {
    part.len() == 4 && (part.starts_with("19") || part.starts_with("20"))
}

/// Ids that are recognised wherever they stand.
fn is_long_id(part: &str) -> bool {
    is_uuid(part) || is_hex(part) || is_ulid(part) || is_random(part)
}

fn is_uuid(part: &str) -> bool {
    part.len() == 36
        && part.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

fn is_hex(part: &str) -> bool {
    let digits = part.strip_prefix("0x").unwrap_or(part);
    digits.len() >= 8
        && digits.bytes().all(|b| b.is_ascii_hexdigit())
        && digits.bytes().any(|b| b.is_ascii_digit())
}

fn is_ulid(part: &str) -> bool {
    let crockford =
        |b: u8| b.is_ascii_alphanumeric() && !matches!(b.to_ascii_uppercase(), b'I' | b'L' | b'O' | b'U');
    part.len() == 26
        && part.bytes().next().is_some_and(|b| (b'0'..=b'7').contains(&b))
        && part.bytes().all(crockford)
        && part.bytes().filter(u8::is_ascii_digit).count() >= 2
        && !(part.bytes().any(|b| b.is_ascii_lowercase()) && part.bytes().any(|b| b.is_ascii_uppercase()))
}

/// Random letters and digits change their class (lower, upper, digit) at 62 of 100 places; words written in
/// `camelCase` at about 20.
fn is_random(part: &str) -> bool {
    if part.len() < NUID_LIKE || !part.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return false;
    }
    let class = |b: u8| (b.is_ascii_digit(), b.is_ascii_uppercase());
    let changes = part.bytes().zip(part.bytes().skip(1)).filter(|(a, b)| class(*a) != class(*b)).count();
    changes * 3 >= part.len()
}

fn is_email(part: &str) -> bool {
    part.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_folded_and_words_are_not() {
        let table = [
            // Words, versions, years, regions, shards, wildcards: as they are.
            ("orders.created", "orders.created"),
            ("orders.v1.created", "orders.v1.created"),
            ("orders.v12.created", "orders.v12.created"),
            ("reports.2026.sales", "reports.2026.sales"),
            ("reports.1999", "reports.1999"),
            ("report-2026.ready", "report-2026.ready"),
            ("eu-west-1.orders", "eu-west-1.orders"),
            ("shard-12.orders", "shard-12.orders"),
            ("md5.checked", "md5.checked"),
            ("oauth2.token", "oauth2.token"),
            ("s3.put", "s3.put"),
            ("deadbeef.eaten", "deadbeef.eaten"),
            ("facade.decade", "facade.decade"),
            (
                "customerAddressChanged.customerAddressChange2",
                "customerAddressChanged.customerAddressChange2",
            ),
            ("notificationPreferencesUpdated", "notificationPreferencesUpdated"),
            ("CUSTOMER_ADDRESS_CHANGED", "CUSTOMER_ADDRESS_CHANGED"),
            ("internationalisation.of.everything", "internationalisation.of.everything"),
            ("orders.*.created", "orders.*.created"),
            ("orders.>", "orders.>"),
            (">", ">"),
            ("_INBOX.>", "_INBOX.>"),
            ("users.@all", "users.@all"),
            ("", ""),
            ("..", ".."),
            ("Größe.42", "Größe.{id}"),
            ("注文.作成", "注文.作成"),
            // Ids.
            ("orders.8471.created", "orders.{id}.created"),
            ("orders.7.created", "orders.{id}.created"),
            ("7", "{id}"),
            ("orders.3f2b8c1e-9a4d-4c55-8e21-0f7a1b2c3d4e.paid", "orders.{id}.paid"),
            ("orders.3F2B8C1E-9A4D-4C55-8E21-0F7A1B2C3D4E", "orders.{id}"),
            ("cart-3f2b8c1e-9a4d-4c55-8e21-0f7a1b2c3d4e.paid", "cart-{id}.paid"),
            ("orders.01HZX3KQ5R8V7W2Y4T6N9M0PAB.paid", "orders.{id}.paid"),
            ("orders.01hzx3kq5r8v7w2y4t6n9m0pab.paid", "orders.{id}.paid"),
            ("orders.Xk3PqZ81LmNo92RsTuVw4x.paid", "orders.{id}.paid"),
            ("devices.7f9d00aa.on", "devices.{id}.on"),
            ("devices.507f1f77bcf86cd799439011.on", "devices.{id}.on"),
            ("devices.0x7f9d00aa.on", "devices.{id}.on"),
            ("order-8471.paid", "order-{id}.paid"),
            ("customer_507f1f77bcf86cd799439011", "customer_{id}"),
            ("users.ann@example.com.changed", "users.{id}.com.changed"),
            ("_INBOX.Xk3PqZ81LmNo92RsTuVw4x.abcd", "_INBOX.{id}"),
            ("_R_.abc", "_R_.{id}"),
            (
                "$JS.ACK.ORDERS.billing.1.17.17.1795404057299474661.0",
                "$JS.ACK.ORDERS.billing.{id}.{id}.{id}.{id}.{id}",
            ),
            ("a.1.2.3", "a.{id}.{id}.{id}"),
        ];
        for (subject, expected) in table {
            assert_eq!(fold(subject), expected, "{subject}");
        }
    }

    #[test]
    fn nearly_all_random_ids_are_recognised() {
        let mut random = fastrand::Rng::with_seed(7);
        let missed = (0..10_000)
            .filter(|_| {
                let nuid: String = (0..22).map(|_| random.alphanumeric()).collect();
                fold(&nuid) != ID
            })
            .count();
        assert!(missed < 200, "{missed} of 10000");
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing_more(subject in "[a-zA-Z0-9_@.-]{0,60}") {
            let once = fold(&subject).into_owned();
            prop_assert_eq!(fold(&once).into_owned(), once);
        }

        #[test]
        fn it_takes_any_text(subject in ".*") {
            let folded = fold(&subject).into_owned();
            prop_assert!(folded == subject || folded.contains(ID));
        }

        #[test]
        fn words_of_letters_are_kept(subject in "[a-z]{1,30}(\\.[a-z]{1,30}){0,4}") {
            prop_assert_eq!(fold(&subject).into_owned(), subject);
        }
    }
}
