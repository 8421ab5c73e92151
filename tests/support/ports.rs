//! Ports on which nobody listens, and that nobody else gets meanwhile: tests run side by side, and what was free a moment ago
//! may be another test's server now.

use tokio::net::TcpSocket;

/// A port whose connections are refused for as long as this is kept: bound, but never listening.
pub struct ClosedPort(TcpSocket);

impl ClosedPort {
    /// One that nobody had.
    pub fn new() -> Self {
        Self::bind(0).unwrap()
    }

    /// This one, of somebody who has just ended; none where another was faster.
    pub fn keep(port: u16) -> Option<Self> {
        Self::bind(port).ok()
    }

    pub fn number(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    fn bind(port: u16) -> std::io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        // Connections of the last life may still be closing.
        socket.set_reuseaddr(port != 0)?;
        socket.bind(([127, 0, 0, 1], port).into())?;
        Ok(Self(socket))
    }
}
