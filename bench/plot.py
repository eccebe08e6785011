"""Figures over time as SVG, without a plotting library: one small chart below the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH: Final = 760
_HEIGHT: Final = 110
_LEFT: Final = 70
_RIGHT: Final = 150
_COLOURS: Final = ("#1f6f8b", "#c8553d", "#588157", "#7b2d8b", "#b8860b", "#444444", "#2a9d8f", "#bc4749")

Series = Sequence[tuple[float, float]]
"""Seconds and values."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines that share an axis, from zero up."""

    title: str
    lines: Mapping[str, Series]


def svg(charts: Sequence[Chart]) -> str:
    """The charts below each other, on one time axis."""
    until_s = (
        max((x for chart in charts for line in chart.lines.values() for x, _ in line), default=1.0) or 1.0
    )
    rows = [_chart(chart, n * (_HEIGHT + 45) + 25, until_s) for n, chart in enumerate(charts)]
    height = len(charts) * (_HEIGHT + 45) + 15
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + _RIGHT} {height}" '
        'font-family="sans-serif" font-size="11">'
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *rows, "</svg>\n"])


def _chart(chart: Chart, top: int, until_s: float) -> str:
    most = max((y for line in chart.lines.values() for _, y in line), default=0.0) or 1.0
    bottom = top + _HEIGHT
    parts = [
        f'<text x="{_LEFT}" y="{top - 8}" font-weight="bold">{escape(chart.title)}</text>',
        f'<path d="M{_LEFT} {top}V{bottom}H{_LEFT + _WIDTH}" fill="none" stroke="#999"/>',
        f'<text x="{_LEFT - 5}" y="{top + 8}" text-anchor="end">{most:.4g}</text>',
        f'<text x="{_LEFT - 5}" y="{bottom}" text-anchor="end">0</text>',
        f'<text x="{_LEFT + _WIDTH}" y="{bottom + 14}" text-anchor="end">{until_s:.0f} s</text>',
    ]
    for n, (name, line) in enumerate(chart.lines.items()):
        colour = _COLOURS[n % len(_COLOURS)]
        points = " ".join(
            f"{_LEFT + _WIDTH * x / until_s:.1f},{bottom - _HEIGHT * y / most:.1f}" for x, y in line
        )
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.3"/>',
            f'<text x="{_LEFT + _WIDTH + 8}" y="{top + 10 + 13 * n}" fill="{colour}">{escape(name)}</text>',
        ]
    return "\n".join(parts)
