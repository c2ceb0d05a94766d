//! Endpoints, and the two kinds of streams behind them: TCP and Unix sockets.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, IoSlice, Read};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};

use mio::event::Source;
use mio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

use crate::error::{Code, Error, Result};

/// Where to bind or to connect: `tcp://HOST:PORT` or `ipc://PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `HOST:PORT`. To bind, `*` is every address and port 0 one that is free.
    Tcp(String),
    /// The path of a Unix socket.
    Ipc(PathBuf),
}

impl Endpoint {
    /// Reads an endpoint.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |why: &str| Err(Error::new(Code::BadRequest, format!("the endpoint {text:?} {why}")));
        if let Some(address) = text.strip_prefix("tcp://") {
            return match address.rsplit_once(':') {
                Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                    Ok(Endpoint::Tcp(address.to_string()))
                }
                _ => bad("is not tcp://HOST:PORT"),
            };
        }
        match text.strip_prefix("ipc://") {
            // Longer paths do not fit into the system's address of a socket.
            Some(path) if !path.is_empty() && path.len() < 100 => Ok(Endpoint::Ipc(path.into())),
            Some(_) => bad("has no path, or one of 100 bytes or more"),
            None => bad("is neither tcp://HOST:PORT nor ipc://PATH"),
        }
    }

    /// Whether what is sent there stays on this machine, by what is written: no name but `localhost`,
    /// since who answers for other names, and whether he says the same the next time, nobody knows.
    pub fn is_local(&self) -> bool {
        match self {
            Endpoint::Ipc(_) => true,
            Endpoint::Tcp(address) => literal(address).is_some_and(|a| a.ip().is_loopback()),
        }
    }
}

/// The address that is written out. `localhost` is IPv4, where ZeroMQ servers listen by default.
fn literal(address: &str) -> Option<SocketAddr> {
    let (host, port) = address.rsplit_once(':')?;
    match host {
        "*" => format!("0.0.0.0:{port}"),
        "localhost" => format!("127.0.0.1:{port}"),
        _ => address.to_string(),
    }
    .parse()
    .ok()
}

/// The addresses behind a name. This may ask a name server and so take a while.
fn resolve(address: &str) -> io::Result<Vec<SocketAddr>> {
    if let Some(address) = literal(address) {
        return Ok(vec![address]);
    }
    let found: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
    match found.is_empty() {
        true => Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address")),
        false => Ok(found),
    }
}

/// A thread that asks name servers, so that a slow one does not hold up connections that are there.
pub struct Resolver {
    names: Sender<(usize, String)>,
    found: Receiver<(usize, io::Result<SocketAddr>)>,
}

impl Resolver {
    /// Starts it; `wake` is called whenever something was found out.
    pub fn start(wake: impl Fn() + Send + 'static) -> io::Result<Self> {
        let (names, asked) = channel::<(usize, String)>();
        let (tell, found) = channel();
        let work = move || {
            while let Ok(first) = asked.recv() {
                // Whoever asked for the same meanwhile has the same answer.
                let mut known: HashMap<String, io::Result<SocketAddr>> = HashMap::new();
                for (id, name) in std::iter::once(first).chain(asked.try_iter()) {
                    // Only one address: a name of one server. IPv4 before others, as above.
                    let one = |found: Vec<SocketAddr>| {
                        found.iter().copied().find(SocketAddr::is_ipv4).unwrap_or(found[0])
                    };
                    let result = known.entry(name).or_insert_with_key(|name| resolve(name).map(one));
                    let copy =
                        result.as_ref().map(|a| *a).map_err(|e| io::Error::new(e.kind(), e.to_string()));
                    if tell.send((id, copy)).is_err() {
                        return;
                    }
                    wake();
                }
            }
        };
        std::thread::Builder::new().name("names".into()).spawn(work)?;
        Ok(Resolver { names, found })
    }

    /// Asks for the address of a `HOST:PORT` on behalf of a number.
    pub fn ask(&self, id: usize, name: &str) {
        // The thread lives as long as this does.
        let _ = self.names.send((id, name.to_string()));
    }

    /// What was found out.
    pub fn found(&self) -> Option<(usize, io::Result<SocketAddr>)> {
        self.found.try_recv().ok()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp(address) => write!(f, "tcp://{address}"),
            Endpoint::Ipc(path) => write!(f, "ipc://{}", path.display()),
        }
    }
}

/// A listening socket.
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket, whose file goes when the listener does.
    Ipc(UnixListener, PathBuf),
}

impl Listener {
    /// Binds. The file of a Unix socket that nobody listens on any more is replaced. With `private` only
    /// processes of the same user may connect to a Unix socket.
    pub fn bind(endpoint: &Endpoint, private: bool) -> io::Result<Self> {
        match endpoint {
            Endpoint::Tcp(address) => {
                let mut last = None;
                for address in resolve(address)? {
                    match TcpListener::bind(address) {
                        Ok(listener) => return Ok(Listener::Tcp(listener)),
                        Err(e) => last = Some(e),
                    }
                }
                Err(last.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
            }
            Endpoint::Ipc(path) => {
                let listener = match UnixListener::bind(path) {
                    // A file that is no socket refuses connections too, and is not ours to remove.
                    Err(e)
                        if e.kind() == io::ErrorKind::AddrInUse
                            && std::fs::symlink_metadata(path)?.file_type().is_socket() =>
                    {
                        // A server that was killed leaves its file; only a live one is in the way.
                        match std::os::unix::net::UnixStream::connect(path) {
                            Err(dead) if dead.kind() == io::ErrorKind::ConnectionRefused => {
                                std::fs::remove_file(path)?;
                                UnixListener::bind(path)?
                            }
                            _ => return Err(e),
                        }
                    }
                    other => other?,
                };
                let listener = Listener::Ipc(listener, path.clone());
                if private {
                    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
                }
                Ok(listener)
            }
        }
    }

    /// Where it listens; a port of 0 has become a real one.
    pub fn endpoint(&self) -> io::Result<Endpoint> {
        Ok(match self {
            Listener::Tcp(l) => Endpoint::Tcp(l.local_addr()?.to_string()),
            Listener::Ipc(_, path) => Endpoint::Ipc(path.clone()),
        })
    }

    /// The next connection, with the address it comes from (none for a Unix socket).
    pub fn accept(&self) -> io::Result<(Stream, Option<IpAddr>)> {
        match self {
            Listener::Tcp(l) => {
                let (stream, from) = l.accept()?;
                // Fails where the peer is gone already, which is found out soon enough.
                let _ = stream.set_nodelay(true);
                no_signal(&stream)?;
                Ok((Stream::Tcp(stream), Some(from.ip())))
            }
            Listener::Ipc(l, _) => {
                let (stream, _) = l.accept()?;
                no_signal(&stream)?;
                Ok((Stream::Ipc(stream), None))
            }
        }
    }

    /// The source of its events.
    pub fn source(&mut self) -> &mut dyn Source {
        match self {
            Listener::Tcp(l) => l,
            Listener::Ipc(l, _) => l,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Listener::Ipc(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Where a message cannot be sent without SIGPIPE, its socket can be told never to raise it.
#[cfg(target_vendor = "apple")]
fn no_signal(socket: impl std::os::fd::AsFd) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_nosigpipe(socket, true)?)
}

/// See [`Stream::send`].
#[cfg(not(target_vendor = "apple"))]
fn no_signal(_socket: impl std::os::fd::AsFd) -> io::Result<()> {
    Ok(())
}

/// A connection that never blocks.
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Ipc(UnixStream),
}

impl Stream {
    /// Begins to connect; [`Stream::connected`] tells the outcome. Nothing for a name, which must be resolved
    /// first.
    pub fn connect(endpoint: &Endpoint) -> io::Result<Option<Self>> {
        match endpoint {
            Endpoint::Tcp(address) => literal(address).map(Self::to).transpose(),
            Endpoint::Ipc(path) => {
                let stream = UnixStream::connect(path)?;
                no_signal(&stream)?;
                Ok(Some(Stream::Ipc(stream)))
            }
        }
    }

    /// Begins to connect to an address.
    pub fn to(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        no_signal(&stream)?;
        Ok(Stream::Tcp(stream))
    }

    /// Whether the connection is there by now.
    pub fn connected(&self) -> io::Result<bool> {
        let pending = |e: io::Error| match e.kind() {
            io::ErrorKind::NotConnected => Ok(false),
            _ => Err(e),
        };
        match self {
            Stream::Tcp(s) => {
                if let Some(e) = s.take_error()? {
                    return Err(e);
                }
                s.peer_addr().map_or_else(pending, |_| s.set_nodelay(true).map(|()| true))
            }
            Stream::Ipc(s) => {
                if let Some(e) = s.take_error()? {
                    return Err(e);
                }
                s.peer_addr().map_or_else(pending, |_| Ok(true))
            }
        }
    }

    /// Writes as much as the socket takes. Writing to a peer that is gone is an error and never the signal
    /// SIGPIPE, which would end a process that does not ignore it: Rust's programs do, others need not.
    pub fn send(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        #[cfg(not(target_vendor = "apple"))]
        let flags = SendFlags::NOSIGNAL;
        #[cfg(target_vendor = "apple")]
        let flags = SendFlags::empty();
        let mut nothing_else = SendAncillaryBuffer::default();
        Ok(match self {
            Stream::Tcp(s) => sendmsg(s, bufs, &mut nothing_else, flags)?,
            Stream::Ipc(s) => sendmsg(s, bufs, &mut nothing_else, flags)?,
        })
    }

    /// The source of its events.
    pub fn source(&mut self) -> &mut dyn Source {
        match self {
            Stream::Tcp(s) => s,
            Stream::Ipc(s) => s,
        }
    }
}

impl Read for &Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(s) => (&*s).read(buf),
            Stream::Ipc(s) => (&*s).read(buf),
        }
    }
}
