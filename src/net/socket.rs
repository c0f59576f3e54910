//! Options of TCP sockets that mio does not set.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

/// Connections that wait to be accepted; the kernel lowers it to its own maximum.
const BACKLOG: i32 = 4096;

/// When the kernel gives a peer up that says nothing: no FIN comes when the power of a camera is
/// cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liveness {
    /// A peer that does not acknowledge what we sent for this long is gone (`TCP_USER_TIMEOUT`).
    pub user_timeout: Duration,
    /// Silence before the kernel's first keepalive probe (`TCP_KEEPIDLE`, whole seconds).
    pub keepalive_after: Duration,
    /// Between two probes (`TCP_KEEPINTVL`, whole seconds).
    pub keepalive_interval: Duration,
    /// Probes without an answer after which the peer is gone (`TCP_KEEPCNT`).
    pub keepalive_probes: u32,
}

impl Default for Liveness {
    fn default() -> Self {
        Self {
            user_timeout: Duration::from_secs(15),
            keepalive_after: Duration::from_secs(15),
            keepalive_interval: Duration::from_secs(5),
            keepalive_probes: 3,
        }
    }
}

/// Sends small messages at once and notices a peer that has vanished.
///
/// # Errors
/// Of the system calls; the socket is of no use then (its peer has reset it, mostly).
pub fn prepare(stream: &TcpStream, liveness: &Liveness) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(Some(liveness.user_timeout))?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(liveness.keepalive_after)
            .with_interval(liveness.keepalive_interval)
            .with_retries(liveness.keepalive_probes),
    )
}

/// The close of this socket resets the connection, whatever is on its way.
///
/// # Errors
/// Of the system call.
pub fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

/// Lets at most `bytes` wait unsent in the kernel, so that what a slow reader lags behind stays
/// with us, where it can be skipped.
///
/// # Errors
/// Of the system call.
pub fn limit_unsent(stream: &TcpStream, bytes: u32) -> io::Result<()> {
    SockRef::from(stream).set_tcp_notsent_lowat(bytes)
}

/// One vectored write by `sendmsg`, which is cheaper than the `writev` of files. Whoever ignores
/// no SIGPIPE, as Rust programs do from their start, gets it when the peer has gone.
///
/// # Errors
/// Of the system call; [`io::ErrorKind::WouldBlock`] when the socket is full.
pub fn send_slices(stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    SockRef::from(stream).send_vectored(slices)
}

/// A listening socket; an IPv6 wildcard address takes IPv4 too.
///
/// # Errors
/// Of the system calls: address in use, no permission, no such address.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}
