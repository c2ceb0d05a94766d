"""A few functions of NumPy: python -m lean_oracle_worker.examples.numeric --broker tcp://127.0.0.1:5556"""

import argparse
import logging

import numpy

from lean_oracle_worker import Refused, Worker

worker = Worker()
NUMBERS = {"type": "array", "items": {"type": "number"}}
MATRIX = {"type": "array", "items": NUMBERS}


@worker.op("sum", schema={"anyOf": [NUMBERS, {"type": "null"}]})
def total(payload, arrays):
    """The sum of a list of numbers, or of all arrays."""
    if payload is not None:
        return sum(payload)
    return float(sum(a.sum() for a in arrays))


@worker.op("matrix_sum", schema={"type": "object", "properties": {"matrix": MATRIX}, "required": ["matrix"]})
def matrix_sum(payload, _arrays):
    """The sum of all entries of a matrix."""
    return sum(map(sum, payload["matrix"]))


@worker.op("matmul")
def matmul(_payload, arrays):
    """The product of two arrays."""
    if len(arrays) != 2:
        raise Refused("bad_request", f"two arrays are needed, {len(arrays)} came", "arrays")
    try:
        return None, [arrays[0] @ arrays[1]]
    except ValueError as e:
        raise Refused("bad_request", str(e), "arrays") from None


@worker.op("eigenvalues")
def eigenvalues(_payload, arrays):
    """The eigenvalues of a symmetric matrix, as doubles: approximations, nothing is proved."""
    try:
        return None, [numpy.linalg.eigvalsh(arrays[0])]
    except (IndexError, numpy.linalg.LinAlgError) as e:
        raise Refused("bad_request", str(e), "arrays") from None


@worker.op("echo")
def echo(payload, arrays):
    """What was sent."""
    return payload, arrays


def main():
    """Reads the command line and serves."""
    parser = argparse.ArgumentParser(description="Serve functions of NumPy.")
    parser.add_argument("--broker", help="a broker's place for workers")
    parser.add_argument("--bind", help="listen for clients here, without a broker")
    parser.add_argument("--key", help="our secret key, a file of lean-oracle keygen")
    parser.add_argument("--server-key", help="the broker's public key, or a file that has it")
    parser.add_argument("--allow", help="a directory of the public keys of clients")
    parser.add_argument("--rate", type=float, help="with --bind: requests a second that each client may make")
    parser.add_argument("--plaintext", action="store_true", help="do without keys on other addresses than loopback")
    parser.add_argument("--heartbeat", type=float, default=1.0, help="seconds between heartbeats")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    worker.heartbeat = args.heartbeat
    if args.bind:
        say = lambda e: print("clients", e, flush=True)
        worker.serve(args.bind, args.key, args.allow, args.plaintext, ready=say, rate=args.rate)
    elif args.broker:
        worker.run(args.broker, args.key, args.server_key, args.plaintext)
    else:
        parser.error("nobody could reach the worker: give --broker or --bind")


if __name__ == "__main__":
    main()
