//! What the store's messages say: JSON with ids that go along from cause to consequence, and headers as `CloudEvents` and
//! W3C Trace Context have them.

use async_nats::HeaderMap;
use serde_json::{Map, Value, json};

use super::plan::Outlet;

/// Customers and products that there are: few enough to meet again.
const USERS: u64 = 500;
const PRODUCTS: u64 = 200;
const FIRST_NAMES: [&str; 8] =
    ["Ada", "Bjarne", "Chiara", "Dilnoza", "Emeka", "Fatima", "Grzegorz", "Hanako"];
const LAST_NAMES: [&str; 6] = ["Almeida", "Brandt", "Çelik", "Diallo", "Eriksen", "Fujimoto"];
/// The longest text that fills a message: servers take 1 MiB at most, headers and all.
const MOST_TEXT: usize = 900_000;
const WAREHOUSES: [&str; 3] = ["north", "port", "south"];

/// A message on its way from cause to consequence.
#[derive(Clone, Debug)]
pub struct Message {
    /// The payload.
    pub body: Map<String, Value>,
    /// `traceparent` of who sent it: one trace runs through all that follows from one cause.
    pub trace: Trace,
}

/// Where in a trace something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    id: u128,
    span: u64,
}

impl Trace {
    /// The start of a trace.
    pub fn start() -> Self {
        Self { id: fastrand::u128(1..), span: fastrand::u64(1..) }
    }

    /// A step within the same trace.
    #[must_use]
    pub fn next(self) -> Self {
        Self { id: self.id, span: fastrand::u64(1..) }
    }

    /// A trace of given numbers.
    pub(in crate::demo) const fn of(id: u128, span: u64) -> Self {
        Self { id, span }
    }

    /// A given step within the same trace.
    #[must_use]
    pub(in crate::demo) const fn at(self, span: u64) -> Self {
        Self { id: self.id, span }
    }

    /// As the header has it.
    pub fn header(self) -> String {
        format!("00-{:032x}-{:016x}-01", self.id, self.span)
    }

    /// From the header.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-').skip(1);
        let id = u128::from_str_radix(parts.next()?, 16).ok()?;
        let span = u64::from_str_radix(parts.next()?, 16).ok()?;
        Some(Self { id, span })
    }
}

impl Message {
    /// What arrived. A body that is no JSON object is empty: the sample's own services send none.
    pub fn read(headers: Option<&HeaderMap>, payload: &[u8]) -> Self {
        let trace = headers.and_then(|h| h.get("traceparent")).and_then(|value| Trace::parse(value.as_str()));
        let body = match serde_json::from_slice(payload) {
            Ok(Value::Object(body)) => body,
            _ => Map::new(),
        };
        Self { body, trace: trace.unwrap_or_else(Trace::start) }
    }

    /// The question that starts everything: somebody looks at something in the shop.
    pub fn visit() -> Self {
        let body = Map::from_iter([
            ("user_id".to_owned(), json!(user_id(fastrand::u64(1..=USERS)))),
            ("session_id".to_owned(), json!(format!("s-{:08x}", fastrand::u32(..)))),
            ("sku".to_owned(), json!(sku(fastrand::u64(1..=PRODUCTS)))),
            ("quantity".to_owned(), json!(fastrand::u64(1..=3))),
        ]);
        Self { body, trace: Trace::start() }
    }

    /// The payload as bytes.
    pub fn payload(&self) -> bytes::Bytes {
        Value::Object(self.body.clone()).to_string().into()
    }

    /// What a service sends: a new fact, with the ids of what caused it. `number` counts what this outlet has sent;
    /// a text fills it up to about so many `bytes`.
    pub fn of(outlet: &Outlet, cause: Option<&Self>, number: u64, bytes: u64) -> Self {
        let mut body = Map::new();
        for (field, value) in cause.into_iter().flat_map(|cause| &cause.body) {
            if field.ends_with("_id") || field == "sku" || field == "quantity" {
                body.insert(field.clone(), value.clone());
            }
        }
        if let Some(key) = &outlet.key {
            body.entry(key.to_string()).or_insert_with(|| new_id(key, number));
        }
        let now = jiff::Timestamp::now().to_string();
        details(&outlet.what, &Details { number, chance: fastrand::u64(..), time: &now }, &mut body);
        fill(&mut body, bytes);
        let trace = cause.map_or_else(Trace::start, |cause| cause.trace.next());
        Self { body, trace }
    }
}

/// The rest of a record, which nobody here reads.
pub(in crate::demo) fn fill(body: &mut Map<String, Value>, bytes: u64) {
    const FIELD: &str = ",\"note\":\"\"";
    let without = Value::Object(body.clone()).to_string().len() + FIELD.len();
    let missing = usize::try_from(bytes).unwrap_or(usize::MAX).min(MOST_TEXT).saturating_sub(without);
    if missing > 0 {
        body.insert("note".to_owned(), json!("all the rest of it ".repeat(missing / 19 + 1).get(..missing)));
    }
}

/// Headers of a message: `CloudEvents` in binary mode, and the trace.
pub fn headers(service: &str, what: &str, trace: Trace) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("ce-specversion", "1.0");
    headers.insert("ce-id", format!("{:016x}", fastrand::u64(..)).as_str());
    headers.insert("ce-source", format!("/{service}").as_str());
    headers.insert("ce-type", what);
    headers.insert("ce-time", jiff::Timestamp::now().to_string().as_str());
    headers.insert("traceparent", trace.header().as_str());
    headers
}

/// Headers of a request: the trace alone.
pub fn request_headers(trace: Trace) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", trace.header().as_str());
    headers
}

fn user_id(n: u64) -> String {
    format!("u-{n:05}")
}

fn sku(n: u64) -> String {
    format!("sku-{n:04}")
}

/// An id for a field: of the few customers and products, or a new one.
fn new_id(field: &str, number: u64) -> Value {
    match field {
        "user_id" => json!(user_id(fastrand::u64(1..=USERS))),
        "sku" => json!(sku(fastrand::u64(1..=PRODUCTS))),
        // Unique over restarts and instances: the number alone is not.
        _ => json!(numbered(field, number, fastrand::u64(..0x0100_0000))),
    }
}

fn numbered(field: &str, number: u64, chance: u64) -> String {
    format!("{}-{number}-{chance:06x}", field.trim_end_matches("_id"))
}

/// A field's text from one number, as the simulation keeps it: of the few customers and products, or a new id whose number
/// is in the upper 40 bits.
pub(in crate::demo) fn text_of(field: &str, value: u64) -> String {
    match field {
        "user_id" => user_id(value % USERS + 1),
        "sku" => sku(value % PRODUCTS + 1),
        "session_id" => format!("s-{:08x}", value & 0xffff_ffff),
        "quantity" => (value % 3 + 1).to_string(),
        "version" => value.to_string(),
        "warehouse_id" => pick(&WAREHOUSES, value).to_owned(),
        _ => numbered(field, value >> 24, value & 0x00ff_ffff),
    }
}

/// The fields of an event or feed that count what its outlet has sent.
pub(in crate::demo) fn numbered_fields(what: &str) -> &'static [&'static str] {
    match what {
        "UserRegistered" | "user.profile" | "product.catalog" => &["version"],
        "stock.level" => &["warehouse_id", "version"],
        _ => &[],
    }
}

fn pick<'a>(from: &[&'a str], by: u64) -> &'a str {
    from.get(by as usize % from.len().max(1)).copied().unwrap_or_default()
}

/// What the details of a message are made of.
pub(in crate::demo) struct Details<'a> {
    /// How many its outlet had sent by then.
    pub(in crate::demo) number: u64,
    /// Any number: the same one gives the same details.
    pub(in crate::demo) chance: u64,
    /// When it was sent.
    pub(in crate::demo) time: &'a str,
}

/// What the sample's events and feeds say beside their ids.
pub(in crate::demo) fn details(what: &str, of: &Details<'_>, body: &mut Map<String, Value>) {
    let Details { number, chance, time } = *of;
    let now = json!(time);
    let cents = json!(199 + chance % (30_000 - 199));
    let mut set = |field: &str, value: Value| {
        body.entry(field.to_owned()).or_insert(value);
    };
    match what {
        "UserRegistered" | "user.profile" => {
            let person = chance % USERS + 1;
            let (first, last) = (pick(&FIRST_NAMES, person), pick(&LAST_NAMES, person / 8));
            set("first_name", json!(first));
            set("last_name", json!(last));
            set("email", json!(format!("{}.{person}@example.com", first.to_lowercase())));
            set("version", json!(number));
        }
        "product.catalog" => {
            set("title", json!(format!("Article {number}")));
            set("version", json!(number));
        }
        "stock.level" => {
            set("warehouse_id", json!(pick(&WAREHOUSES, number)));
            set("available", json!(chance % 400));
            set("version", json!(number));
        }
        "PriceChanged" => {
            set("price_cents", cents);
            set("currency", json!("EUR"));
        }
        "OrderCreated" => {
            set("total_cents", cents);
            set("created_at", now);
        }
        "InvoiceIssued" => {
            set("order_id", json!("unknown"));
            set("user_id", json!("unknown"));
            set("total_cents", cents);
            set("currency", json!("EUR"));
            set("iban", json!("DE00 0000 0000 0000 0000 00"));
            set("issued_at", now);
        }
        "PaymentReceived" | "PaymentFailed" => {
            set("amount_cents", cents);
            set("at", now);
        }
        _ => set("at", now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::store::plan::Plan;

    fn outlet(service: &str, what: &str) -> Outlet {
        let plan = Plan::of(&crate::demo::sample::load().topology.unwrap(), "main");
        plan.services[service].outlets[what].clone()
    }

    #[test]
    fn ids_and_trace_go_along() {
        let order = Message::of(&outlet("orders", "OrderCreated"), Some(&Message::visit()), 1, 320);
        let sent = Message::read(Some(&headers("orders", "OrderCreated", order.trace)), &order.payload());
        let paid = Message::of(&outlet("billing", "PaymentReceived"), Some(&sent), 7, 0);
        for field in ["order_id", "user_id", "sku"] {
            assert_eq!(order.body[field], paid.body[field], "{field}");
        }
        assert!(paid.body["payment_id"].as_str().unwrap().starts_with("payment-7-"));
        assert_eq!((order.trace.id, order.trace == paid.trace), (paid.trace.id, false));
    }

    #[test]
    fn an_invoice_is_what_its_schema_says() {
        let schema = include_str!("../../../sample-topology/schemas/invoice-issued.json");
        let schema: Value = serde_json::from_str(schema).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let order = Message::of(&outlet("orders", "OrderCreated"), Some(&Message::visit()), 1, 320);
        for cause in [None, Some(&order)] {
            let invoice = Message::of(&outlet("billing", "InvoiceIssued"), cause, 2, 900);
            assert_eq!(invoice.payload().len(), 900);
            assert!(validator.is_valid(&Value::Object(invoice.body.clone())), "{:?}", invoice.body);
        }
    }

    #[test]
    fn any_header_is_a_trace_or_none() {
        let trace = Trace::start();
        assert_eq!(Trace::parse(&trace.header()), Some(trace));
        for header in ["", "00", "00-x-y-01", "00-1", "--"] {
            assert_eq!(Trace::parse(header), None, "{header}");
        }
    }
}
