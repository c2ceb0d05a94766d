"""Functions in Python, served to the clients of a lean-oracle broker."""

from .formats import FORMATS, decode, encode
from .wire import Refused, Request
from .worker import Worker

__all__ = ["FORMATS", "Refused", "Request", "Worker", "decode", "encode"]
__version__ = "0.1.0"
