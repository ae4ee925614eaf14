"""The plot of the benchmarks: an SVG, written by hand so that it needs no library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from bench.results import Cell, Results

_WIDTH: Final = 860
_PANEL: Final = 210
_LEFT: Final = 60
_GROUP: Final = 128
_BAR: Final = 26
#: With a white rim, so that it is readable across a line.
_LABEL: Final = 'text-anchor="middle" font-size="9" stroke="white" stroke-width="3" paint-order="stroke"'
_GROUPS: Final = ((5, 0.0), (50, 0.0), (5, 0.02), (50, 0.02), (5, 0.1), (50, 0.1))


class _Series(NamedTuple):
    who: str
    replicas: int
    name: str
    color: str


_SERIES: Final = (
    _Series("kafka", 1, "whole consumer, one replica", "#1f6f8b"),
    _Series("kafka", 3, "whole consumer, three replicas", "#7fb3c8"),
    _Series("own", 1, "our client alone", "#e0a030"),
    _Series("aiohttp", 1, "aiohttp alone", "#b04a4a"),
)


def svg(results: Results) -> str:
    unit = results.unit or 1.0
    label = "CPU per event, in calls of wrk" if results.unit else "CPU per event, in µs"
    costs = [[_cost(results, series, group, unit) for series in _SERIES] for group in _GROUPS]
    shares = [[_share(results, series, group) for series in _SERIES] for group in _GROUPS if group[1]]
    height = 2 * _PANEL + 110
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        *_legend(),
        *_panel(50, label, costs, _GROUPS, aims=[(1, 7.0), (3, 9.0)] if results.unit else []),
        *_panel(
            _PANEL + 80,
            "events a second ÷ (calls ÷ latency at the receiver)",
            shares,
            [group for group in _GROUPS if group[1]],
            aims=[(place, 0.95) for place in range(len(shares))],
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _cost(results: Results, series: _Series, group: tuple[int, float], unit: float) -> float:
    row = results.row(Cell(series.who, series.replicas, *group))
    return row.cpu / unit if row else 0.0


def _share(results: Results, series: _Series, group: tuple[int, float]) -> float:
    row = results.row(Cell(series.who, series.replicas, *group))
    return row.share if row else 0.0


def _legend() -> list[str]:
    parts, x = [], _LEFT
    for series in _SERIES:
        parts.append(f'<rect x="{x}" y="14" width="12" height="12" fill="{series.color}"/>')
        parts.append(f'<text x="{x + 17}" y="24">{series.name}</text>')
        x += 215 if series.replicas > 1 else 180
    parts.append(f'<text x="{x - 20}" y="24" fill="#444">- - aim</text>')
    return parts


def _panel(
    top: int,
    title: str,
    values: Sequence[Sequence[float]],
    groups: Sequence[tuple[int, float]],
    aims: Sequence[tuple[int, float]],
) -> list[str]:
    """`aims`: the index of a group, and the value that its first bar should reach, or stay below."""
    most = max(max(map(max, values)), *(value for _, value in aims), 0.01) * 1.08
    bottom = top + 20 + _PANEL - 40
    scale = (bottom - top - 20) / most
    parts = [f'<text x="{_LEFT}" y="{top + 8}" font-weight="bold">{title}</text>']
    parts.append(f'<line x1="{_LEFT}" y1="{bottom}" x2="{_WIDTH - 20}" y2="{bottom}" stroke="#444"/>')
    labels = []
    for index, (bars, (calls, latency)) in enumerate(zip(values, groups, strict=True)):
        x = _LEFT + 10 + index * _GROUP
        for number, (value, series) in enumerate(zip(bars, _SERIES, strict=True)):
            left, y = x + number * _BAR, bottom - value * scale
            parts.append(f'<rect x="{left}" y="{y:.1f}" width="{_BAR - 3}" height="{value * scale:.1f}" fill="{series.color}"/>')
            text = f"{value:.1f}" if value >= 1.5 else f"{value:.2f}"
            labels.append(f'<text x="{left + (_BAR - 3) / 2}" y="{y - 3:.1f}" {_LABEL}>{text}</text>')
        middle = x + 2 * _BAR
        parts.append(f'<text x="{middle}" y="{bottom + 15}" text-anchor="middle">{latency * 1000:g} ms, {calls} calls</text>')
    for index, value in aims:
        x, y = _LEFT + 4 + index * _GROUP, bottom - value * scale
        line = f'x1="{x}" y1="{y:.1f}" x2="{x + 4 * _BAR + 8}" y2="{y:.1f}"'
        parts.append(f'<line {line} stroke="#222" stroke-dasharray="4 3"/>')
    return [*parts, *labels]
