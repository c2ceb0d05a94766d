//! Our ZMTP and CURVE against libzmq's, through pyzmq, in both roles.

mod peers;

use std::time::{Duration, Instant};

use bytes::Bytes;
use lean_oracle::Code;
use lean_oracle::transport::curve::Keys;
use lean_oracle::transport::hub::{ClientSecurity, ConnId, Event, Hub, HubLimits, ServerSecurity};
use lean_oracle::transport::net::Endpoint;
use peers::Python;

/// Waits for the next event.
fn event(hub: &mut Hub) -> Event {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(e) = hub.next_event() {
            return e;
        }
        assert!(Instant::now() < until, "nothing happens");
        hub.wait(Some(until));
    }
}

/// Waits for a connection.
fn opened(hub: &mut Hub) -> ConnId {
    match event(hub) {
        Event::Opened(id, _, _) => id,
        other => panic!("{other:?}"),
    }
}

/// Answers `count` messages with themselves.
fn echo(hub: &mut Hub, count: usize) {
    let mut done = 0;
    while done < count {
        if let Event::Message(id, message) = event(hub) {
            hub.send(id, &message).expect("it is open");
            done += 1;
        }
    }
    while !hub.flushed() {
        hub.wait(Some(Instant::now() + Duration::from_millis(50)));
    }
}

const CLIENT: &str = r#"
import sys, zmq
kind, endpoint, server, public, secret = sys.argv[1:]
s = zmq.Context().socket(getattr(zmq, kind)); s.linger = 0; s.rcvtimeo = 20000
if server: s.curve_serverkey, s.curve_publickey, s.curve_secretkey = (x.encode() for x in (server, public, secret))
s.connect(endpoint)
for size in (0, 1, 255, 256, 4097, 8192, 65536, 1 << 20, 64 << 20):
    parts = [b"x" * size, b"", bytes(range(256)) * (size // 256)]
    if kind == "DEALER": parts = [b""] + parts
    s.send_multipart(parts)
    assert s.recv_multipart() == parts, size
# Many at once.
if kind == "DEALER":
    for i in range(1000): s.send(b"%d" % i)
    for i in range(1000): assert s.recv() == b"%d" % i
else:
    for i in range(1000): s.send(b"%d" % i); assert s.recv() == b"%d" % i
print("done")
"#;

const SERVER: &str = r#"
import sys, zmq
kind, endpoint, public, secret = sys.argv[1:]
context = zmq.Context()
s = context.socket(getattr(zmq, kind)); s.linger = 20000; s.rcvtimeo = 20000
if secret: s.curve_server = True; s.curve_publickey, s.curve_secretkey = public.encode(), secret.encode()
s.bind(endpoint)
print(s.last_endpoint.decode().strip("\0"), flush=True)
for i in range(6): s.send_multipart(s.recv_multipart())
s.close(); context.term(); print("done", flush=True)
"#;

fn plain() -> ServerSecurity {
    ServerSecurity::Plain { anywhere: false }
}

fn endpoints(name: &str) -> [String; 2] {
    ["tcp://127.0.0.1:0".into(), format!("ipc://{}", peers::socket(name))]
}

#[test]
fn libzmq_clients_are_answered() {
    let Some(python) = Python::find("libzmq_clients_are_answered") else { return };
    for endpoint in endpoints("clients") {
        for kind in ["REQ", "DEALER"] {
            for curve in [false, true] {
                let mut hub = Hub::new(HubLimits::default()).expect("a hub");
                let (server, client) = (Keys::generate(), Keys::generate());
                let allowed = Some([client.public].into());
                let keys = [server.public.to_string(), client.public.to_string(), client.secret_text()];
                let security = if curve { ServerSecurity::Curve { keys: server, allowed } } else { plain() };
                let endpoint = Endpoint::parse(&endpoint).expect("an endpoint");
                let bound = hub.bind(&endpoint, security).expect("it is free").1.to_string();
                let keys = if curve { keys } else { Default::default() };
                let mut peer = python.start(CLIENT, &[kind, &bound, &keys[0], &keys[1], &keys[2]]);
                echo(&mut hub, 1009);
                assert_eq!(peer.finish(), "done\n", "{kind} {bound} {curve}");
            }
        }
    }
}

#[test]
fn libzmq_servers_answer_us() {
    let Some(python) = Python::find("libzmq_servers_answer_us") else { return };
    for endpoint in ["tcp://127.0.0.1:*".to_string(), format!("ipc://{}", peers::socket("servers"))] {
        for kind in ["REP", "ROUTER", "DEALER"] {
            for curve in [false, true] {
                let (server, client) = (Keys::generate(), Keys::generate());
                let keys = [server.public.to_string(), server.secret_text()];
                let keys = if curve { keys } else { Default::default() };
                let mut peer = python.start(SERVER, &[kind, &endpoint, &keys[0], &keys[1]]);
                let endpoint = Endpoint::parse(&peer.line()).expect("an endpoint");
                let security = match curve {
                    true => ClientSecurity::Curve { keys: client, server: server.public },
                    false => ClientSecurity::Plain { anywhere: false },
                };
                let mut hub = Hub::new(HubLimits::default()).expect("a hub");
                hub.connect(&endpoint, &security).expect("it begins");
                let id = opened(&mut hub);
                for size in [0, 1, 300, 4097, 1 << 20, 64 << 20] {
                    let message = vec![Bytes::new(), vec![7; size].into(), Bytes::new()];
                    hub.send(id, &message).expect("it is open");
                    match event(&mut hub) {
                        Event::Message(_, answer) => {
                            assert!(answer == message, "{kind} {endpoint} {curve} {size}")
                        }
                        other => panic!("{kind} {endpoint} {curve} {size}: {other:?}"),
                    }
                }
                assert_eq!(peer.finish(), "done\n");
            }
        }
    }
}

const STRANGER: &str = r#"
import sys, zmq
from zmq.utils.monitor import recv_monitor_message
endpoint, server = sys.argv[1:]
s = zmq.Context().socket(zmq.DEALER); s.linger = 0
m = s.get_monitor_socket()
s.curve_publickey, s.curve_secretkey = zmq.curve_keypair()
s.curve_serverkey = server.encode()
s.connect(endpoint)
while m.poll(20000):
    e = recv_monitor_message(m)
    if e["event"] == zmq.EVENT_HANDSHAKE_FAILED_AUTH: print("refused", e["value"]); break
    if e["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED: print("let in"); break
"#;

#[test]
fn a_key_that_is_not_on_the_list_is_told_so() {
    let Some(python) = Python::find("a_key_that_is_not_on_the_list_is_told_so") else { return };
    let keys = Keys::generate();
    let public = keys.public.to_string();
    let mut hub = Hub::new(HubLimits::default()).expect("a hub");
    let security = ServerSecurity::Curve { keys, allowed: Some([Keys::generate().public].into()) };
    let endpoint = Endpoint::parse("tcp://127.0.0.1:0").expect("an endpoint");
    let bound = hub.bind(&endpoint, security).expect("it is free").1;
    let mut peer = python.start(STRANGER, &[&bound.to_string(), &public]);
    match event(&mut hub) {
        Event::Closed(_, e) => assert_eq!(e.code, Code::Unauthorized, "{e}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(peer.finish(), "refused 400\n");
}

#[test]
fn plaintext_stays_on_this_machine_unless_it_is_meant_to_leave() {
    let mut hub = Hub::new(HubLimits::default()).expect("a hub");
    let everywhere = Endpoint::parse("tcp://*:0").expect("an endpoint");
    assert_eq!(hub.bind(&everywhere, plain()).expect_err("refused").code, Code::Unauthorized);
    hub.bind(&everywhere, ServerSecurity::Plain { anywhere: true }).expect("meant");
    let away = Endpoint::parse("tcp://192.0.2.1:5555").expect("an endpoint");
    let security = ClientSecurity::Plain { anywhere: false };
    assert_eq!(hub.connect(&away, &security).expect_err("refused").code, Code::Unauthorized);
}
