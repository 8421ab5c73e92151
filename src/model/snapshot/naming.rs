//! What consumers, channels and flows are called where people read: with their source first only when there are several brokers
//! on which they could be.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Flow, Snapshot, Source};
use crate::model::id::{Name, SourceId, escape};

/// Whether names bear their source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Naming {
    several: bool,
}

impl Naming {
    /// As among sources of these kinds: all that have channels count, which the health checks have not.
    pub fn among<'a>(kinds: impl IntoIterator<Item = &'a Name>) -> Self {
        let brokers = kinds.into_iter().filter(|kind| is_broker(kind));
        Self { several: brokers.take(2).count() > 1 }
    }

    /// As among these sources.
    pub fn of(sources: &[Arc<Source>]) -> Self {
        Self::among(sources.iter().map(|source| &source.report.kind))
    }

    /// An id as people call what it is of: `ORDERS/billing`, or `eu/ORDERS/billing`.
    pub fn local<'a>(&self, id: &'a str) -> &'a str {
        if self.several {
            return id;
        }
        id.split_once('/').map_or(id, |(_, rest)| rest).trim_start_matches("subject:")
    }

    /// A name that something has at a source.
    pub fn at<'a>(&self, source: &SourceId, name: &'a str) -> Cow<'a, str> {
        if self.several { format!("{}/{name}", escape(source.as_str())).into() } else { name.into() }
    }

    /// A flow as people call it: by the source of its channel, if it has one.
    pub fn flow<'a>(&self, flow: &'a Flow) -> Cow<'a, str> {
        match flow.channel.as_ref().and_then(|id| id.as_str().split_once('/')) {
            Some((source, _)) if self.several => format!("{source}/{}", flow.label).into(),
            _ => Cow::Borrowed(&*flow.label),
        }
    }

    /// Whether names bear their source.
    pub fn bears_source(&self) -> bool {
        self.several
    }

    /// The source, where a sentence has to say which one it is about.
    pub fn which<'a>(&self, source: &'a SourceId) -> Option<&'a SourceId> {
        self.several.then_some(source)
    }

    /// A sentence about something at a source, which was written where no other source is known.
    pub fn sentence<'a>(&self, source: &SourceId, text: &'a str) -> Cow<'a, str> {
        if self.several { format!("{source}: {text}").into() } else { text.into() }
    }
}

/// Whether a source of this kind has channels. One that has not said yet of what kind it is does not count.
fn is_broker(kind: &str) -> bool {
    !kind.is_empty() && kind != "health"
}

impl Snapshot {
    /// What things are called in it.
    pub fn naming(&self) -> Naming {
        Naming::of(&self.sources)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_among_several_brokers_a_name_bears_its_source() {
        let (nats, health, untold) = (Name::from("nats"), Name::from("health"), Name::from(""));
        let one = Naming::among([&nats, &health, &untold]);
        assert_eq!(one.local("eu/ORDERS/billing"), "ORDERS/billing");
        assert_eq!(one.local("eu/subject:orders.created"), "orders.created");
        assert_eq!(one.at(&"eu".into(), "ORDERS"), "ORDERS");
        assert_eq!(one.sentence(&"eu".into(), "stream ORDERS deleted"), "stream ORDERS deleted");
        assert_eq!(one.which(&"eu".into()), None);
        let two = Naming::among([&nats, &health, &nats]);
        assert_eq!(two.local("eu/ORDERS/billing"), "eu/ORDERS/billing");
        assert_eq!(two.at(&"eu".into(), "ORDERS"), "eu/ORDERS");
        assert_eq!(two.sentence(&"eu".into(), "stream ORDERS deleted"), "eu: stream ORDERS deleted");
        assert_eq!(two.which(&"eu".into()), Some(&"eu".into()));
    }
}
