//! A GET for the monitoring port, without a client: HTTP/1.0, so the answer ends with the connection.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

/// The JSON at `path` of a loopback port, or why there is none.
pub fn get_json(port: u16, path: &str) -> Result<serde_json::Value, String> {
    let body = get(port, path).map_err(|error| format!("GET {path}: {error}"))?;
    serde_json::from_str(&body).map_err(|error| format!("GET {path}: {error} in {body:?}"))
}

/// The body at `path` of a loopback port, whatever the status code.
pub fn get(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(body.to_owned())
}
