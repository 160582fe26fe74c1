"""Put X.509 off until its first use: PyJWT imports it with `cryptography`, a tenth of a start, and no ID token needs it."""

import sys
from importlib.util import LazyLoader, find_spec, module_from_spec

import cryptography


def _put_off(name: str) -> None:
    spec = find_spec(f"cryptography.{name}")
    if spec and spec.loader and spec.name not in sys.modules:
        spec.loader = LazyLoader(spec.loader)
        vars(cryptography)[name] = sys.modules[spec.name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[spec.name])


_put_off("x509")
