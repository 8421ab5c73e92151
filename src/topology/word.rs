//! The closed word lists of the topology files: kinds of store, modes of a copy, and so on.
//!
//! Each list is one table: the loader parses with it, error messages print it, and a test compares it with
//! the committed JSON Schema.

/// A closed list of words that a field may hold.
pub trait Word: Copy + Sized + 'static {
    /// All words, in the order in which they are offered.
    const WORDS: &'static [(&'static str, Self)];

    /// The value of a word, if it is in the list.
    fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(w, _)| *w == word).map(|(_, value)| *value)
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// The word as it stands in the files.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl Word for $name {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }
    )+};
}

words! {
    /// What a service is. Without a word it is an ordinary service.
    ServiceKind {
        /// An ordinary service.
        Service = "service",
        /// A door to the outside that keeps no data of its own.
        Gateway = "gateway",
        /// Moves data between systems, such as a change-data-capture connector.
        Connector = "connector",
        /// Runs now and then.
        Job = "job",
        /// Runs beside something else.
        Agent = "agent",
        /// Somebody else's: named because ours talk to it.
        External = "external",
    }
    /// What kind of broker it is.
    BrokerKind {
        /// NATS, with or without `JetStream`.
        Nats = "nats",
        /// Apache Kafka and what speaks its protocol.
        Kafka = "kafka",
        /// `RabbitMQ`.
        Rabbitmq = "rabbitmq",
        /// Redis Streams.
        Redis = "redis",
        /// An MQTT broker.
        Mqtt = "mqtt",
    }
    /// The shape of the data that a store is good at.
    StoreKind {
        /// Tables, joins, transactions.
        Relational = "relational",
        /// Nested documents.
        Document = "document",
        /// A value for each key.
        KeyValue = "key-value",
        /// Full-text index.
        Search = "search",
        /// Wide or analytic columns.
        Column = "column",
        /// Nodes and edges.
        Graph = "graph",
        /// Figures over time.
        TimeSeries = "time-series",
        /// Nearest neighbours of embeddings.
        Vector = "vector",
        /// Copies that may be lost.
        Cache = "cache",
        /// Files and blobs.
        Object = "object",
        /// Work that waits.
        Queue = "queue",
        /// An append-only log that is the record itself.
        Log = "log",
        /// Plain files.
        File = "file",
        /// None of the others.
        Other = "other",
    }
    /// What a service does to a store of another service.
    Access {
        /// Reads only.
        Read = "read",
        /// Writes only.
        Write = "write",
        /// Both.
        ReadWrite = "read-write",
    }
    /// How a copy is kept.
    CopyMode {
        /// By published facts.
        Event = "event",
        /// By a stream of records.
        Feed = "feed",
        /// By change data capture from the owner's store.
        Cdc = "cdc",
        /// By keeping the answers to requests.
        Cache = "cache",
    }
    /// How a feed comes about.
    FeedMode {
        /// The owner publishes the records itself.
        Feed = "feed",
        /// Change data capture from the owner's store.
        Cdc = "cdc",
    }
    /// By what a request travels.
    Protocol {
        /// NATS request and reply.
        Nats = "nats",
        /// Plain HTTP.
        Http = "http",
        /// gRPC.
        Grpc = "grpc",
        /// `GraphQL`.
        Graphql = "graphql",
        /// SOAP.
        Soap = "soap",
        /// Request and reply over AMQP queues.
        Amqp = "amqp",
        /// Request and reply over Kafka topics.
        Kafka = "kafka",
        /// Request and reply over Redis.
        Redis = "redis",
        /// Request and reply over MQTT.
        Mqtt = "mqtt",
        /// None of the others.
        Other = "other",
    }
    /// Whether the caller can go on without an answer.
    Criticality {
        /// Without the answer the caller fails.
        Hard = "hard",
        /// Without the answer the caller goes on with less.
        Soft = "soft",
    }
    /// What an objective is about.
    Property {
        /// Age of the oldest message still to be processed.
        Staleness = "staleness",
        /// Processed time minus append time of one message at one consumer.
        Propagation = "propagation",
        /// The largest propagation delay of one message over its consumers.
        Convergence = "convergence",
        /// Messages still to be processed.
        Lag = "lag",
        /// Share of requests that fail.
        ErrorRate = "error-rate",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_as_itself() {
        for (word, kind) in StoreKind::WORDS {
            assert_eq!(StoreKind::parse(word), Some(*kind));
            assert_eq!(kind.word(), *word);
        }
        assert_eq!(StoreKind::parse("Relational"), None, "words are lower case");
    }
}
