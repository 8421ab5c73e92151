//! What is unavailable, as a person reads it.

use std::collections::BTreeMap;

use super::Part;
use crate::model::id::Name;
use crate::model::observation::Unavailable;
use crate::source::nats::lenient::one_line;

/// Streams named one by one before the rest is only counted.
const MOST_NAMES: usize = 3;

/// The entries to tell: what is the same for many streams is said once.
pub(super) fn told(parts: &BTreeMap<Part, (Unavailable, bool)>) -> Vec<Unavailable> {
    let mut alike: BTreeMap<(bool, String), Vec<(&Name, &Unavailable)>> = BTreeMap::new();
    let mut others = Vec::new();
    for (part, (entry, _)) in parts {
        if let Part::Consumers(stream) | Part::Messages(stream) = part {
            let kind = (matches!(part, Part::Messages(_)), starred(&entry.why, stream));
            alike.entry(kind).or_default().push((stream, entry));
        } else {
            others.push(entry.clone());
        }
    }
    let grouped = alike.into_iter().filter_map(|((_, why), members)| {
        let (stream, entry) = members.first()?;
        if members.len() == 1 {
            return Some((*entry).clone());
        }
        let kind = entry.what.strip_suffix(one_line(stream).as_str())?;
        Some(Unavailable {
            what: format!("{kind}{}", named(members.iter().map(|(name, _)| *name))).into(),
            why: why.into(),
            remedy: starred(&entry.remedy, stream).into(),
        })
    });
    grouped.chain(others).collect()
}

/// `ACCOUNTS, BILLING, CATALOG and 3 more`
fn named<'a>(streams: impl ExactSizeIterator<Item = &'a Name>) -> String {
    let more = streams.len().saturating_sub(MOST_NAMES);
    let names: Vec<String> = streams.take(MOST_NAMES).map(|name| one_line(name)).collect();
    let names = names.join(", ");
    if more == 0 { names } else { format!("{names} and {more} more") }
}

/// A text about the subject of one stream as one about those of all.
fn starred(text: &str, stream: &str) -> String {
    let token = format!(".{stream}");
    let ends = |at: usize| {
        text.get(at + token.len()..)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || "-_.".contains(c)))
    };
    match text.match_indices(&token).map(|(at, _)| at).find(|at| ends(*at)) {
        Some(at) => format!(
            "{}.*{}",
            text.get(..at).unwrap_or_default(),
            text.get(at + token.len()..).unwrap_or_default()
        ),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(
        part: impl Fn(Name) -> Part,
        what: &str,
        api: &str,
        stream: &str,
    ) -> (Part, (Unavailable, bool)) {
        let entry = Unavailable {
            what: format!("{what} {stream}").into(),
            why: format!("permission denied for $JS.API.{api}.{stream}").into(),
            remedy: format!("allow this user to publish to $JS.API.{api}.{stream}; x").into(),
        };
        (part(stream.into()), (entry, true))
    }

    #[test]
    fn what_is_the_same_for_many_streams_is_said_once() {
        let consumers = |stream: &str| denied(Part::Consumers, "consumers of", "CONSUMER.LIST", stream);
        let parts = ["A", "API", "ORDERS", "c"].map(consumers);
        let lone = denied(Part::Messages, "staleness on", "STREAM.MSG.GET", "c");
        let list = told(&parts.into_iter().chain([lone]).collect());
        let texts: Vec<[&str; 3]> = list.iter().map(|one| [&*one.what, &*one.why, &*one.remedy]).collect();
        assert_eq!(
            texts,
            [
                [
                    "consumers of A, API, ORDERS and 1 more",
                    "permission denied for $JS.API.CONSUMER.LIST.*",
                    "allow this user to publish to $JS.API.CONSUMER.LIST.*; x"
                ],
                [
                    "staleness on c",
                    "permission denied for $JS.API.STREAM.MSG.GET.c",
                    "allow this user to publish to $JS.API.STREAM.MSG.GET.c; x"
                ],
            ]
        );
    }
}
