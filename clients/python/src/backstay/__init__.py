"""Registers versions of models with Backstay from a training script; see version()."""

from ._errors import BackstayError
from ._records import Registered
from ._version import Version, version

__all__ = ["BackstayError", "Registered", "Version", "version"]
__version__ = "0.1.0"
