"""Registers versions of models with Backstay from a training script; see version()."""

from ._errors import BackstayError
from ._version import Registered, Version, version

__all__ = ["BackstayError", "Registered", "Version", "version"]
__version__ = "0.1.0"
