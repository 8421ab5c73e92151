//! What listening to acknowledgements costs.
//!
//! 1. The books alone: nanoseconds for one acknowledgement, subject and all.
//! 2. The whole source at `--probe acks` on a real nats-server to which 50 000 acknowledgements a second are published, beside the
//!    least that any listener must do: async-nats alone, which only counts. Both are programs of their own and listen to the same
//!    messages at the same time; their processor time is the operating system's own accounting. What Headwater asks and hands
//!    over besides is in its number.
//!
//! Wanted: no more than 1.3 times the bare listener, less than one core, no message lost. The server is the one that `./test fetch`
//! left in target/brokers, or `HEADWATER_TEST_NATS_SERVER`.
//!
//! `cargo bench --bench acks`

// What a benchmark measures is what it prints.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use headwater::demo::server::Server;
use headwater::model::command::ProbeLevel;
use headwater::model::time::Mono;
use headwater::source::nats::options::NatsOptions;
use headwater::source::nats::systems::Systems;
use headwater::source::nats::{self, Books};
use headwater::source::{BATCHES_WAITING, Clock, Outbox};
use tokio::runtime::Runtime;
use tokio::sync::{broadcast, mpsc};
use tokio::time::MissedTickBehavior;

#[path = "../tests/support/binaries.rs"]
#[allow(dead_code)]
mod binaries;

/// Acknowledgements published in a second, and for how long.
const RATE: u64 = 50_000;
const MEASURE: Duration = Duration::from_secs(10);
/// How often a share of them is published.
const TICK: Duration = Duration::from_millis(5);
/// Consumers that acknowledge.
const CONSUMERS: u64 = 10;
/// The last ones may take so long.
const SETTLE: Duration = Duration::from_secs(10);

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["listen", "bare", url] => runtime()?.block_on(bare(url)),
        ["listen", "headwater", url] => runtime()?.block_on(tap(url)),
        _ => {
            books();
            beside()
        }
    }
}

/// As the program itself has it.
fn runtime() -> Outcome<Runtime> {
    // async-nats wants the one provider of the process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// The subject of an acknowledgement of a message that was stored at `stored`.
fn subject(into: &mut String, number: u64, consumers: u64, stored: u64) {
    into.clear();
    let (consumer, seq) = (number % consumers, number / consumers + 1);
    // Writing to a string cannot fail.
    let _ = write!(into, "$JS.ACK.BENCH.worker-{consumer}.1.{seq}.{seq}.{stored}.0");
}

/// The books alone.
fn books() {
    const MANY: u64 = 1_000_000;
    const BEGIN: u64 = 1_800_000_000_000_000_000;
    println!("the books alone, of {MANY} acknowledgements (best of 5; the subject is made beforehand)");
    for consumers in [1, 10, 1_000] {
        let acks: Vec<(String, Mono)> = (0..MANY)
            .map(|number| {
                let (now, mut text) = (number * 20_000, String::new());
                let delay = 2_000_000 + number * 7_919 % 90_000_000;
                subject(&mut text, number, consumers, BEGIN + now - delay);
                (text, Mono(now))
            })
            .collect();
        let mut best = f64::MAX;
        for _ in 0..5 {
            let mut books = Books::new("nats".into(), &["BENCH"], BEGIN as i64);
            let (begin, mut counted) = (Instant::now(), 0);
            for (number, (subject, now)) in acks.iter().enumerate() {
                books.hear(subject, b"+ACK", *now);
                // About every tenth of a second, as the source does.
                if number % 5_000 == 4_999 {
                    counted += books.close(*now).values().map(|tally| tally.acknowledged).sum::<u64>();
                }
            }
            best = best.min(begin.elapsed().as_nanos() as f64 / MANY as f64);
            assert_eq!(counted, MANY, "each was counted once");
        }
        println!("  {consumers:>5} consumers {best:>8.0} ns each");
    }
}

/// The source beside a bare listener.
fn beside() -> Outcome<()> {
    if !std::path::Path::new("/proc/self/stat").exists() {
        println!("skipped: the comparison on a server needs /proc");
        return Ok(());
    }
    let program = match binaries::find(binaries::Version::New) {
        Ok(program) => program,
        Err(why) => {
            println!("skipped: the comparison on a server: {why}");
            return Ok(());
        }
    };
    let runtime = runtime()?;
    let server = runtime.block_on(Server::start(&program))?;
    let client = runtime.block_on(async_nats::connect(server.url()))?;
    runtime.block_on(consumers(&client))?;
    let mut listeners = [Listener::start("bare", server.url())?, Listener::start("headwater", server.url())?];
    // What happens once, at the start, is not what is measured.
    runtime.block_on(publish(&client, 0, Duration::from_secs(2)))?;
    std::thread::sleep(Duration::from_secs(1));
    for listener in &mut listeners {
        listener.begin()?;
    }
    let first = RATE * 2;
    let began = Instant::now();
    let sent = runtime.block_on(publish(&client, first, MEASURE))?;
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "\na server to which {sent} acknowledgements of {CONSUMERS} consumers were published in {seconds:.1} s, {:.0} a second",
        sent as f64 / seconds
    );
    println!("  {:<12} {:>10} {:>8} {:>20} {:>10}", "", "heard", "lost", "per million", "core");
    let mut costs = Vec::new();
    for listener in &mut listeners {
        let (heard, cpu) = listener.end(sent)?;
        let per_million = cpu / (heard.max(1) as f64 / 1e6);
        println!(
            "  {:<12} {heard:>10} {:>8} {per_million:>12.2} s of CPU {:>8.0} %",
            listener.name,
            sent.saturating_sub(heard),
            cpu / seconds * 100.0
        );
        costs.push(per_million);
    }
    if let [bare, headwater] = costs[..] {
        println!(
            "  headwater / bare {:>10.2}   (wanted: at most 1.30, under 100 % of a core, 0 lost)",
            headwater / bare
        );
    }
    Ok(())
}

/// A stream with the consumers that seem to acknowledge: the source asks for them, and their clock is known.
async fn consumers(client: &async_nats::Client) -> Outcome<()> {
    use async_nats::jetstream::{self, consumer::pull, stream};
    let config = stream::Config {
        name: "BENCH".to_owned(),
        subjects: vec!["bench".to_owned()],
        storage: stream::StorageType::Memory,
        ..stream::Config::default()
    };
    let stream = jetstream::new(client.clone()).create_stream(config).await?;
    for number in 0..CONSUMERS {
        let name = Some(format!("worker-{number}"));
        stream.create_consumer(pull::Config { durable_name: name, ..pull::Config::default() }).await?;
    }
    Ok(())
}

/// Publishes acknowledgements from a number on, at the rate; gives how many.
async fn publish(client: &async_nats::Client, first: u64, time: Duration) -> Outcome<u64> {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let each = RATE * TICK.as_millis() as u64 / 1_000;
    let mut text = String::new();
    let mut number = first;
    for _ in 0..time.as_millis() / TICK.as_millis() {
        ticks.tick().await;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
        for _ in 0..each {
            subject(&mut text, number, CONSUMERS, now - 2_000_000 - number * 7_919 % 90_000_000);
            client.publish(text.clone(), "+ACK".into()).await?;
            number += 1;
        }
    }
    client.flush().await?;
    Ok(number - first)
}

/// A program that listens, and tells how much it has heard when a line comes.
struct Listener {
    name: &'static str,
    child: Child,
    ask: ChildStdin,
    told: BufReader<ChildStdout>,
    before: (u64, f64),
}

impl Listener {
    fn start(name: &'static str, url: &str) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["listen", name, url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let ask = child.stdin.take().ok_or("no standard input")?;
        let told = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut listener = Self { name, child, ask, told, before: (0, 0.0) };
        // The first answer comes when it listens.
        listener.heard()?;
        Ok(listener)
    }

    fn heard(&mut self) -> Outcome<u64> {
        writeln!(self.ask)?;
        let mut line = String::new();
        self.told.read_line(&mut line)?;
        Ok(line.trim().parse()?)
    }

    fn begin(&mut self) -> Outcome<()> {
        self.before = (self.heard()?, cpu_seconds(self.child.id())?);
        Ok(())
    }

    /// What it has heard since, when that is all or nothing more comes, and its processor time.
    fn end(&mut self, sent: u64) -> Outcome<(u64, f64)> {
        let deadline = Instant::now() + SETTLE;
        let mut heard = self.heard()?;
        while heard - self.before.0 < sent && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
            heard = self.heard()?;
        }
        Ok((heard - self.before.0, cpu_seconds(self.child.id())? - self.before.1))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Answers each line with a number until the other side has gone.
fn answer(number: impl Fn() -> u64) {
    for line in std::io::stdin().lines() {
        if line.is_err() {
            return;
        }
        println!("{}", number());
    }
}

/// async-nats alone.
async fn bare(url: &str) -> Outcome<()> {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    let client = async_nats::connect(url).await?;
    let mut acks = client.subscribe("$JS.ACK.>").await?;
    client.flush().await?;
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while acks.next().await.is_some() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    Ok(tokio::task::spawn_blocking(move || answer(|| count.load(Ordering::Relaxed))).await?)
}

/// The source as the program runs it, and somebody who takes its batches.
async fn tap(url: &str) -> Outcome<()> {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    let options = NatsOptions { probe: ProbeLevel::Acks, ..NatsOptions::new("nats".into(), url)? };
    let (clock, (engine, mut batches)) = (Clock::start(), mpsc::channel(BATCHES_WAITING));
    let (_commands, told) = broadcast::channel(4);
    let systems = Systems::of(std::slice::from_ref(&options));
    let outbox = Outbox::new(options.source.clone(), clock, engine);
    tokio::spawn(nats::run(options, systems, outbox, told));
    // The first batch comes when it is connected, and it listens from then on.
    batches.recv().await.ok_or("the source has ended")?;
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Some(batch) = batches.recv().await {
            let heard: u64 = batch.acks.values().map(|tally| tally.acknowledged).sum();
            counted.fetch_add(heard, Ordering::Relaxed);
        }
    });
    Ok(tokio::task::spawn_blocking(move || answer(|| count.load(Ordering::Relaxed))).await?)
}

/// User and system time of all threads: fields 14 and 15 of /proc/PID/stat, in ticks of 10 ms.
fn cpu_seconds(pid: u32) -> Outcome<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').ok_or("no name in stat")?.1;
    let ticks: f64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}
