"""The worker: Paranoid Pirate towards a broker, or a server of its own."""

import ipaddress
import json
import logging
import os
import queue
import threading
import time

import jsonschema
import zmq
from zmq.auth import load_certificate
from zmq.auth.thread import ThreadAuthenticator

from . import formats, legacy, wire
from .wire import Refused

READY, HEARTBEAT, CANCEL = b"\x01", b"\x02", b"\x03"
LIVENESS = 3
# Of one message.
MAX_FRAMES = 64
# What a broker takes messages of lean-python-bridge for.
BRIDGE = "$bridge"
FIRST_PAUSE, LAST_PAUSE = 1.0, 32.0

log = logging.getLogger("lean_oracle_worker")


class Worker:
    """Functions with names, and the loop that serves them."""

    def __init__(self, heartbeat=1.0, max_message=256 << 20):
        """`heartbeat`: seconds between heartbeats; `max_message`: bytes of a frame, and of a message."""
        self.heartbeat, self.max_message = heartbeat, max_message
        self._ops = {}
        self._stop = threading.Event()

    def op(self, name, schema=None):
        """Registers the decorated function(payload, arrays); payloads must satisfy the JSON Schema."""
        validator = None
        if schema is not None:
            cls = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
            cls.check_schema(schema)
            validator = cls(schema)

        def register(function):
            self._ops[name] = (function, validator)
            return function

        return register

    def stop(self):
        """Ends run and serve, from any thread."""
        self._stop.set()

    def answer(self, frames):
        """The frames that answer those of a request, whatever these are."""
        try:
            if len(frames) > MAX_FRAMES or sum(map(len, frames)) > self.max_message:
                raise Refused("too_large", f"more than {MAX_FRAMES} frames or {self.max_message} bytes")
            if _is_legacy(frames):
                return [legacy.answer(frames)]
            return self._perform(wire.read_request(frames))
        except Refused as e:
            refusal = e
        except (Exception, SystemExit) as e:  # a defect of a function must not end the worker
            log.exception("a function failed")
            refusal = Refused("internal", f"{type(e).__name__}: {e}")
        return self._refuse(frames, refusal)

    @staticmethod
    def _refuse(frames, e):
        if _is_legacy(frames):
            return [legacy.refuse(e)]
        return wire.error(wire.peek(frames), e)

    def _perform(self, request):
        if request.op == "health":
            health = {"status": "ok", "role": "worker", "ops": sorted(self._ops)}
            return wire.reply(request.correlation_id, health, [], formats.JSON)
        if request.op not in self._ops:
            known = ", ".join(sorted(self._ops))
            raise Refused("bad_request", f'no operation "{request.op}"; there are: {known}', "op")
        function, validator = self._ops[request.op]
        if validator is not None:
            try:
                validator.validate(request.payload)
            except jsonschema.ValidationError as e:
                raise Refused("bad_request", f"{e.json_path}: {e.message}", "payload") from None
        result = function(request.payload, request.arrays)
        payload, arrays = result if isinstance(result, tuple) else (result, [])
        return wire.reply(request.correlation_id, payload, arrays, request.content_type)

    def run(self, endpoint, key=None, server_key=None, plaintext=False):
        """Serves the clients of the broker at `endpoint` until stopped, and connects again whenever the
        broker is silent for three heartbeats: after 1 s, 2 s, 4 s and so on to 32 s."""
        if server_key is None and key is not None:
            raise ValueError("a key of our own needs that of the broker, too: server_key")
        _local_only(endpoint, server_key, plaintext)
        context = zmq.Context()
        # Functions run on a thread of their own, so that heartbeats go on meanwhile.
        jobs, done = queue.Queue(), context.socket(zmq.PAIR)
        done.bind("inproc://done")
        thread = threading.Thread(target=self._work, args=(context, jobs), daemon=True)
        thread.start()
        pause = FIRST_PAUSE
        try:
            while not self._stop.is_set():
                heard = self._session(context, endpoint, key, server_key, jobs, done)
                if self._stop.is_set():
                    break
                pause = FIRST_PAUSE if heard else pause
                log.warning("the broker is silent; connecting again in %.0f s", pause)
                self._stop.wait(pause)
                pause = min(2 * pause, LAST_PAUSE)
        finally:
            jobs.put(None)
            context.destroy(linger=500)

    def _work(self, context, jobs):
        done = context.socket(zmq.PAIR)
        done.connect("inproc://done")
        while True:
            job = jobs.get()
            if job is None:
                return
            session, head, frames = job
            try:
                done.send_multipart([session, *head, *self.answer(frames)])
            except zmq.ZMQError:
                return

    def _session(self, context, endpoint, key, server_key, jobs, done):
        """One connection to the broker; whether anything was heard over it."""
        socket = context.socket(zmq.DEALER)
        socket.linger, socket.maxmsgsize = 0, self.max_message
        _client_keys(socket, key, server_key)
        socket.connect(endpoint)
        session, heard = os.urandom(8), False
        socket.send_multipart([READY, json.dumps({"ops": [*sorted(self._ops), BRIDGE]}).encode()])
        poller = zmq.Poller()
        poller.register(socket, zmq.POLLIN)
        poller.register(done, zmq.POLLIN)
        now = time.monotonic()
        beat, expiry = now + self.heartbeat, now + LIVENESS * self.heartbeat
        try:
            while not self._stop.is_set():
                wait = max(0.0, min(beat, expiry) - time.monotonic())
                ready = dict(poller.poll(min(wait, 0.2) * 1000))
                now = time.monotonic()
                if done in ready:
                    owner, *frames = done.recv_multipart(copy=False)
                    # What was asked over an earlier connection, the broker no longer waits for.
                    if owner.bytes == session:
                        socket.send_multipart(frames, copy=False)
                if socket in ready:
                    frames = socket.recv_multipart(copy=False)
                    heard, expiry = True, now + LIVENESS * self.heartbeat
                    if len(frames) >= 3:
                        at = next((i for i, f in enumerate(frames) if len(f) == 0), None)
                        if at is not None:
                            head = [f.bytes for f in frames[: at + 1]]
                            jobs.put((session, head, [f.buffer for f in frames[at + 1 :]]))
                if now >= beat:
                    socket.send(HEARTBEAT)
                    beat = now + self.heartbeat
                if now >= expiry:
                    break
        finally:
            socket.close()
        return heard

    def serve(self, endpoint, key=None, allow=None, plaintext=False, ready=None, rate=None):
        """Serves clients that connect to `endpoint`, one request at a time, until stopped. `ready` is
        called with the endpoint that was bound; `rate` is how many requests a second each client may make:
        the owner of a key of `allow`, or else everybody at an address."""
        if allow is not None and key is None:
            raise ValueError("a list of clients needs a key of our own: key")
        _local_only(endpoint, key, plaintext)
        gate = Gate(rate)
        context = zmq.Context()
        authenticator = None
        socket = context.socket(zmq.ROUTER)
        socket.linger, socket.maxmsgsize = 500, self.max_message
        try:
            if key is not None:
                if allow is not None:
                    authenticator = ThreadAuthenticator(context)
                    authenticator.start()
                    authenticator.configure_curve(domain="*", location=str(allow))
                # Before bind: afterwards libzmq would take no notice.
                socket.curve_publickey, socket.curve_secretkey = load_certificate(key)
                socket.curve_server = True
            socket.bind(endpoint)
            if ready is not None:
                ready(socket.last_endpoint.decode().rstrip("\0"))
            while not self._stop.is_set():
                if not socket.poll(200):
                    continue
                identity, *frames = socket.recv_multipart(copy=False)
                head, body = _split(frames)
                body = [f.buffer for f in body]
                if gate.admits(_peer(frames, allow is not None)):
                    answer = self.answer(body)
                else:
                    answer = self._refuse(body, Refused("busy", "too many requests from you; ask again later"))
                socket.send_multipart([identity, *(f.bytes for f in head), *answer], copy=False)
        finally:
            if authenticator is not None:
                authenticator.stop()
            context.destroy(linger=500)


class Gate:
    """Counts the requests of each peer: `rate` a second, and as many at once."""

    def __init__(self, rate):
        self.rate, self._left = rate, {}

    def admits(self, peer, now=None):
        """Whether `peer` may ask now."""
        if self.rate is None:
            return True
        now = time.monotonic() if now is None else now
        burst = max(1.0, self.rate)
        if len(self._left) > 10_000:
            # Who has been quiet for so long is as good as new.
            self._left = {p: (n, t) for p, (n, t) in self._left.items() if now - t < burst / self.rate}
        left, since = self._left.get(peer, (burst, now))
        left = min(burst, left + (now - since) * self.rate)
        self._left[peer] = (left - 1 if left >= 1 else left, now)
        return left >= 1


def _peer(frames, known):
    """Who sent these frames: a key that was let in, or else an address."""
    for name in ["User-Id"] * known + ["Peer-Address"]:
        try:
            return frames[-1].get(name)
        except (zmq.ZMQError, IndexError):  # a Unix socket has no address
            pass
    return ""


def _is_legacy(frames):
    return len(frames) == 1 or (len(frames) == 2 and bytes(frames[0][:1]) != b"{")


def _local_only(endpoint, key, plaintext):
    """Raises ValueError where plaintext would leave this machine. No name but localhost is trusted."""
    host = endpoint[len("tcp://") :].rpartition(":")[0] if endpoint.startswith("tcp://") else None
    try:
        local = host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except (AttributeError, ValueError):
        local = endpoint.startswith(("ipc://", "inproc://"))
    if key is None and not local and not plaintext:
        raise ValueError(f"{endpoint} is not on this machine: use keys, or allow plaintext explicitly")


def _split(frames):
    """Cuts at the first empty frame, but not what begins with a header or with JSON."""
    if not frames or bytes(frames[0].buffer[:1]) in (b"{", b'"', b"["):
        return [], frames
    at = next((i for i, f in enumerate(frames) if len(f) == 0), None)
    return ([], frames) if at is None else (frames[: at + 1], frames[at + 1 :])


def _client_keys(socket, key, server_key):
    if server_key is None:
        return
    if os.path.exists(server_key):
        server_key = load_certificate(server_key)[0]
    elif isinstance(server_key, str):
        server_key = server_key.encode()
    socket.curve_serverkey = server_key
    public, secret = load_certificate(key) if key is not None else zmq.curve_keypair()
    socket.curve_publickey, socket.curve_secretkey = public, secret
