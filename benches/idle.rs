//! What the running program costs: processor, memory and bytes to the terminal, live and paused.
//!
//! Runs the real binary on the simulated store in a pseudo-terminal of 200×60 and reads the operating system's own
//! accounting. Stated limits: paused, under 1 % of a core and not one frame; beside it, as the peer, what `bottom` at
//! one update a second is reported to take: 0.75 %, 7.5 MiB, 1 kB/s to the terminal. Paused, the screen's own thread sleeps (its
//! share is told apart); what remains is the simulated store and the engine, which go on watching.
//!
//! `cargo bench --bench idle`

// What a benchmark measures is what it prints.
#![allow(clippy::print_stdout)]

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const WARM_UP: Duration = Duration::from_secs(6);
const MEASURE: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if !std::path::Path::new("/proc/self/stat").exists() {
        println!("skipped: this needs /proc");
        return Ok(());
    }
    let pty =
        native_pty_system().openpty(PtySize { rows: 60, cols: 200, pixel_width: 0, pixel_height: 0 })?;
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_headwater"));
    command.args(["demo", "--simulate", "--seed", "1"]);
    command.env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8");
    let mut child = pty.slave.spawn_command(command)?;
    let pid = child.process_id().ok_or("no process id")?;
    let mut from = pty.master.try_clone_reader()?;
    let mut to = pty.master.take_writer()?;
    let written = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&written);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            counter.fetch_add(n as u64, Ordering::Relaxed);
        }
    });

    println!("{:<8} {:>10} {:>16} {:>12} {:>14}", "", "core", "of it the screen", "memory", "to terminal");
    std::thread::sleep(WARM_UP);
    measure("live", pid, &written)?;
    to.write_all(b" ")?;
    std::thread::sleep(Duration::from_secs(2));
    measure("paused", pid, &written)?;
    println!(
        "limits   paused < 1 % of a core, 0 B/s; peer: bottom at 1/s 0.75 %, 7.5 MiB, 1 kB/s (as reported by its users)"
    );
    to.write_all(b"q")?;
    child.wait()?;
    Ok(())
}

fn measure(what: &str, pid: u32, written: &AtomicU64) -> Result<(), Box<dyn std::error::Error>> {
    let (begin, cpu, bytes) = (Instant::now(), cpu_seconds(pid)?, written.load(Ordering::Relaxed));
    let screen = screen_seconds(pid)?;
    std::thread::sleep(MEASURE);
    let seconds = begin.elapsed().as_secs_f64();
    let core = (cpu_seconds(pid)? - cpu) / seconds * 100.0;
    let per_second = (written.load(Ordering::Relaxed) - bytes) as f64 / seconds;
    let screen = (screen_seconds(pid)? - screen) / seconds * 100.0;
    println!(
        "{what:<8} {core:>8.2} % {screen:>14.2} % {:>8.1} MiB {per_second:>10.0} B/s",
        resident_mib(pid)?
    );
    Ok(())
}

/// User and system time of all threads: fields 14 and 15 of /proc/PID/stat, in ticks of 10 ms.
fn cpu_seconds(pid: u32) -> Result<f64, Box<dyn std::error::Error>> {
    ticks_seconds(&std::fs::read_to_string(format!("/proc/{pid}/stat"))?)
}

/// The same of the threads that draw.
fn screen_seconds(pid: u32) -> Result<f64, Box<dyn std::error::Error>> {
    let mut seconds = 0.0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let stat = std::fs::read_to_string(task?.path().join("stat"))?;
        if stat.contains("(ui)") {
            seconds += ticks_seconds(&stat)?;
        }
    }
    Ok(seconds)
}

fn ticks_seconds(stat: &str) -> Result<f64, Box<dyn std::error::Error>> {
    let after_name = stat.rsplit_once(')').ok_or("no name in stat")?.1;
    let ticks: f64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|f| f.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}

fn resident_mib(pid: u32) -> Result<f64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    let kib: f64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kib / 1024.0)
}
