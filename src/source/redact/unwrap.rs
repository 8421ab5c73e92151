//! Other ways to write a text: numbered and named characters of XML, `%XX` of addresses, `\\uXXXX` of JSON.

/// One text may be wrapped in another so often.
const TIMES: usize = 3;
/// Bytes of the longest numbered character that is read: `&#x0010FFFF;`.
const LONGEST: usize = 12;

/// A text with all of these as the characters that they stand for; `None` when it has none of them.
pub(super) fn unwrapped(text: &str) -> Option<String> {
    let mut plain = once(text)?;
    for _ in 1..TIMES {
        let Some(next) = once(&plain) else { break };
        plain = next;
    }
    Some(plain)
}

fn once(text: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut any = false;
    let mut rest = text;
    while let Some(at) = rest.find(['&', '%', '\\']) {
        let (before, tail) = rest.split_at_checked(at)?;
        out.extend_from_slice(before.as_bytes());
        let length = if let Some(length) = one(tail, &mut out) {
            any = true;
            length
        } else {
            // No other way to write anything: it stands for itself.
            out.extend(tail.bytes().next());
            1
        };
        rest = tail.get(length..)?;
    }
    out.extend_from_slice(rest.as_bytes());
    any.then(|| String::from_utf8_lossy(&out).into_owned())
}

/// Reads what a text begins with; its length.
fn one(text: &str, out: &mut Vec<u8>) -> Option<usize> {
    let mut push = |c: char| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    if let Some(rest) = text.strip_prefix('%') {
        out.push(u8::try_from(hex(rest.get(..2)?)?).ok()?);
        return Some(3);
    }
    if let Some(rest) = text.strip_prefix("\\u") {
        push(char::from_u32(hex(rest.get(..4)?)?)?);
        return Some(6);
    }
    let end = text.bytes().take(LONGEST).position(|byte| byte == b';')?;
    let inside = text.get(..end)?.strip_prefix('&')?;
    push(match (inside, inside.strip_prefix('#')) {
        ("quot", _) => '"',
        ("apos", _) => '\'',
        ("lt", _) => '<',
        ("gt", _) => '>',
        ("amp", _) => '&',
        (_, Some(number)) => match number.strip_prefix(['x', 'X']) {
            Some(number) => char::from_u32(hex(number)?)?,
            None => char::from_u32(number.parse().ok()?)?,
        },
        _ => return None,
    });
    Some(end + 1)
}

fn hex(digits: &str) -> Option<u32> {
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_another_way_is_read_and_all_else_stays() {
        for (written, read) in [
            ("&lt;a&gt;&amp;&quot;&apos;", Some("<a>&\"'")),
            ("p&#97;ss&#x77;ord", Some("password")),
            ("&amp;amp;quot;", Some("\"")),
            ("a%3Db%253D", Some("a=b=")),
            ("\\u0061\\n", Some("a\\n")),
            ("&# token=1; &#9999999999; 5% \u{e9}", None),
            ("100%\u{e9}", None),
            ("%", None),
        ] {
            assert_eq!(unwrapped(written).as_deref(), read, "{written}");
        }
    }
}
