"""What `upwire proxy` tells its user on standard error: at the start, and instead of one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence

from OpenSSL import SSL

from upwire.conf.directives import TABLE
from upwire.errors import Problem
from upwire.net.listener import show_address
from upwire.net.stream import Address
from upwire.proxy.load import NGINX_VERSION, LoadedFile
from upwire.proxy.options import ProxyOptions
from upwire.version import __version__


def print_version(with_nginx: bool) -> None:
    """Print the version; with_nginx: and the nginx that is followed."""
    _say(f"upwire version: upwire/{__version__}")
    if with_nginx:
        compatible = ".".join(map(str, NGINX_VERSION))
        _say(f"nginx version: nginx/{compatible} (whose files Upwire reads, and as it behaves)")
        _say(f"built with {SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode()}")
        _say("TLS SNI support enabled")
        _say(f"configure arguments: {' '.join(_configured())}")


# The modules that nginx is built with only where that was asked for, and what asks for each.
_OPTIONAL_MODULES = {
    "ngx_http_addition_filter_module": "--with-http_addition_module",
    "ngx_http_auth_request_module": "--with-http_auth_request_module",
    "ngx_http_dav_module": "--with-http_dav_module",
    "ngx_http_gunzip_filter_module": "--with-http_gunzip_module",
    "ngx_http_gzip_static_module": "--with-http_gzip_static_module",
    "ngx_http_random_index_module": "--with-http_random_index_module",
    "ngx_http_realip_module": "--with-http_realip_module",
    "ngx_http_secure_link_module": "--with-http_secure_link_module",
    "ngx_http_slice_filter_module": "--with-http_slice_module",
    "ngx_http_ssl_module": "--with-http_ssl_module",
    "ngx_http_stub_status_module": "--with-http_stub_status_module",
    "ngx_http_sub_filter_module": "--with-http_sub_module",
}


def _configured() -> list[str]:
    """Return the arguments of an nginx's configure that has the modules that we act on."""
    acted = {row.module for rows in TABLE.values() for row in rows if row.acted}
    options = [option for module, option in _OPTIONAL_MODULES.items() if module in acted]
    return [*options, "--with-debug"]


def report_start(
    options: ProxyOptions,
    loaded: LoadedFile,
    listening: Sequence[Address],
    status: Sequence[Address],
) -> None:
    """Say what is open and where we listen. status: where the counters are told.

    What is less safe than it reads is said with -q as well.
    """
    _report_unacted(options, loaded)
    if not options.quiet:
        counters = f", status on {_show(status)}" if status else ""
        _say(f"upwire: listening on {_show(listening)} ({options.conf}){counters}")


def report_test(options: ProxyOptions, loaded: LoadedFile) -> None:
    """Say that the configuration is right, in nginx's words; print its files if that was asked."""
    if not options.quiet:
        say_problems(loaded.warnings)
    _report_unacted(options, loaded)
    if not options.quiet:
        _say(f"upwire: the configuration file {options.conf_path} syntax is ok")
        _say(f"upwire: configuration file {options.conf_path} test is successful")
    if options.dump:
        for name, octets in loaded.contents.items():
            print(f"# configuration file {name}:", flush=True)
            sys.stdout.buffer.write(octets + b"\n")


def report_problems(options: ProxyOptions, problems: Sequence[Problem]) -> None:
    """Say what is wrong with a configuration, and how it is mended where we know."""
    say_problems(problems)
    if options.test or options.dump:
        _say(f"upwire: configuration file {options.conf_path} test failed")


def unguarded(loaded: LoadedFile) -> Iterator[Problem]:
    """Yield a warning for each directive that guards something and is not acted on."""
    yield from loaded.config.unguarded


def _show(addresses: Sequence[Address]) -> str:
    return ", ".join(show_address(address) for address in addresses)


def _report_unacted(options: ProxyOptions, loaded: LoadedFile) -> None:
    """List once each directive that is taken and not acted on; then warn of those that guard."""
    accepted = loaded.config.accepted
    if accepted and not options.quiet:
        places = ", ".join(
            f"{directive.name} ({os.path.basename(directive.file)}:{directive.line})"
            for directive in accepted
        )
        _say(f"upwire: [notice] accepted and not acted on: {places}")
    say_problems(unguarded(loaded))


def say_problems(problems: Iterable[Problem]) -> None:
    """Say each, and how it is mended where we know."""
    for problem in problems:
        _say(f"upwire: {problem}")
        if problem.mend:
            _say(f"upwire: {problem.mend}")


def _say(line: str) -> None:
    print(line, file=sys.stderr)
