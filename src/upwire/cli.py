"""The command `upwire`: parses arguments, calls one function, prints.

Exit status 0: all is well; 1: something is wrong, one line says what; 2: wrong usage.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import os
import platform
import sys
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from upwire import application, terminal
from upwire.check import command as check
from upwire.check.options import CheckOptions
from upwire.demo import launch
from upwire.errors import LocalProtocolError, RemoteProtocolError, UpwireError
from upwire.generate import command as config
from upwire.generate.options import ConfigOptions
from upwire.load import command as bench
from upwire.probe import command as probe
from upwire.probe.options import ProbeOptions
from upwire.proxy import process
from upwire.version import __version__
from upwire.wire import _codec

INTERRUPTED = 130
"""The status of a command that Ctrl-C ended, as shells have it: 128 and the signal's number."""


@dataclass(frozen=True, slots=True)
class Command:
    """One word behind `upwire`. run takes the options and returns the exit status."""

    name: str
    summary: str
    options: type
    run: Callable[[Any], int]  # Any: each command's own options


COMMANDS = (
    Command("demo", "show the whole path in a browser", launch.DemoOptions, launch.main),
    Command("serve", "run a WebSocket server", application.ServeOptions, application.main),
    Command("proxy", "run the reverse proxy", process.ProxyOptions, process.main),
    Command("check", "say what is wrong with an nginx.conf", CheckOptions, check.main),
    Command("config", "write the nginx.conf of a site", ConfigOptions, config.main),
    Command("probe", "say what is wrong with a live WebSocket", ProbeOptions, probe.main),
    Command("connect", "talk to a WebSocket server", terminal.ConnectOptions, terminal.main),
    Command("bench", "put a WebSocket server under load", bench.BenchOptions, bench.main),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name and return its exit status."""
    _prepare_standard_streams()
    parser = _parser()
    namespace, unknown = parser.parse_known_args(arguments)
    given = vars(namespace)
    command: Command = given.pop("command")
    command_parser: argparse.ArgumentParser = given.pop("parser")
    if unknown:
        command_parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        options = command.options(**given)
    except ValueError as error:
        command_parser.error(str(error))
    return _guard(command, options)


def version() -> str:
    """Return the version, whether the hot modules are compiled, and the Python that runs it."""
    mode = "compiled" if _codec.is_compiled() else "pure"
    return f"upwire {__version__} ({mode}) Python {platform.python_version()}"


def add_options(parser: argparse.ArgumentParser, options: type) -> None:
    """Add an argument for each field of an options dataclass.

    `add_host` becomes --add-host, a field without default a positional. Of a field's metadata,
    `flags` adds short names and replaces the long one, `help` and `metavar` are shown, `nargs` is
    argparse's; "?" makes a positional that may be left out. `action` is argparse's of a bool.
    Only what is given reaches the namespace: defaults stay the dataclass's.
    """
    types_of = typing.get_type_hints(options)
    for field in dataclasses.fields(options):
        how = _conversion(types_of[field.name], field)
        how["help"] = _help(field)
        how |= {
            name: field.metadata[name] for name in ("metavar", "nargs") if name in field.metadata
        }
        if how.get("nargs") == "?":
            parser.add_argument(field.name, default=argparse.SUPPRESS, **how)
        elif _is_required(field):
            parser.add_argument(field.name, **how)
        else:
            how |= {"dest": field.name, "default": argparse.SUPPRESS}
            parser.add_argument(*_flags(field), **how)


def _prepare_standard_streams() -> None:
    """Open those that are closed on nothing, and print what the output's encoding has no sign for.

    In the order of their numbers: a socket that got one of these would be read or written instead.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  # until the process ends
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="upwire", description="WebSocket server, client, and the proxy that reads nginx.conf."
    )
    parser.add_argument("--version", action="version", version=version())
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        one = commands.add_parser(
            command.name,
            help=command.summary,
            description=f"{command.summary[0].upper()}{command.summary[1:]}.",
        )
        one.set_defaults(command=command, parser=one)
        one.add_argument("-?", action="help", help=argparse.SUPPRESS)  # nginx's word for it
        add_options(one, command.options)
    return parser


def _guard(command: Command, options: object) -> int:
    """Run a command; what goes wrong is one line for its user and no traceback.

    A LocalProtocolError is wrong usage: here the caller is who wrote the command line.
    """
    try:
        status = command.run(options)
        sys.stdout.flush()
        return status
    except UpwireError as error:
        # An error may quote the peer, whose octets this terminal must not obey.
        explanation = terminal.visible(_explain(error))
        print(f"upwire {command.name}: {explanation}", file=sys.stderr)
        return 2 if isinstance(error, LocalProtocolError) else 1
    except BrokenPipeError:
        # Who read our output has left. What is still buffered must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def _explain(error: UpwireError) -> str:
    mend = error.mend if isinstance(error, RemoteProtocolError) else ""
    return f"{error}; {mend}" if mend else str(error)


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is field.default_factory is dataclasses.MISSING


def _flags(field: dataclasses.Field[Any]) -> list[str]:
    flags = list(field.metadata.get("flags", ()))
    if not any(flag.startswith("--") for flag in flags):
        name = field.name.removesuffix("_s").replace("_", "-")
        flags.append(f"--no-{name}" if field.default is True else f"--{name}")
    return flags


def _help(field: dataclasses.Field[Any]) -> str:
    text = str(field.metadata.get("help", "")).replace("%", "%%")
    if isinstance(field.default, bool) or field.default in (None, (), "", dataclasses.MISSING):
        return text
    return f"{text} ({str(field.default).replace('%', '%%')})".strip()


def _conversion(kind: Any, field: dataclasses.Field[Any]) -> dict[str, Any]:
    """Return how argparse reads a value of this annotation. Any: what typing gives has no type."""
    if kind is bool:
        usual = "store_false" if field.default is True else "store_true"
        return {"action": field.metadata.get("action", usual)}
    if typing.get_origin(kind) is tuple:
        return {"action": _AppendToTuple, "type": typing.get_args(kind)[0]}
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        (kind,) = (one for one in typing.get_args(kind) if one is not types.NoneType)
    return {"type": kind}


class _AppendToTuple(argparse.Action):
    """An option that may be given again; its values make a tuple."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,  # argparse's own annotation
        option_string: str | None = None,
    ) -> None:
        given = values if isinstance(values, list) else [values]
        setattr(namespace, self.dest, (*getattr(namespace, self.dest, ()), *given))
