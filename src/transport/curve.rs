//! CurveZMQ: keys, the handshake and sealed frames (<https://rfc.zeromq.org/spec/26/>), over the
//! `crypto_box` of the RustCrypto project.

use std::collections::HashSet;
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crypto_box::aead::{AeadInPlace, OsRng, rand_core::RngCore};
use crypto_box::{PublicKey, SalsaBox, SecretKey, Tag};
use zeroize::Zeroizing;

use super::zmtp::{self, garbage};
use crate::error::{Code, Error, Result};

const Z85: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Public([u8; 32]);

impl Public {
    /// Reads 40 characters of Z85.
    pub fn parse(text: &str) -> Result<Self> {
        z85_decode(text).map(Public)
    }
}

impl fmt::Display for Public {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&z85_encode(&self.0))
    }
}

impl fmt::Debug for Public {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Public({self})")
    }
}

/// A pair of keys. The secret one is wiped from memory when the pair is dropped, and never printed.
#[derive(Clone)]
pub struct Keys {
    secret: SecretKey,
    /// The public key.
    pub public: Public,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.public)
    }
}

impl Keys {
    /// A new pair from the operating system's random numbers.
    pub fn generate() -> Self {
        Self::of(SecretKey::generate(&mut OsRng))
    }

    fn of(secret: SecretKey) -> Self {
        let public = Public(secret.public_key().to_bytes());
        Keys { secret, public }
    }

    /// Reads a secret key of 40 characters of Z85.
    pub fn parse(secret: &str) -> Result<Self> {
        let bytes = Zeroizing::new(z85_decode(secret)?);
        Ok(Self::of((*bytes).into()))
    }

    /// Those of a key file if there is one of this name, else of a secret key of 40 characters of Z85.
    /// Where nothing is given, LEAN_ORACLE_SECRET_KEY is taken for such a key, if it is set.
    pub fn given(text: Option<&str>) -> Result<Option<Self>> {
        match (text, std::env::var("LEAN_ORACLE_SECRET_KEY")) {
            (Some(text), _) if Path::new(text).exists() => Self::read(Path::new(text)).map(Some),
            // Not told what it is: it may be a secret.
            (Some(text), _) => Self::parse(text).map(Some).map_err(|_| {
                Error::new(Code::BadRequest, "the secret key is neither a file nor 40 characters of Z85")
                    .at("key")
            }),
            (None, Ok(text)) => Self::parse(text.trim()).map(Some),
            (None, Err(_)) => Ok(None),
        }
    }

    /// The secret key as Z85, for a key file.
    pub fn secret_text(&self) -> String {
        z85_encode(&self.secret.to_bytes())
    }

    /// Reads the secret key from a key file, as `lean-oracle keygen`, pyzmq and CZMQ write them, or from
    /// a file that holds nothing but its 40 characters. A file that everybody on the machine can read or
    /// write is refused.
    pub fn read(path: &Path) -> Result<Self> {
        let mode = std::fs::metadata(path).map_err(|e| unreadable(path, &e))?.permissions().mode();
        if mode & 0o006 != 0 {
            let message = format!("{0} is open to everybody on this machine: chmod 600 {0}", path.display());
            return Err(Error::new(Code::Unauthorized, message));
        }
        let text = Zeroizing::new(read_file(path)?);
        let key = field(&text, "secret-key").unwrap_or_else(|| text.trim());
        Self::parse(key).map_err(|e| in_file(path, &e))
    }
}

/// Reads the public key from a key file, secret or public, or from one that holds only its characters.
pub fn read_public(path: &Path) -> Result<Public> {
    let text = read_file(path)?;
    let key = field(&text, "public-key").unwrap_or_else(|| text.trim());
    Public::parse(key).map_err(|e| in_file(path, &e))
}

/// Reads the public keys of those who may connect: every `*.key` file of a directory, or the lines of a
/// file (40 characters each; `#` begins a comment).
pub fn read_allowed(path: &Path) -> Result<HashSet<Public>> {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(|e| unreadable(path, &e))?;
        let files = entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|x| x == "key"));
        return files.map(|p| read_public(&p)).collect();
    }
    let text = read_file(path)?;
    if field(&text, "public-key").is_some() {
        return Ok([read_public(path)?].into());
    }
    // Z85 itself has `#`, so that a comment is a line of its own.
    let comment = |l: &str| l.is_empty() || l.starts_with('#') && l.len() != 40;
    let lines = text.lines().map(str::trim).filter(|l| !comment(l));
    lines.map(|l| Public::parse(l).map_err(|e| in_file(path, &e))).collect()
}

/// The two key files of a pair, public and secret, in the format of pyzmq and CZMQ.
pub fn key_files(keys: &Keys) -> (String, String) {
    let public = format!("metadata\ncurve\n    public-key = \"{}\"\n", keys.public);
    let secret = format!("{public}    secret-key = \"{}\"\n", keys.secret_text());
    (public, secret)
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == name).then(|| value.trim().trim_matches('"'))
    })
}

fn read_file(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| unreadable(path, &e))
}

fn unreadable(path: &Path, e: &std::io::Error) -> Error {
    Error::new(Code::BadRequest, format!("{} cannot be read: {e}", path.display()))
}

fn in_file(path: &Path, e: &Error) -> Error {
    Error::new(e.code, format!("{}: {}", path.display(), e.message))
}

fn z85_encode(bytes: &[u8; 32]) -> String {
    let mut out = String::with_capacity(40);
    for chunk in bytes.chunks_exact(4) {
        let mut n = u32::from_be_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
        let mut digits = [0; 5];
        for d in digits.iter_mut().rev() {
            *d = Z85[(n % 85) as usize];
            n /= 85;
        }
        out.extend(digits.map(char::from));
    }
    out
}

fn z85_decode(text: &str) -> Result<[u8; 32]> {
    // The text may be a secret: it is not repeated.
    let bad = || Error::new(Code::BadRequest, "a key is 40 characters of Z85");
    if text.len() != 40 {
        return Err(bad());
    }
    let mut out = [0; 32];
    for (digits, bytes) in text.as_bytes().chunks_exact(5).zip(out.chunks_exact_mut(4)) {
        let mut n = 0u64;
        for d in digits {
            n = n * 85 + Z85.iter().position(|z| z == d).ok_or_else(bad)? as u64;
        }
        bytes.copy_from_slice(&u32::try_from(n).map_err(|_| bad())?.to_be_bytes());
    }
    Ok(out)
}

const TAG: usize = 16;

fn nonce(prefix: &[u8], rest: &[u8]) -> crypto_box::Nonce {
    let mut n = [0; 24];
    n[..prefix.len()].copy_from_slice(prefix);
    n[prefix.len()..].copy_from_slice(rest);
    n.into()
}

/// Replaces `out[from..]`, where 16 bytes are free for the tag, by what it is sealed.
fn seal_tail(key: &SalsaBox, n: &crypto_box::Nonce, out: &mut [u8], from: usize) {
    let (tag_space, body) = out[from..].split_at_mut(TAG);
    match key.encrypt_in_place_detached(n, b"", body) {
        Ok(tag) => tag_space.copy_from_slice(&tag),
        // Only for more bytes than there can be; but then nothing readable may go out.
        Err(_) => body.fill(0),
    }
}

fn seal(key: &SalsaBox, n: &crypto_box::Nonce, plain: &[u8]) -> Vec<u8> {
    let mut out = vec![0; TAG];
    out.extend_from_slice(plain);
    seal_tail(key, n, &mut out, 0);
    out
}

fn open(key: &SalsaBox, n: &crypto_box::Nonce, sealed: &[u8]) -> Result<Vec<u8>> {
    let forged = || Error::new(Code::Unauthorized, "a sealed box does not open: wrong key, or forged");
    let (tag, body) = sealed.split_at_checked(TAG).ok_or_else(forged)?;
    let mut plain = body.to_vec();
    key.decrypt_in_place_detached(n, b"", &mut plain, Tag::from_slice(tag)).map_err(|_| forged())?;
    Ok(plain)
}

fn box_of(public: &[u8; 32], secret: &SecretKey) -> SalsaBox {
    SalsaBox::new(&PublicKey::from(*public), secret)
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

/// `N` bytes of `data` from `at`.
fn part<const N: usize>(data: &[u8], at: usize) -> Result<[u8; N]> {
    let bytes = data.get(at..at + N).and_then(|b| b.try_into().ok());
    bytes.ok_or_else(|| garbage("a command of the handshake is too short"))
}

/// The keys of an established connection.
pub struct Session {
    key: SalsaBox,
    sent: u64,
    received: u64,
    send_prefix: &'static [u8; 16],
    receive_prefix: &'static [u8; 16],
}

const FROM_CLIENT: &[u8; 16] = b"CurveZMQMESSAGEC";
const FROM_SERVER: &[u8; 16] = b"CurveZMQMESSAGES";
const MESSAGE: &[u8; 8] = b"\x07MESSAGE";

impl Session {
    /// The bytes that sealing adds to a frame.
    pub const OVERHEAD: usize = 8 + 8 + TAG + 1;

    /// Seals one frame. The result is the body of a frame on the wire.
    pub fn seal(&mut self, more: bool, command: bool, body: &[u8]) -> Vec<u8> {
        self.sent += 1;
        let short = self.sent.to_be_bytes();
        let mut out = Vec::with_capacity(body.len() + Self::OVERHEAD);
        out.extend_from_slice(MESSAGE);
        out.extend_from_slice(&short);
        out.extend_from_slice(&[0; TAG]);
        out.push(u8::from(more) | u8::from(command) << 1);
        out.extend_from_slice(body);
        seal_tail(&self.key, &nonce(self.send_prefix, &short), &mut out, 16);
        out
    }

    /// Opens the body of a frame: its flags `more` and `command`, and what it carries.
    pub fn open(&mut self, wire: &[u8]) -> Result<(bool, bool, Vec<u8>)> {
        let rest = wire.strip_prefix(MESSAGE).ok_or_else(|| garbage("a frame that is not sealed"))?;
        let short: [u8; 8] = part(rest, 0)?;
        let counter = u64::from_be_bytes(short);
        if counter <= self.received {
            return Err(Error::new(Code::Unauthorized, "a sealed frame came again or out of order"));
        }
        let mut plain = open(&self.key, &nonce(self.receive_prefix, &short), &rest[8..])?;
        self.received = counter;
        if plain.is_empty() {
            return Err(garbage("a sealed frame without flags"));
        }
        let flags = plain.remove(0);
        Ok((flags & 1 != 0, flags & 2 != 0, plain))
    }
}

/// The handshake of the side that connects.
pub struct Client {
    keys: Keys,
    server: Public,
    transient: SecretKey,
    /// The server's transient key, once it is known.
    cookie: Option<[u8; 32]>,
}

impl Client {
    /// Begins; `server` is whom we insist to talk to. The second value is the first command to send.
    pub fn new(keys: Keys, server: Public) -> (Self, Vec<u8>) {
        let transient = SecretKey::generate(&mut OsRng);
        let short = 1u64.to_be_bytes();
        let mut hello = vec![1, 0];
        hello.extend_from_slice(&[0; 72]);
        hello.extend_from_slice(transient.public_key().as_bytes());
        hello.extend_from_slice(&short);
        let key = box_of(&server.0, &transient);
        hello.extend(seal(&key, &nonce(b"CurveZMQHELLO---", &short), &[0; 64]));
        let hello = zmtp::put_command("HELLO", &hello);
        (Client { keys, server, transient, cookie: None }, hello)
    }

    /// Answers WELCOME with INITIATE.
    pub fn welcome(&mut self, data: &[u8], metadata: &[u8]) -> Result<Vec<u8>> {
        if data.len() != 160 || self.cookie.is_some() {
            return Err(garbage("a WELCOME that is not one"));
        }
        let key = box_of(&self.server.0, &self.transient);
        let plain = open(&key, &nonce(b"WELCOME-", &part::<16>(data, 0)?), &data[16..])?;
        let (theirs, cookie) = (part::<32>(&plain, 0)?, part::<96>(&plain, 32)?);
        self.cookie = Some(theirs);

        let mut vouch = self.transient.public_key().as_bytes().to_vec();
        vouch.extend_from_slice(&self.server.0);
        let vouch_nonce = random::<16>();
        let vouched = seal(&box_of(&theirs, &self.keys.secret), &nonce(b"VOUCH---", &vouch_nonce), &vouch);
        let mut plain = self.keys.public.0.to_vec();
        plain.extend_from_slice(&vouch_nonce);
        plain.extend(vouched);
        plain.extend_from_slice(metadata);
        let short = 2u64.to_be_bytes();
        let session = box_of(&theirs, &self.transient);
        let mut out = cookie.to_vec();
        out.extend_from_slice(&short);
        out.extend(seal(&session, &nonce(b"CurveZMQINITIATE", &short), &plain));
        Ok(zmtp::put_command("INITIATE", &out))
    }

    /// Reads READY: the session and the server's metadata.
    pub fn ready(&self, data: &[u8]) -> Result<(Session, Vec<u8>)> {
        let theirs = self.cookie.ok_or_else(|| garbage("READY before WELCOME"))?;
        let short: [u8; 8] = part(data, 0)?;
        let key = box_of(&theirs, &self.transient);
        let metadata = open(&key, &nonce(b"CurveZMQREADY---", &short), &data[8..])?;
        let received = u64::from_be_bytes(short);
        let session =
            Session { key, sent: 2, received, send_prefix: FROM_CLIENT, receive_prefix: FROM_SERVER };
        Ok((session, metadata))
    }
}

/// The handshake of the side that is connected to.
pub struct Server {
    keys: Keys,
    /// The client's transient key, ours, and the cookie, once HELLO has come. The cookie of the
    /// protocol lets a server forget the connection meanwhile; ours has the connection open anyway.
    hello: Option<([u8; 32], SecretKey, [u8; 96])>,
}

impl Server {
    /// Waits for HELLO.
    pub fn new(keys: Keys) -> Self {
        Server { keys, hello: None }
    }

    /// Answers HELLO with WELCOME.
    pub fn hello(&mut self, data: &[u8]) -> Result<Vec<u8>> {
        if data.len() != 194 || data[0] != 1 || self.hello.is_some() {
            return Err(garbage("a HELLO that is not one"));
        }
        let theirs = part::<32>(data, 74)?;
        let key = box_of(&theirs, &self.keys.secret);
        open(&key, &nonce(b"CurveZMQHELLO---", &part::<8>(data, 106)?), &data[114..])?;
        let transient = SecretKey::generate(&mut OsRng);
        let cookie = random::<96>();
        let mut plain = transient.public_key().as_bytes().to_vec();
        plain.extend_from_slice(&cookie);
        let long = random::<16>();
        let mut out = long.to_vec();
        out.extend(seal(&key, &nonce(b"WELCOME-", &long), &plain));
        self.hello = Some((theirs, transient, cookie));
        Ok(zmtp::put_command("WELCOME", &out))
    }

    /// Reads INITIATE: the client's public key and metadata, and what becomes the session if the client
    /// is welcome, with READY, which carries our `metadata`.
    pub fn initiate(&self, data: &[u8], metadata: &[u8]) -> Result<(Public, Vec<u8>, Session, Vec<u8>)> {
        let (theirs, transient, cookie) =
            self.hello.as_ref().ok_or_else(|| garbage("INITIATE before HELLO"))?;
        if part::<96>(data, 0)? != *cookie {
            return Err(Error::new(Code::Unauthorized, "INITIATE with another cookie"));
        }
        let short: [u8; 8] = part(data, 96)?;
        let key = box_of(theirs, transient);
        let plain = open(&key, &nonce(b"CurveZMQINITIATE", &short), &data[104..])?;
        let client = part::<32>(&plain, 0)?;
        let vouch_key = box_of(&client, transient);
        let sealed = part::<80>(&plain, 48)?;
        let vouch = open(&vouch_key, &nonce(b"VOUCH---", &part::<16>(&plain, 32)?), &sealed)?;
        if part::<32>(&vouch, 0)? != *theirs || part::<32>(&vouch, 32)? != self.keys.public.0 {
            return Err(Error::new(Code::Unauthorized, "a client vouches for another connection"));
        }
        let ready_short = 1u64.to_be_bytes();
        let mut ready = ready_short.to_vec();
        ready.extend(seal(&key, &nonce(b"CurveZMQREADY---", &ready_short), metadata));
        let received = u64::from_be_bytes(short);
        let session =
            Session { key, sent: 1, received, send_prefix: FROM_SERVER, receive_prefix: FROM_CLIENT };
        Ok((Public(client), plain[128..].to_vec(), session, zmtp::put_command("READY", &ready)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn z85_is_that_of_the_specification() {
        // The test vector of RFC 32, four times over.
        let bytes = [0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B].repeat(4);
        let bytes: [u8; 32] = bytes.try_into().expect("32");
        assert_eq!(z85_encode(&bytes), "HelloWorld".repeat(4));
        assert_eq!(z85_decode(&"HelloWorld".repeat(4)).expect("Z85"), bytes);
        for bad in ["", "HelloWorld", &"~".repeat(40), &"#".repeat(40)] {
            assert!(z85_decode(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_public_key_is_that_of_libzmq() {
        // The pair in the documentation of zmq_curve.
        let keys = Keys::parse("D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs").expect("a key");
        assert_eq!(keys.public.to_string(), "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID");
    }

    #[test]
    fn a_handshake_ends_in_one_session() {
        let (server_keys, client_keys) = (Keys::generate(), Keys::generate());
        let data = |command: &[u8]| zmtp::command(command).expect("a command").1.to_vec();
        let (mut client, hello) = Client::new(client_keys.clone(), server_keys.public);
        let mut server = Server::new(server_keys);
        let welcome = server.hello(&data(&hello)).expect("HELLO");
        let initiate = client.welcome(&data(&welcome), b"client").expect("WELCOME");
        let (who, metadata, mut theirs, ready) =
            server.initiate(&data(&initiate), b"server").expect("INITIATE");
        assert_eq!((who, metadata.as_slice()), (client_keys.public, &b"client"[..]));
        let (mut ours, metadata) = client.ready(&data(&ready)).expect("READY");
        assert_eq!(metadata, b"server");
        let sealed = ours.seal(true, false, b"hello");
        assert_eq!(theirs.open(&sealed).expect("opens"), (true, false, b"hello".to_vec()));
        assert_eq!(theirs.open(&sealed).expect_err("a replay").code, Code::Unauthorized);
        let mut forged = theirs.seal(false, false, b"answer");
        *forged.last_mut().expect("not empty") ^= 1;
        assert_eq!(ours.open(&forged).expect_err("forged").code, Code::Unauthorized);
        // A client that expects another server sends what this one cannot open.
        let (_, hello) = Client::new(client_keys, Keys::generate().public);
        let mut server = Server::new(Keys::generate());
        assert_eq!(server.hello(&data(&hello)).expect_err("not for us").code, Code::Unauthorized);
    }
}
