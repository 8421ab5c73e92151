//! A real nats-server of a test's own: ephemeral loopback ports, temporary directory, killed on drop.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use async_nats::ConnectOptions;
use tempfile::TempDir;

use super::{
    binaries::{self, Version},
    config::{Config, SYSTEM_USER},
    ports::ClosedPort,
};

/// How long a server may take to open its ports on a busy machine.
const START_WITHIN: Duration = Duration::from_secs(20);
/// How much of its log is shown when a test fails.
const LOG_LINES: usize = 40;

/// A running (or, after [`Broker::kill`], dead) server.
pub struct Broker {
    config: Config,
    binary: PathBuf,
    directory: TempDir,
    child: Option<Child>,
    /// 0 until the first start has chosen one.
    port: u16,
    monitor_port: u16,
    /// Its ports, kept for it while it is dead.
    kept: Vec<ClosedPort>,
}

impl Broker {
    /// Starts a server and waits until it accepts connections.
    pub fn start(config: Config) -> Self {
        let binary = binaries::find(config.version).unwrap_or_else(|why| panic!("{why}"));
        let mut broker = Self::prepare(config, binary);
        broker.launch();
        broker
    }

    /// Starts the old server; `None` (and one line that says so) where it cannot be had.
    pub fn start_old(config: Config) -> Option<Self> {
        match binaries::find(Version::Old) {
            Ok(_) => Some(Self::start(config.version(Version::Old))),
            Err(why) => {
                eprintln!("SKIPPED: {why}");
                None
            }
        }
    }

    fn prepare(config: Config, binary: PathBuf) -> Self {
        // async-nats and reqwest both want the one provider of the process.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let directory = tempfile::Builder::new().prefix("headwater-nats-").tempdir().unwrap();
        Self { config, binary, directory, child: None, port: 0, monitor_port: 0, kept: Vec::new() }
    }

    /// A server whose ports are already decided; returns whether it came up.
    pub(super) fn try_start(config: Config) -> Result<Self, String> {
        let binary = binaries::find(config.version)?;
        let mut broker = Self::prepare(config, binary);
        broker.try_launch()?;
        Ok(broker)
    }

    /// `nats://127.0.0.1:PORT`, without credentials.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The same with a user's name and password in it.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        format!("nats://{user}:{password}@127.0.0.1:{}", self.port)
    }

    /// `http://127.0.0.1:PORT` of the monitoring endpoint.
    pub fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.monitor_port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn monitor_port(&self) -> u16 {
        self.monitor_port
    }

    /// The server's own directory, for files that a test wants beside it.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Connects as the first user (or by the token, operator or certificate) of the configuration.
    pub async fn connect(&self) -> async_nats::Client {
        self.connect_as("test").await
    }

    /// The same, under a connection name.
    pub async fn connect_as(&self, name: &str) -> async_nats::Client {
        self.connect_with(self.options().name(name)).await
    }

    /// Connects as the user of the system account.
    pub async fn connect_system(&self) -> async_nats::Client {
        let (user, password) = SYSTEM_USER;
        let options = self.plain_options().user_and_password(user.to_owned(), password.to_owned());
        self.connect_with(options.name("test-system")).await
    }

    /// Connects with options of the test's own.
    pub async fn connect_with(&self, options: ConnectOptions) -> async_nats::Client {
        match options.connect(self.url()).await {
            Ok(client) => client,
            Err(error) => panic!("cannot connect to {}: {error}\n{}", self.url(), self.last_log_lines()),
        }
    }

    /// What [`Broker::connect`] uses.
    pub fn options(&self) -> ConnectOptions {
        let options = self.plain_options();
        if let Some(user) = self.config.users.first() {
            return options.user_and_password(user.name.clone(), user.password.clone());
        }
        if let Some(token) = &self.config.token {
            return options.token(token.clone());
        }
        if let Some(operator) = &self.config.operator {
            return options.credentials(&operator.creds).unwrap();
        }
        options
    }

    fn plain_options(&self) -> ConnectOptions {
        let options = ConnectOptions::new();
        let Some(tls) = &self.config.tls else { return options };
        let files = &tls.certificates;
        let mut options = options.require_tls(true).add_root_certificates(files.ca.clone());
        if tls.verify_client {
            options = options.add_client_certificate(files.client_cert.clone(), files.client_key.clone());
        }
        if tls.first { options.tls_first() } else { options }
    }

    /// Ends the server at once, as a crash would (SIGKILL). Its store stays.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
            self.keep_ports();
        }
    }

    /// Asks the server to end (SIGTERM) and waits for it. Its store stays.
    pub fn stop(&mut self) {
        self.signal(rustix::process::Signal::TERM);
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
            self.keep_ports();
        }
    }

    fn keep_ports(&mut self) {
        self.kept = [self.port, self.monitor_port].into_iter().filter_map(ClosedPort::keep).collect();
    }

    /// Stops the server's clock without closing a connection (SIGSTOP), as a hung machine would.
    pub fn freeze(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    /// Ends [`Broker::freeze`].
    pub fn thaw(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        if let Some(child) = &self.child {
            rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).unwrap();
        }
    }

    /// Starts the server again on the same ports with the same store, after [`Broker::kill`] or [`Broker::stop`].
    pub fn restart(&mut self) {
        self.kill();
        self.launch();
    }

    /// The same with another configuration (limits, permissions).
    pub fn restart_with(&mut self, change: impl FnOnce(Config) -> Config) {
        self.kill();
        self.config = change(self.config.clone());
        self.launch();
    }

    fn launch(&mut self) {
        let deadline = Instant::now() + START_WITHIN;
        loop {
            match self.try_launch() {
                Ok(()) => return,
                // A fixed port may still be held by a connection of its last life.
                Err(_) if self.port != 0 && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(why) => panic!("{why}"),
            }
        }
    }

    fn try_launch(&mut self) -> Result<(), String> {
        let directory = self.directory.path().to_path_buf();
        let config = directory.join("server.conf");
        std::fs::write(&config, self.config.render(&directory)).map_err(|error| error.to_string())?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(directory.join("log"))
            .map_err(|error| error.to_string())?;
        self.kept.clear();
        let port = |port: u16| if port == 0 { "-1".to_owned() } else { port.to_string() };
        let mut child = Command::new(&self.binary)
            .args(["-a", "127.0.0.1", "-p", &port(self.port), "-m", &port(self.monitor_port)])
            .arg("--ports_file_dir")
            .arg(&directory)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", self.binary.display()))?;

        let ports_file = directory.join(format!("nats-server_{}.ports", child.id()));
        let deadline = Instant::now() + START_WITHIN;
        let outcome = loop {
            if let Some(ports) = read_ports(&ports_file) {
                break Ok(ports);
            }
            if let Ok(Some(status)) = child.try_wait() {
                break Err(format!("nats-server ended at once ({status})"));
            }
            if Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                break Err(format!("nats-server has not opened its ports within {START_WITHIN:?}"));
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let (port, monitor_port) = outcome.map_err(|why| format!("{why}\n{}", self.last_log_lines()))?;
        (self.port, self.monitor_port) = (port, monitor_port);
        self.child = Some(child);
        Ok(())
    }

    fn last_log_lines(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(LOG_LINES);
        format!("--- nats-server's log ---\n{}\n---", lines[from..].join("\n"))
    }
}

/// The client and monitoring port, once the server has written them.
fn read_ports(file: &Path) -> Option<(u16, u16)> {
    let text = std::fs::read_to_string(file).ok()?;
    let ports: serde_json::Value = serde_json::from_str(&text).ok()?;
    let port = |kind: &str| {
        let url = ports.get(kind)?.get(0)?.as_str()?;
        url.rsplit(':').next()?.parse::<u16>().ok()
    };
    Some((port("nats").or_else(|| port("tls"))?, port("monitoring")?))
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("{}", self.last_log_lines());
        }
    }
}
