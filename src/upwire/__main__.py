"""`python -m upwire` is the command `upwire`."""

from __future__ import annotations

import sys

from upwire.cli import main

sys.exit(main())
