//! The endings that tell one instance from another; the table is in [`super`].

use crate::topology::declared::NameKind;

/// What may stand before an ending.
fn is_separator(c: char) -> bool {
    matches!(c, '-' | '_' | '.' | ':' | '/' | '#' | ' ')
}

/// Short words with a letter after a digit that are written with the signs of a hash.
const WORDS: &[&str] = &["b2b", "b2b2c", "b2c", "c2c", "h2c", "k3s", "k8s", "m2m", "p2p"];

/// Words for a machine or copy that take a number.
const INSTANCES: &[&str] = &["host", "node", "vm", "pod", "instance", "replica", "machine"];

/// Words that name the durable or group itself, not the service behind it.
const THINGS: &[&str] = &["consumer", "durable", "subscriber", "subscription", "group"];

/// Words that follow the numbers of a version.
const RELEASES: &[&str] =
    &["alpha", "beta", "rc", "snapshot", "dev", "pre", "release", "final", "ga", "build"];

type Rule = (&'static str, fn(&str) -> Option<&str>);

/// Rules in the order in which they are tried: longer forms before the parts of which they are made.
const RULES: &[Rule] = &[
    ("remark", remark),
    ("cluster domain", cluster_domain),
    ("UUID", uuid),
    ("version", version),
    ("host", host),
    ("address", address),
    ("pod of a deployment", deployment),
    ("named instance", instance),
    ("ordinal, process id or time", digits),
    ("pod of a daemon set or job", daemon),
    ("short hash", short_hash),
    ("hexadecimal id", hexadecimal),
    ("random id", random),
    ("sign without a part", separator),
];

/// The first rule that finds an ending, and the name without it.
pub(super) fn find(kind: NameKind, name: &str) -> Option<(&'static str, &str)> {
    let thing: &[Rule] = match kind {
        NameKind::NatsDurable | NameKind::NatsQueue | NameKind::KafkaGroupId | NameKind::RedisGroup => {
            &[("word for the thing itself", thing)]
        }
        _ => &[],
    };
    RULES.iter().chain(thing).find_map(|(rule, strip)| {
        // What stays must be able to be a name.
        strip(name).filter(|rest| rest.chars().any(char::is_alphabetic)).map(|rest| (*rule, rest))
    })
}

/// The last part and what stands before it, without the sign between.
fn last(name: &str) -> Option<(&str, &str)> {
    let at = name.rfind(is_separator)?;
    let sign = name.get(at..)?.chars().next()?;
    Some((name.get(..at)?, name.get(at + sign.len_utf8()..)?))
}

fn remark(name: &str) -> Option<&str> {
    let open = match name.chars().next_back()? {
        ')' => name.rfind('(')?,
        ']' => name.rfind('[')?,
        _ => return None,
    };
    let inside = name.get(open..)?;
    inside.contains(|c: char| c.is_ascii_digit()).then(|| name.get(..open).unwrap_or_default().trim_end())
}

fn cluster_domain(name: &str) -> Option<&str> {
    let rest = name.strip_suffix(".svc.cluster.local").or_else(|| name.strip_suffix(".svc"))?;
    let (service, namespace) = rest.rsplit_once('.')?;
    (!namespace.is_empty()).then_some(service)
}

fn uuid(name: &str) -> Option<&str> {
    let at = name.len().checked_sub(36)?;
    let (rest, id) = (name.get(..at)?, name.get(at..)?);
    let rest = rest.strip_suffix(|c| is_separator(c) || c == '@')?;
    is_uuid(id).then_some(rest)
}

fn is_uuid(id: &str) -> bool {
    let groups: Vec<&str> = id.split('-').collect();
    groups.iter().map(|g| g.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|g| g.chars().all(|c| c.is_ascii_hexdigit()))
}

fn host(name: &str) -> Option<&str> {
    name.rsplit_once('@').map(|(rest, _)| rest)
}

fn address(name: &str) -> Option<&str> {
    let mut rest = name;
    for n in 0..4 {
        let (before, part) = last(rest)?;
        let number = part.len() <= 3 && part.parse::<u8>().is_ok();
        // Between the numbers only dots or dashes; what stands before the first may be any sign.
        let sign = rest.get(before.len()..)?.chars().next()?;
        if !number || (n < 3 && !matches!(sign, '.' | '-')) {
            return None;
        }
        rest = before;
    }
    match last(rest) {
        Some((before, "ip")) => Some(before),
        _ if rest == "ip" => None,
        _ => Some(rest),
    }
}

fn version(name: &str) -> Option<&str> {
    // A word such as `-rc1` or `-SNAPSHOT` belongs to the numbers before it.
    let numbers = match last(name) {
        Some((before, word)) => {
            let letters = word.trim_end_matches(|c: char| c.is_ascii_digit()).to_lowercase();
            if RELEASES.contains(&letters.as_str()) { version_numbers(before) } else { None }
        }
        None => None,
    };
    numbers.or_else(|| version_numbers(name))
}

fn version_numbers(name: &str) -> Option<&str> {
    let numbers = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let digits = name.get(numbers.len()..)?;
    let (begin, v) = match numbers.strip_suffix(['v', 'V']) {
        Some(begin) => (begin, true),
        None => (numbers, false),
    };
    let rest = begin.strip_suffix(|c| is_separator(c) || c == '@');
    let digits = digits.strip_prefix('.').filter(|_| rest.is_none() && !v).map_or(digits, |d| d);
    let parts = digits.split('.').collect::<Vec<_>>();
    let written = parts.iter().all(|p| !p.is_empty() && p.len() <= 6) && parts.len() <= 3;
    // A lone number is an ordinal unless a `v` says otherwise.
    (written && (v || parts.len() >= 2)).then_some(rest).flatten()
}

/// The signs of a Kubernetes template hash: decimal digits, written with these ten.
fn is_template(part: &str) -> bool {
    part.chars().all(|c| matches!(c, '4'..='9' | 'b' | 'c' | 'd' | 'f'))
}

/// The signs of the random end of a pod's name.
fn is_pod(part: &str) -> bool {
    part.chars().all(|c| matches!(c, '2' | '4'..='9') || (c.is_ascii_lowercase() && !"aeiouy".contains(c)))
        && !WORDS.contains(&part)
}

fn has_digit(part: &str) -> bool {
    part.contains(|c: char| c.is_ascii_digit())
}

fn has_letter(part: &str) -> bool {
    part.contains(|c: char| c.is_ascii_alphabetic())
}

/// A letter somewhere after a digit: words end in digits (`http2`), ids mix them.
fn is_mixed(part: &str) -> bool {
    let mut digit = false;
    part.chars().any(|c| {
        digit |= c.is_ascii_digit();
        digit && c.is_ascii_alphabetic()
    })
}

fn deployment(name: &str) -> Option<&str> {
    let (before, end) = last(name)?;
    let (rest, hash) = last(before)?;
    let whole = matches!(hash.len(), 8..=10) && end.len() == 5 && (has_digit(hash) || has_digit(end));
    let short =
        matches!(hash.len(), 3..=10) && matches!(end.len(), 3..=5) && has_digit(hash) && has_letter(hash);
    (is_template(hash) && is_pod(end) && (whole || short)).then_some(rest)
}

fn daemon(name: &str) -> Option<&str> {
    let (rest, end) = last(name)?;
    (end.len() == 5 && is_pod(end) && is_mixed(end)).then_some(rest)
}

fn short_hash(name: &str) -> Option<&str> {
    let (rest, hash) = last(name)?;
    let short = hash.len() >= 3 && hash.starts_with(|c: char| c.is_ascii_digit()) && has_letter(hash);
    let whole = matches!(hash.len(), 8..=10) && has_digit(hash) && has_letter(hash);
    (is_template(hash) && (short || whole)).then_some(rest)
}

fn instance(name: &str) -> Option<&str> {
    let word = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if word.len() == name.len() {
        return None;
    }
    let word = word.strip_suffix(['-', '_']).unwrap_or(word);
    let (rest, word) = last(word)?;
    INSTANCES.contains(&word.to_lowercase().as_str()).then_some(rest)
}

fn digits(name: &str) -> Option<&str> {
    let (rest, part) = last(name)?;
    let year = part.len() == 4 && (part.starts_with("19") || part.starts_with("20"));
    (!part.is_empty() && part.len() <= 20 && part.chars().all(|c| c.is_ascii_digit()) && !year)
        .then_some(rest)
}

fn is_hexadecimal(part: &str) -> bool {
    matches!(part.len(), 7..=64)
        && part.chars().all(|c| c.is_ascii_hexdigit())
        && has_letter(part)
        && (is_mixed(part) || part.chars().filter(char::is_ascii_digit).count() >= 4)
}

fn hexadecimal(name: &str) -> Option<&str> {
    let (rest, part) = last(name)?;
    is_hexadecimal(part).then_some(rest)
}

fn is_random(part: &str) -> bool {
    part.len() >= 16
        && part.chars().all(|c| c.is_ascii_alphanumeric())
        && is_mixed(part)
        && part.chars().filter(char::is_ascii_digit).count() >= 2
}

fn random(name: &str) -> Option<&str> {
    let (rest, part) = last(name)?;
    is_random(part).then_some(rest)
}

fn separator(name: &str) -> Option<&str> {
    name.strip_suffix(|c| is_separator(c) || c == '@')
}

fn thing(name: &str) -> Option<&str> {
    let (rest, word) = last(name)?;
    THINGS.contains(&word.to_lowercase().as_str()).then_some(rest)
}

/// Whether nothing in the name could be the name of a service.
pub(super) fn is_only_an_id(name: &str) -> bool {
    let mixed_template = is_template(name) && name.len() >= 8 && has_digit(name);
    !name.chars().any(char::is_alphabetic)
        || is_uuid(name)
        || is_hexadecimal(name)
        || is_random(name)
        || mixed_template
        || address(&format!("x-{name}")) == Some("x")
        || name.strip_suffix(".ec2.internal").is_some_and(|host| address(&format!("x-{host}")) == Some("x"))
        // A Java process calls itself `4711@host`.
        || name.split_once('@').is_some_and(|(pid, _)| !pid.is_empty() && pid.chars().all(|c| c.is_ascii_digit()))
}

/// A NATS user key: `U` and 55 signs of base 32.
pub(super) fn is_key(name: &str) -> bool {
    name.len() == 56
        && name.starts_with('U')
        && name.chars().all(|c| c.is_ascii_uppercase() || matches!(c, '2'..='7'))
}
