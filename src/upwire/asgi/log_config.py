"""How a process that serves logs: on stderr, or as a file says."""

from __future__ import annotations

import json
import logging
import logging.config
from pathlib import Path
from typing import Any

from upwire.asgi.loading import describe
from upwire.errors import UpwireError

try:
    import yaml
except ModuleNotFoundError:  # it comes with the extra "yaml"
    yaml = None  # type: ignore[assignment]


def configure_logging(level: str, file: str | None) -> None:
    """Log from a level on, or by a file: .json, .yaml, or as logging.config.fileConfig reads it.

    Raises UpwireError for a file that says nothing of use.
    """
    if file is None:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        for name in ("upwire.asgi", "upwire.access"):
            logging.getLogger(name).setLevel(level.upper())
        return
    try:
        suffix = Path(file).suffix
        if suffix == ".json":
            logging.config.dictConfig(json.loads(Path(file).read_text("utf-8")))
        elif suffix in (".yaml", ".yml"):
            logging.config.dictConfig(_read_yaml(Path(file).read_text("utf-8")))
        else:
            logging.config.fileConfig(file, disable_existing_loggers=False)
    except (OSError, UpwireError) as error:  # these say all that helps
        raise UpwireError(f"--log-config {file}: {error}") from error
    except Exception as error:  # the edge: what the file names may raise anything
        raise UpwireError(f"--log-config {file}: {describe(error)}") from error


def _read_yaml(text: str) -> Any:  # Any: whatever the file has
    if yaml is None:
        raise UpwireError("YAML is read by PyYAML, which pip install upwire[yaml] brings")
    return yaml.safe_load(text)
