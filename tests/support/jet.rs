//! Short forms for what nearly every JetStream test does first.

use async_nats::jetstream::{self, consumer, stream};
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;

/// A file stream on subjects, everything else as the server has it.
pub async fn stream(client: &async_nats::Client, name: &str, subjects: &[&str]) -> stream::Stream {
    stream_with(
        client,
        stream::Config {
            name: name.to_owned(),
            subjects: subjects.iter().map(ToString::to_string).collect(),
            ..stream::Config::default()
        },
    )
    .await
}

/// A stream that drops what has been processed.
pub async fn work_queue(client: &async_nats::Client, name: &str, subjects: &[&str]) -> stream::Stream {
    stream_with(
        client,
        stream::Config {
            name: name.to_owned(),
            subjects: subjects.iter().map(ToString::to_string).collect(),
            retention: stream::RetentionPolicy::WorkQueue,
            ..stream::Config::default()
        },
    )
    .await
}

/// A stream with a configuration of the test's own.
pub async fn stream_with(client: &async_nats::Client, config: stream::Config) -> stream::Stream {
    jetstream::new(client.clone()).create_stream(config).await.unwrap()
}

/// A durable pull consumer with explicit acknowledgement.
pub async fn pull(stream: &stream::Stream, durable: &str) -> consumer::PullConsumer {
    pull_with(
        stream,
        consumer::pull::Config {
            durable_name: Some(durable.to_owned()),
            ..consumer::pull::Config::default()
        },
    )
    .await
}

/// A pull consumer with a configuration of the test's own.
pub async fn pull_with(stream: &stream::Stream, config: consumer::pull::Config) -> consumer::PullConsumer {
    stream.create_consumer(config).await.unwrap()
}

/// A durable push consumer; nothing is delivered until somebody subscribes to `deliver_subject`.
pub async fn push(stream: &stream::Stream, durable: &str, deliver_subject: &str) -> consumer::PushConsumer {
    stream
        .create_consumer(consumer::push::Config {
            durable_name: Some(durable.to_owned()),
            deliver_subject: deliver_subject.to_owned(),
            ..consumer::push::Config::default()
        })
        .await
        .unwrap()
}

/// Publishes `count` small messages and waits until the stream has stored each.
pub async fn publish(client: &async_nats::Client, subject: &str, count: usize) {
    let context = jetstream::new(client.clone());
    let mut stored = Vec::with_capacity(count);
    for number in 0..count {
        let body = Bytes::from(format!("{{\"n\":{number}}}"));
        stored.push(context.publish(subject.to_owned(), body).await.unwrap());
    }
    for ack in stored {
        ack.await.unwrap();
    }
}

/// Pulls `count` messages. What was published a moment ago may reach the consumer a moment later, so it waits for them.
pub async fn fetch(consumer: &consumer::PullConsumer, count: usize) -> Vec<jetstream::Message> {
    use futures_util::TryStreamExt as _;
    let batch = consumer.batch().max_messages(count).expires(Duration::from_secs(30));
    let got: Vec<_> = batch.messages().await.unwrap().try_collect().await.unwrap();
    assert_eq!(got.len(), count, "messages that {} was handed", consumer.cached_info().name);
    got
}

/// Pulls up to `count` messages that are there at this moment.
pub async fn fetch_at_once(consumer: &consumer::PullConsumer, count: usize) -> Vec<jetstream::Message> {
    use futures_util::TryStreamExt as _;
    let batch = consumer.fetch().max_messages(count).messages().await.unwrap();
    batch.try_collect().await.unwrap()
}

/// One raw request with a JSON body (`Null` for an empty one) and the JSON that answered it.
pub async fn request(client: &async_nats::Client, subject: &str, body: &Value) -> Value {
    let payload = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let answer = client.request(subject.to_owned(), payload).await.unwrap();
    serde_json::from_slice(&answer.payload).unwrap()
}

/// `$JS.API.STREAM.INFO` as the server says it.
pub async fn stream_info(client: &async_nats::Client, stream: &str) -> Value {
    request(client, &format!("$JS.API.STREAM.INFO.{stream}"), &Value::Null).await
}

/// `$JS.API.CONSUMER.INFO` as the server says it.
pub async fn consumer_info(client: &async_nats::Client, stream: &str, consumer: &str) -> Value {
    request(client, &format!("$JS.API.CONSUMER.INFO.{stream}.{consumer}"), &Value::Null).await
}

/// Subjects that connections of this name listen to, as the server says.
pub async fn subscriptions(client: &async_nats::Client, name: &str) -> Vec<String> {
    let answer =
        request(client, "$SYS.REQ.ACCOUNT.PING.CONNZ", &json!({ "subscriptions": true, "limit": 100 })).await;
    let connections = answer["data"]["connections"].as_array().unwrap().clone();
    let of_name = connections.into_iter().filter(|one| one["name"] == name);
    let subjects = of_name.flat_map(|one| one["subscriptions_list"].as_array().cloned().unwrap_or_default());
    subjects.filter_map(|subject| subject.as_str().map(str::to_owned)).collect()
}

/// Whether a request fails at once because nobody serves the subject.
pub async fn fails_at_once(client: &async_nats::Client, subject: &'static str) -> bool {
    let request = tokio::time::timeout(Duration::from_millis(500), client.request(subject, "".into())).await;
    matches!(request, Ok(Err(error)) if error.kind() == async_nats::client::RequestErrorKind::NoResponders)
}
