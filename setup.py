"""The compiled modules; everything else about the package is in pyproject.toml.

Each is optional: where it does not compile, the Python file that it is built from runs instead.
"""

from __future__ import annotations

from Cython.Build import cythonize
from setuptools import Extension, setup

MODULES = (
    "upwire.asgi.http",
    "upwire.asgi.scope",
    "upwire.load._engine",
    "upwire.load._handshakes",
    "upwire.net.engine._engine",
    "upwire.net.engine._link",
    "upwire.net.engine._taker",
    "upwire.net.http1.message",
    "upwire.net.http1.server",
    "upwire.net.relay._engine",
    "upwire.net.tls._session",
    "upwire.net.websocket._channel",
    "upwire.net.websocket._receiver",
    "upwire.net.websocket.receive_queue",
    "upwire.wire._codec",
    "upwire.wire._frame_counter",
    "upwire.wire._headers",
    "upwire.wire.websocket",
    "upwire.wire.http1._head_lines",
    "upwire.wire.http1.content",
    "upwire.wire.http1.heads",
)

# Whole modules without C types, such as net.http1.server, have annotation_typing=False: what they
# take is then as free as it is uncompiled, where bytes may be a bytearray.
# -O3: with -O2 the masking loop gets no vectors. C files stay out of the source tree.
extensions = cythonize(
    [
        Extension(name, [f"src/{name.replace('.', '/')}.py"], extra_compile_args=["-O3"])
        for name in MODULES
    ],
    build_dir="build/cython",
    language_level=3,
)
for extension in extensions:
    extension.optional = True  # cythonize() drops it where it is given to Extension

setup(ext_modules=extensions)
