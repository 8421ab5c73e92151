//! What the simulated messages say: the ids and headers that the real store's have, kept as numbers. The text is made
//! when somebody looks for it; what is in a message besides, nobody looks for.

use super::random::Random;
use serde_json::{Map, Value, json};

use crate::demo::store::payload::{Details, Trace, details, fill, numbered_fields, text_of};
use crate::model::id::Name;

/// The names of fields, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Vec<Name>);

impl Fields {
    fn place(&mut self, name: &str) -> u16 {
        let place = self.0.iter().position(|field| **field == *name).unwrap_or_else(|| {
            self.0.push(name.into());
            self.0.len() - 1
        });
        u16::try_from(place).unwrap_or(u16::MAX)
    }

    fn name(&self, place: u16) -> &str {
        self.0.get(usize::from(place)).map_or("", |name| name)
    }
}

/// What one message says.
#[derive(Clone, Debug)]
pub(super) struct Content {
    ids: Box<[(u16, u64)]>,
    trace: Trace,
    /// Its `ce-id`.
    id: u64,
    /// How many its outlet had sent by then.
    number: u64,
    /// Where it was sent: a place in the world's outlets. Nowhere for a request.
    pub(super) outlet: Option<usize>,
}

impl Content {
    /// Somebody looks at something in the shop: what everything begins with.
    pub(super) fn visit(fields: &mut Fields, chance: &mut Random) -> Self {
        let ids =
            ["user_id", "session_id", "sku", "quantity"].map(|field| (fields.place(field), chance.number()));
        Self {
            ids: ids.into(),
            trace: Trace::of(chance.long(), chance.number()),
            id: 0,
            number: 0,
            outlet: None,
        }
    }

    /// A new fact with the ids of what caused it; `number` counts what this outlet has sent.
    pub(super) fn of(
        (outlet, what, key): (usize, &str, Option<&str>),
        cause: Option<&Self>,
        number: u64,
        fields: &mut Fields,
        chance: &mut Random,
    ) -> Self {
        let mut ids: Vec<(u16, u64)> = Vec::new();
        for (field, value) in cause.into_iter().flat_map(|cause| &cause.ids) {
            if goes_along(fields.name(*field)) {
                ids.push((*field, *value));
            }
        }
        let mut add = |field: &str, value: u64| {
            let place = fields.place(field);
            if !ids.iter().any(|(known, _)| *known == place) {
                ids.push((place, value));
            }
        };
        if let Some(key) = key {
            // The number makes it unique; chance is in the lower bits.
            add(key, (number << 24) | (chance.number() & 0x00ff_ffff));
        }
        for field in numbered_fields(what) {
            add(field, number);
        }
        let span = chance.number();
        let trace = cause.map_or_else(|| Trace::of(chance.long(), span), |cause| cause.trace.at(span));
        Self { ids: ids.into(), trace, id: chance.number(), number, outlet: Some(outlet) }
    }

    /// A field of its payload, as text.
    pub(super) fn field(&self, name: &str, fields: &Fields) -> Option<String> {
        let (field, value) = self.ids.iter().find(|(field, _)| fields.name(*field) == name)?;
        Some(text_of(fields.name(*field), *value))
    }

    /// Its payload as JSON: its ids, what an event or feed of this name says beside them as of `time`, and a text that fills it
    /// up to about so many `bytes`. A request has no name, and says its ids alone.
    pub(super) fn body(&self, what: Option<&str>, fields: &Fields, time: &str, bytes: u64) -> String {
        let value = |field: &str, value: u64| {
            let text = text_of(field, value);
            match text.parse::<u64>() {
                Ok(number) => json!(number),
                Err(_) => json!(text),
            }
        };
        let mut body: Map<String, Value> = self
            .ids
            .iter()
            .map(|(field, number)| (fields.name(*field).to_owned(), value(fields.name(*field), *number)))
            .collect();
        if let Some(what) = what {
            details(what, &Details { number: self.number, chance: self.id, time }, &mut body);
            fill(&mut body, bytes);
        }
        Value::Object(body).to_string()
    }

    /// The headers of a request: the trace alone.
    pub(super) fn request_headers(&self) -> Vec<(Name, Name)> {
        vec![("traceparent".into(), self.trace.header().into())]
    }

    /// Its headers: `CloudEvents` in binary mode, and the trace.
    pub(super) fn headers(&self, service: &str, what: &str, time: &str) -> Vec<(Name, Name)> {
        let pairs = [
            ("ce-specversion", "1.0".to_owned()),
            ("ce-id", format!("{:016x}", self.id)),
            ("ce-source", format!("/{service}")),
            ("ce-type", what.to_owned()),
            ("ce-time", time.to_owned()),
            ("traceparent", self.trace.header()),
        ];
        pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
    }
}

/// Ids go along from cause to consequence; what counts the messages of one outlet does not.
fn goes_along(field: &str) -> bool {
    field.ends_with("_id") || field == "sku" || field == "quantity"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_trace_go_along_as_in_the_real_store() {
        let (mut fields, mut chance) = (Fields::default(), Random::new(1));
        let visit = Content::visit(&mut fields, &mut chance);
        let order =
            Content::of((0, "OrderCreated", Some("order_id")), Some(&visit), 7, &mut fields, &mut chance);
        let paid = Content::of(
            (1, "PaymentReceived", Some("payment_id")),
            Some(&order),
            9,
            &mut fields,
            &mut chance,
        );
        for field in ["order_id", "user_id", "sku"] {
            assert_eq!(order.field(field, &fields), paid.field(field, &fields), "{field}");
        }
        assert!(order.field("order_id", &fields).unwrap().starts_with("order-7-"));
        assert!(paid.field("payment_id", &fields).unwrap().starts_with("payment-9-"));
        assert!(order.field("user_id", &fields).unwrap().starts_with("u-00"));
        let parent = |content: &Content| content.headers("orders", "x", "t")[5].1[3..35].to_owned();
        assert_eq!(parent(&order), parent(&paid));
        assert_ne!(order.headers("orders", "x", "t")[5], paid.headers("orders", "x", "t")[5]);
    }

    #[test]
    fn a_version_counts_the_messages_of_its_outlet_alone() {
        let (mut fields, mut chance) = (Fields::default(), Random::new(1));
        let stock = Content::of((0, "stock.level", Some("sku")), None, 4, &mut fields, &mut chance);
        assert_eq!(stock.field("version", &fields).as_deref(), Some("4"));
        let next = Content::of((1, "X", None), Some(&stock), 5, &mut fields, &mut chance);
        assert_eq!(next.field("version", &fields), None);
        assert_eq!(next.field("sku", &fields), stock.field("sku", &fields));
    }
}
