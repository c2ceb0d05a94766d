//! Endpoints, and the two kinds of streams behind them: TCP and Unix sockets.

use std::fmt;
use std::io::{self, IoSlice, Read};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

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

    /// The addresses behind a name. This may ask a name server and so take a while.
    fn resolve(address: &str) -> io::Result<Vec<SocketAddr>> {
        let address = address.strip_prefix('*').map_or(address.to_string(), |port| format!("0.0.0.0{port}"));
        let found: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        Ok(found)
    }

    /// Whether what is sent there stays on this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Endpoint::Ipc(_) => true,
            Endpoint::Tcp(address) => {
                Self::resolve(address).is_ok_and(|found| found.iter().all(|a| a.ip().is_loopback()))
            }
        }
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
    /// Binds. The file of a Unix socket that nobody listens on any more is replaced.
    pub fn bind(endpoint: &Endpoint) -> io::Result<Self> {
        match endpoint {
            Endpoint::Tcp(address) => {
                let mut last = None;
                for address in Endpoint::resolve(address)? {
                    match TcpListener::bind(address) {
                        Ok(listener) => return Ok(Listener::Tcp(listener)),
                        Err(e) => last = Some(e),
                    }
                }
                Err(last.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
            }
            Endpoint::Ipc(path) => {
                let listener = match UnixListener::bind(path) {
                    Err(e) if e.kind() == io::ErrorKind::AddrInUse => {
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
                Ok(Listener::Ipc(listener, path.clone()))
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
                stream.set_nodelay(true)?;
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
    /// Begins to connect; [`Stream::connected`] tells the outcome.
    pub fn connect(endpoint: &Endpoint) -> io::Result<Self> {
        match endpoint {
            Endpoint::Tcp(address) => {
                // Only the first address: a name of one server. `localhost` is IPv4, where ZeroMQ
                // servers listen by default.
                let found = Endpoint::resolve(address)?;
                let first = found.iter().find(|a| a.is_ipv4()).unwrap_or(&found[0]);
                let stream = TcpStream::connect(*first)?;
                no_signal(&stream)?;
                Ok(Stream::Tcp(stream))
            }
            Endpoint::Ipc(path) => {
                let stream = UnixStream::connect(path)?;
                no_signal(&stream)?;
                Ok(Stream::Ipc(stream))
            }
        }
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
