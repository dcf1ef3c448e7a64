"""What the tests have and this script uses too: the client that speaks frames, scripted back ends.

They are loaded by their paths, as scripts/bench.d has modules of the same names.
"""

import importlib.util
import os

_LIB = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "test", "lib")
GRPC_SERVER = os.path.join(_LIB, "grpc_server.py")


def _load(name):
    spec = importlib.util.spec_from_file_location("test_lib_" + name,
                                                  os.path.join(_LIB, name + ".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


h2 = _load("h2client")
scripted = _load("scripted")
