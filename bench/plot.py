"""Draws the medians of an outcome as bars, in SVG that reads in light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from bench.rounds import Outcome, Row

WIDTH = 760
LABEL = 170
VALUE = 150
BAR = 16
GAP = 6
HEADING = 34
OURS = "#d9480f"
THEIRS = "#748ffc"
STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #222 }
.heading { font-weight: 600 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } }
"""


def draw(outcome: Outcome) -> str:
    """Return the picture: a group of bars for each scenario, the longest at full width."""
    body: list[str] = []
    y = 0
    for scenario, rows in outcome.rows.items():
        y += HEADING
        heading = escape(f"{scenario}, {outcome.benchmark.unit}")
        body.append(f'<text class="heading" x="0" y="{y - 10}">{heading}</text>')
        shown = [row for row in rows if not row.void]
        body += _bars(shown, y)
        y += len(shown) * (BAR + GAP)
    title = escape(outcome.benchmark.title)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img">',
            f"<title>{title}</title>",
            f"<style>{STYLE}</style>",
            *body,
            "</svg>\n",
        ]
    )


def _bars(rows: Sequence[Row], top: int) -> list[str]:
    values = [row.median("value") or 0.0 for row in rows]
    longest = max(values, default=0.0) or 1.0
    lines: list[str] = []
    for index, (row, value) in enumerate(zip(rows, values, strict=True)):
        y = top + index * (BAR + GAP)
        length = max(value / longest, 0.0) * (WIDTH - LABEL - VALUE)
        fill = OURS if row.title == "upwire" else THEIRS
        ratio = "" if row.ratio is None else f" ({row.ratio:.2f})"
        lines += [
            f'<text x="0" y="{y + BAR - 3}">{escape(row.title)}</text>',
            f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{fill}"/>',
            f'<text x="{LABEL + length + 6:.1f}" y="{y + BAR - 3}">{value:,.0f}{ratio}</text>',
        ]
    return lines
