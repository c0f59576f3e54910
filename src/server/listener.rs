//! The server as a whole: listeners, workers and the order to stop.
//!
//! One thread accepts, places the socket on the worker with the fewest connections, and forgets it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

use super::config::Config;
use super::flight::{FlightThread, Flights};
use super::mail::{Address, Port, Post, WorkerId};
use super::metrics::Metrics;
use super::stop::StopHandle;
use super::worker::{Shared, WAKER, Worker};
use crate::net::mailbox::Mailbox;
use crate::net::socket;

/// Batches of frames that may wait for a worker. Beyond that it is behind by seconds, and starts
/// anew at a keyframe.
const FEED_CAPACITY: usize = 4096;

/// How long accepting rests when the process is out of file descriptors.
const OUT_OF_DESCRIPTORS_PAUSE: Duration = Duration::from_millis(200);

/// How often it is looked whether somebody is left of those that a drained server lets stay.
const DRAIN_LOOK: Duration = Duration::from_millis(100);

/// Connections accepted in one go before the workers are looked at again.
const ACCEPTS_MAX: usize = 256;

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} for {protocol}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// `rtmp` or `http`.
        protocol: &'static str,
        /// What the system says.
        cause: io::Error,
    },
    /// The folder for recordings cannot be made or read.
    #[error("cannot record in {folder}: {cause}")]
    Flight {
        /// The folder.
        folder: String,
        /// What the system says.
        cause: io::Error,
    },
    /// A thread or a poll could not be made.
    #[error("cannot start a worker: {0}")]
    Worker(#[from] io::Error),
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    rtmp: Vec<SocketAddr>,
    http: Vec<SocketAddr>,
    stop: StopHandle,
    reload: ReloadHandle,
    acceptor: JoinHandle<()>,
    workers: Vec<JoinHandle<()>>,
    flights: Option<FlightThread>,
}

/// Gives a running server new settings, from another thread.
#[derive(Debug, Clone)]
pub struct ReloadHandle {
    shared: Arc<Shared>,
    started_with: Arc<Config>,
    mailboxes: Vec<Address>,
}

impl ReloadHandle {
    /// Puts new settings in force: the timers of the server and the bound on replies for everybody,
    /// the rest for connections and live streams that begin from now on. The listeners, the number
    /// of workers and the chunk size stay.
    pub fn reload(&self, mut config: Config) {
        config.rtmp.clone_from(&self.started_with.rtmp);
        config.http.clone_from(&self.started_with.http);
        config.workers = self.started_with.workers;
        config.session.chunk_size = self.started_with.session.chunk_size;
        self.shared.admission.set_limits(config.limits);
        let config = Arc::new(config);
        for address in &self.mailboxes {
            if address
                .post
                .send(Post::Reload(Arc::clone(&config)))
                .is_err()
            {
                log::debug!("a worker had stopped already");
            }
        }
    }
}

impl Server {
    /// Binds the listeners and starts the threads.
    ///
    /// # Errors
    /// [`StartError`]: an address is taken or not ours, or the system is out of threads.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let poll = Poll::new()?;
        let stop = StopHandle::new(Arc::new(Waker::new(poll.registry(), WAKER)?));
        let mut listeners = Vec::new();
        let rtmp = config.rtmp.iter().map(|address| (*address, Port::Rtmp));
        let http = config.http.iter().map(|address| (*address, Port::Http));
        for (address, port) in rtmp.chain(http) {
            match Listener::bind(address, port, &poll, listeners.len()) {
                Ok(listener) => listeners.push(listener),
                // Nobody asked for it: RTMP is what must not fail.
                Err(cause)
                    if port == Port::Http
                        && !config.needs_http
                        && config.http == Config::default().http =>
                {
                    let what = match cause.kind() {
                        io::ErrorKind::AddrInUse => format!("{address} is in use"),
                        _ => format!("cannot listen on {address}: {cause}"),
                    };
                    log::warn!(
                        "no HTTP, so no pages and no API: {what}; choose another with \
                         --http ADDRESS:PORT"
                    );
                }
                Err(cause) => {
                    let protocol = port.name();
                    return Err(StartError::Listen {
                        address,
                        protocol,
                        cause,
                    });
                }
            }
        }
        let bound_for = |port| {
            let listeners = listeners
                .iter()
                .filter(move |listener| listener.port == port);
            listeners.map(|listener| listener.address).collect()
        };
        let (rtmp, http) = (bound_for(Port::Rtmp), bound_for(Port::Http));
        let (flights, flight_thread) = start_flights(&config)?.unzip();
        let bound = listeners
            .iter()
            .map(|listener| (listener.port, listener.address));
        let bound = bound.collect();
        let shared = Arc::new(Shared::new(&config, flights, stop.clone(), bound));
        let config = Arc::new(config);
        let (mailboxes, workers) = start_workers(&shared, &config)?;
        let reload = ReloadHandle {
            shared: Arc::clone(&shared),
            started_with: config,
            mailboxes: mailboxes.clone(),
        };
        let acceptor = Acceptor {
            shared: Arc::clone(&shared),
            poll,
            listeners,
            mailboxes,
            stop: stop.clone(),
        };
        let acceptor = std::thread::Builder::new()
            .name("listener".to_owned())
            .spawn(move || acceptor.run())?;
        Ok(Self {
            shared,
            rtmp,
            http,
            stop,
            reload,
            acceptor,
            workers,
            flights: flight_thread,
        })
    }

    /// The addresses that it takes RTMP on, with the ports that the system chose.
    pub fn rtmp_addresses(&self) -> &[SocketAddr] {
        &self.rtmp
    }

    /// The addresses that it takes HTTP on, with the ports that the system chose.
    pub fn http_addresses(&self) -> &[SocketAddr] {
        &self.http
    }

    /// What happened so far.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// To stop it from another thread, or from a signal handler's.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// To give it new settings from another thread.
    pub fn reload_handle(&self) -> ReloadHandle {
        self.reload.clone()
    }

    /// Returns when the server has stopped.
    pub fn wait(self) {
        for thread in self.workers.into_iter().chain([self.acceptor]) {
            if thread.join().is_err() {
                log::error!("a thread of the server panicked");
            }
        }
        if let Some(thread) = self.flights {
            thread.stop();
        }
    }
}

fn start_flights(config: &Config) -> Result<Option<(Flights, FlightThread)>, StartError> {
    Flights::start(&config.flight).map_err(|cause| StartError::Flight {
        folder: config.flight.folder.clone().unwrap_or_default(),
        cause,
    })
}

fn start_workers(
    shared: &Arc<Shared>,
    config: &Arc<Config>,
) -> Result<(Vec<Address>, Vec<JoinHandle<()>>), io::Error> {
    let mut addresses = Vec::new();
    let mut inner = Vec::new();
    for _ in 0..config.workers.max(1) {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (post, posts) = Mailbox::unbounded(Arc::clone(&waker));
        let (feed, feeds) = Mailbox::bounded(FEED_CAPACITY, waker);
        addresses.push(Address { post, feed });
        inner.push((poll, posts, feeds));
    }
    let mut threads = Vec::new();
    for (index, (poll, posts, feeds)) in inner.into_iter().enumerate() {
        let worker = Worker::new(
            WorkerId(index),
            Arc::clone(shared),
            Arc::clone(config),
            poll,
            posts,
            feeds,
            addresses.clone(),
        );
        let thread = std::thread::Builder::new()
            .name(format!("worker {index}"))
            .spawn(move || worker.run())?;
        threads.push(thread);
    }
    Ok((addresses, threads))
}

/// A socket that connections come to.
#[derive(Debug)]
struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    port: Port,
}

impl Listener {
    fn bind(address: SocketAddr, port: Port, poll: &Poll, token: usize) -> io::Result<Self> {
        let mut socket = socket::listen(address)?;
        poll.registry()
            .register(&mut socket, Token(token), Interest::READABLE)?;
        Ok(Self {
            address: socket.local_addr()?,
            socket,
            port,
        })
    }
}

#[derive(Debug)]
struct Acceptor {
    shared: Arc<Shared>,
    poll: Poll,
    listeners: Vec<Listener>,
    mailboxes: Vec<Address>,
    stop: StopHandle,
}

impl Acceptor {
    fn run(mut self) {
        let mut events = Events::with_capacity(16);
        let mut patience = None;
        loop {
            if let Err(error) = self.poll.poll(&mut events, patience)
                && error.kind() != io::ErrorKind::Interrupted
            {
                log::error!("the listener's poll failed: {error}");
                self.stop.stop();
            }
            if self.stop.is_stopping() {
                for address in &self.mailboxes {
                    if address.post.send(Post::Shutdown).is_err() {
                        log::debug!("a worker had stopped already");
                    }
                }
                return;
            }
            if let Some(until) = self.stop.drain_until() {
                patience = Some(self.drain(until));
                continue;
            }
            // Readiness is edge-triggered and accepting is bounded: look at all of them.
            patience = None;
            for index in 0..self.listeners.len() {
                patience = patience.max(self.accept_from(index));
            }
        }
    }

    /// Takes nobody new, and stops when nobody is left; the answer is when to look again.
    fn drain(&mut self, until: Instant) -> Duration {
        if !self.listeners.is_empty() {
            // Who connects from now on is refused by the system, and goes elsewhere.
            self.listeners.clear();
            for address in &self.mailboxes {
                if address.post.send(Post::Drain).is_err() {
                    log::debug!("a worker had stopped already");
                }
            }
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || self.shared.admission.open() == 0 {
            self.stop.stop();
        }
        left.clamp(Duration::from_millis(1), DRAIN_LOOK)
    }

    /// Accepts what waits; the answer is how long to rest before the next try, if it must be tried
    /// again without an event.
    fn accept_from(&self, index: usize) -> Option<Duration> {
        let listener = self.listeners.get(index)?;
        let mut to_wake = vec![false; self.mailboxes.len()];
        let pause = self.accept(listener, &mut to_wake);
        // Once for all that came together: in a storm a wake-up costs as much as an accept.
        for (address, _) in self.mailboxes.iter().zip(to_wake).filter(|(_, wake)| *wake) {
            address.post.wake();
        }
        pause
    }

    fn accept(&self, listener: &Listener, to_wake: &mut [bool]) -> Option<Duration> {
        for _ in 0..ACCEPTS_MAX {
            match listener.socket.accept() {
                Ok((socket, peer)) => {
                    if let Some(worker) = self.place(socket, peer, listener.port)
                        && let Some(wake) = to_wake.get_mut(worker.0)
                    {
                        *wake = true;
                    }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return None,
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                    _ => {
                        log::warn!("cannot accept connections: {error}");
                        return Some(OUT_OF_DESCRIPTORS_PAUSE);
                    }
                },
            }
        }
        Some(Duration::ZERO)
    }

    /// Posts a connection to a worker, which is to be woken.
    fn place(&self, socket: TcpStream, peer: SocketAddr, port: Port) -> Option<WorkerId> {
        let worker = match self.shared.admission.admit(peer.ip()) {
            Ok(worker) => worker,
            Err(full) => {
                self.shared.metrics.connections_refused.add(1);
                log::warn!("{peer}: refused: {full}");
                return None;
            }
        };
        self.shared.metrics.connections.add(1);
        let posted = self.mailboxes.get(worker.0).is_some_and(|address| {
            let post = Post::Accepted(socket, peer, port);
            address.post.post(post).is_ok()
        });
        if !posted {
            log::error!("{peer}: refused: its worker has stopped");
        }
        posted.then_some(worker)
    }
}
