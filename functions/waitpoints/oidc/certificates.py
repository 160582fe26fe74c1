"""Put X.509 off until its first use: PyJWT imports it with `cryptography`, a tenth of a start, and no ID token needs it."""

import sys
from importlib.util import LazyLoader, find_spec, module_from_spec

import cryptography

_spec = find_spec("cryptography.x509")
if _spec and _spec.loader and _spec.name not in sys.modules:
    _spec.loader = LazyLoader(_spec.loader)
    vars(cryptography)["x509"] = sys.modules[_spec.name] = module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules[_spec.name])
