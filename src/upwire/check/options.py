"""The options of `upwire check`."""

from __future__ import annotations

from dataclasses import dataclass, field

from upwire.check.reading import STANDARD_INPUT
from upwire.conf.audit import Severity
from upwire.proxy.load import parse_version

LEVELS = {severity.name.lower(): severity for severity in Severity}


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What `upwire check` is asked for on the command line."""

    path: str | None = field(
        default=None,
        metadata={
            "nargs": "?",
            "metavar": "PATH",
            "help": "the configuration, a part of one, a folder, or - for standard input "
            "(nginx.conf here, or else nginx's own)",
        },
    )
    prefix: str | None = field(
        default=None,
        metadata={
            "flags": ("-p", "--prefix"),
            "metavar": "FOLDER",
            "help": "the folder of relative names (that of nginx.conf)",
        },
    )
    nginx: str | None = field(
        default=None,
        metadata={
            "metavar": "VERSION",
            "help": "judge for that nginx, such as 1.22 (the one that is installed)",
        },
    )
    level: str = field(
        default="warning",
        metadata={
            "metavar": "LEVEL",
            "help": f"exit with 1 from here on: {', '.join(LEVELS)}",
        },
    )
    fix: bool = field(default=False, metadata={"help": "mend what can be mended safely"})
    diff: bool = field(default=False, metadata={"help": "print what --fix would change"})
    json: bool = field(default=False, metadata={"help": "print JSON"})
    sarif: bool = field(default=False, metadata={"help": "print SARIF 2.1.0"})
    github: bool = field(default=False, metadata={"help": "print annotations of GitHub"})
    map: bool = field(
        default=False, metadata={"help": "print which URI goes where, with which fields"}
    )
    explain: tuple[str, ...] = field(
        default=(),
        metadata={
            "nargs": 2,
            "metavar": ("METHOD", "URL"),
            "help": "walk one request through the file, such as GET ws://host/path",
        },
    )

    def __post_init__(self) -> None:
        """Raise ValueError for what cannot be meant."""
        if self.level not in LEVELS:
            raise ValueError(f'--level takes {", ".join(LEVELS)}, not "{self.level}"')
        if self.nginx is not None:
            parse_version(self.nginx)
        if self.fix and self.path == STANDARD_INPUT:
            raise ValueError("--fix needs a file to write: --diff prints what it would change")
        chosen = [self.json, self.sarif, self.github, self.map, bool(self.explain)]
        if sum((*chosen, self.fix or self.diff)) > 1:
            raise ValueError(
                "only one of --fix, --diff, --json, --sarif, --github, --map, --explain"
            )
        if len(self.explain) not in (0, 2):
            raise ValueError("--explain takes one METHOD and URL")

    @property
    def least(self) -> Severity:
        """The severity from which on the exit status is 1."""
        return LEVELS[self.level]
