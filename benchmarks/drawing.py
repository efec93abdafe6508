"""Pictures of measurements, as SVG: curves over time, and what took how long."""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from benchmarks.report import Bar, Bars, Lines

WIDTH, LEFT, RIGHT, TOP = 860, 300, 60, 40
PANEL, GAP, LANE = 90, 34, 26
_COLOURS = ("#1b6ca8", "#c8553d", "#2a9d6f", "#8e5aa8", "#b8860b", "#5b6770", "#c23b80", "#3d7d8f")
_Point = tuple[float, float]


def draw(drawing: Lines | Bars) -> str:
    """The text of an SVG file."""
    return "\n".join(_lines(drawing) if isinstance(drawing, Lines) else _bars(drawing)) + "\n"


def _lines(drawing: Lines) -> Iterator[str]:
    height = TOP + len(drawing.curves) * (PANEL + GAP) + GAP
    yield from _opened(drawing.title, height)
    end = max((point[0] for points in drawing.curves.values() for point in points), default=0.0) or 1.0
    for number, (name, points) in enumerate(drawing.curves.items()):
        yield from _panel(name, points, end, TOP + number * (PANEL + GAP), _COLOURS[number % len(_COLOURS)])
    for name, moment in drawing.marks.items():
        x = _x(moment, end)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{height - GAP}" stroke="#999" stroke-dasharray="4"/>'
        yield _text(x, TOP - 4, name, anchor="middle")
    yield from _time_axis(end, height - GAP / 2)
    yield "</svg>"


def _panel(name: str, points: Sequence[_Point], end: float, top: float, colour: str) -> Iterator[str]:
    """From 0 up to a little more than the highest point."""
    highest = max((value for _, value in points), default=0.0)
    scale = highest * 1.1 or 1.0
    bottom = top + PANEL
    path = " ".join(f"{_x(at, end):.1f},{bottom - PANEL * value / scale:.1f}" for at, value in points)
    yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{bottom}" y2="{bottom}" stroke="#bbb"/>'
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    yield _text(LEFT - 8, top + PANEL / 2, name, anchor="end")
    yield _text(WIDTH - RIGHT + 4, bottom - PANEL * highest / scale + 4, f"{highest:.3g}")
    yield _text(WIDTH - RIGHT + 4, bottom, "0")


def _bars(drawing: Bars) -> Iterator[str]:
    """A lane for each kind, in order of appearance."""
    lanes = list(dict.fromkeys(bar.lane for bar in drawing.bars))
    height = TOP + len(lanes) * LANE + GAP
    end = max((bar.end for bar in drawing.bars), default=0.0) or 1.0
    yield from _opened(drawing.title, height)
    for number, lane in enumerate(lanes):
        some = [bar for bar in drawing.bars if bar.lane == lane]
        yield from _lane(lane, some, end, TOP + number * LANE, _COLOURS[number % len(_COLOURS)])
    yield from _time_axis(end, height - GAP / 2)
    yield "</svg>"


def _lane(name: str, bars: Sequence[Bar], end: float, top: float, colour: str) -> Iterator[str]:
    total = sum(bar.end - bar.begin for bar in bars)
    yield _text(LEFT - 8, top + LANE * 0.65, f"{name}  {total * 1000:.0f} ms", anchor="end")
    yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{top + LANE}" y2="{top + LANE}" stroke="#eee"/>'
    for bar in bars:
        x, wide = _x(bar.begin, end), max(1.0, _x(bar.end, end) - _x(bar.begin, end))
        told = escape(f"{bar.label}: {(bar.end - bar.begin) * 1000:.0f} ms")
        where = f'x="{x:.1f}" y="{top + 4}" width="{wide:.1f}" height="{LANE - 8}"'
        yield f'<rect {where} fill="{colour}"><title>{told}</title></rect>'


def _time_axis(end: float, y: float) -> Iterator[str]:
    for part in range(5):
        seconds = end * part / 4
        yield _text(_x(seconds, end), y, f"{seconds:.3g} s", anchor="middle")


def _opened(title: str, height: float) -> Iterator[str]:
    size = f'viewBox="0 0 {WIDTH} {height:.0f}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">'
    yield f'<rect width="{WIDTH}" height="{height:.0f}" fill="white"/>'
    yield f'<text x="{LEFT}" y="18" font-size="14" font-weight="bold">{escape(title)}</text>'


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _x(seconds: float, end: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * seconds / end
