"""Starting fast: the protocol's messages without the SDK around them.

The messages live in the `temporalio` package, whose own `__init__` imports the whole SDK, its Rust library
with it; and each service's messages bring gRPC stubs if grpc can be had. A process that is a server needs
neither, and they are half of what its start costs.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_PACKAGE = "temporalio"
_STUBS = "grpc"  # what the messages' packages import stubs with, if they can


@contextmanager
def messages_only() -> Iterator[None]:
    """What is imported inside gets the protocol's messages alone.

    The SDK is there for who asks for it later: its package runs its `__init__` when anything of it is missed.
    """
    if _PACKAGE not in sys.modules:
        _put_lazy_package()
    if _STUBS in sys.modules:
        yield
        return
    sys.modules[_STUBS] = None  # type: ignore[assignment]  # "import grpc" is an ImportError
    try:
        yield
    finally:
        del sys.modules[_STUBS]


def _put_lazy_package() -> None:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {_PACKAGE!r}", name=_PACKAGE)
    module, loader = importlib.util.module_from_spec(spec), spec.loader

    def run_and_get(name: str) -> Any:
        if name.startswith("__") and name != "__version__":
            raise AttributeError(name)  # the import system looks for these
        del module.__dict__["__getattr__"]
        loader.exec_module(module)
        return getattr(module, name)

    module.__dict__["__getattr__"] = run_and_get
    sys.modules[_PACKAGE] = module
