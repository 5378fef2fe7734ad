# SPDX-License-Identifier: BSD-3-Clause
"""Plots as SVG inside a page: nothing is fetched, nothing runs."""

import html
import math

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 20, 50
MARK_ROOM = 170  # of "NDR = PDR = closed loop"
# Readable on white and on black, and told apart by those who see no red or green.
COLOURS = ("#2b83c6", "#d0603f", "#4f9a5b", "#9a76c4", "#b08900", "#808080")


def short(value: float) -> str:
    """1234567 as 1.23M."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def ticks(low: float, high: float) -> list:
    """About five round numbers between two."""
    if high <= low:
        return [low]
    step = 10 ** math.floor(math.log10((high - low) / 4))
    for factor in (1, 2, 5, 10):
        if (high - low) / (step * factor) <= 6:
            step *= factor
            break
    first = math.ceil(low / step - 1e-9)
    return [step * number for number in range(first, int(high / step + 1e-9) + 1)]


class Axis:
    """From values to places."""

    def __init__(self, values: list, start: float, end: float, log: bool = False,
                 zero: bool = True):
        self.log = log
        values = [value for value in values if not log or value > 0] or [1]
        self.low = min(values) if log or not zero else min(0, *values)
        self.high = max(values) if max(values) > self.low else self.low + 1
        self.start, self.end = start, end

    def place(self, value: float) -> float:
        """Where a value is."""
        low, high = self.low, self.high
        if self.log:
            value, low, high = (math.log10(max(number, self.low)) for number in (value, low, high))
        return self.start + (value - low) / ((high - low) or 1) * (self.end - self.start)

    def ticks(self) -> list:
        """What is written beside it."""
        if not self.log:
            return ticks(self.low, self.high)
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        for factors in ((1,), (1, 2, 5)):
            found = [factor * 10 ** power for power in range(first, last + 1) for factor in factors
                     if self.low <= factor * 10 ** power <= self.high]
            if len(found) > 2:
                return found
        return [self.low, self.high]


def frame(title: str, names: tuple, axes: tuple, body: str, height: int) -> str:
    """Axes, names and grid around a plot; names are of x, of y, and of places along x if any."""
    x_axis, y_axis = axes
    x_name, y_name, places = names
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{html.escape(title)}">']
    for value in y_axis.ticks() if y_axis else []:
        y = y_axis.place(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" '
                     f'y2="{y:.1f}"/><text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" '
                     f'text-anchor="end">{short(value)}</text>')
    for value in range(len(places)) if places else x_axis.ticks():
        x = x_axis.place(value)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" '
                     f'y2="{height - BOTTOM}"/><text class="tick" x="{x:.1f}" '
                     f'y="{height - BOTTOM + 18}" text-anchor="middle">'
                     f'{places[value] if places else short(value)}</text>')
    parts.append(f'<text class="name" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{height - 12}" '
                 f'text-anchor="middle">{html.escape(x_name)}</text>')
    parts.append(f'<text class="name" transform="translate(14 {(TOP + height - BOTTOM) / 2}) '
                 f'rotate(-90)" text-anchor="middle">{html.escape(y_name)}</text>')
    return "".join(parts) + body + "</svg>"


def legend(names: list) -> str:
    """Which colour is whose."""
    items = "".join(f'<span><i style="background:{COLOURS[index % len(COLOURS)]}"></i>'
                    f'{html.escape(name)}</span>' for index, name in enumerate(names))
    return f'<p class="legend">{items}</p>'


def figure(title: str, drawing: str, names: list) -> str:
    """A plot with its title and legend."""
    return (f"<figure><figcaption>{html.escape(title)}</figcaption>{drawing}"
            f"{legend(names) if len(names) > 1 else ''}</figure>")


def marked(axis: Axis, marks: dict) -> str:
    """Upright lines at values along x, each with its name, one below the other."""
    parts = []
    for number, (name, value) in enumerate(sorted(marks.items(), key=lambda mark: mark[1])):
        x = axis.place(value)
        # Left of its line, unless there is no room.
        side, anchor = (-4, "end") if x > LEFT + MARK_ROOM else (4, "start")
        parts.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" '
                     f'y2="{HEIGHT - BOTTOM}"/><text class="tick" x="{x + side:.1f}" '
                     f'y="{TOP + 14 + 15 * number}" text-anchor="{anchor}">{html.escape(name)}'
                     '</text>')
    return "".join(parts)


def drawn(axes: tuple, line: list, colour: str, dash: str, kind: str) -> str:
    """A line with its points; of kind loose the points alone, of kind bare the line alone."""
    places = [(axes[0].place(x), axes[1].place(y)) for x, y in line]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    text = "" if kind == "loose" else (f'<polyline points="{path}" fill="none" stroke="{colour}" '
                                       f'stroke-width="2"{dash}/>')
    return text + "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
                          for x, y in places if kind != "bare")


def lines(title: str, x_name: str, y_name: str, series: dict, **more) -> str:
    """A line for each name in series: {name: [(x, y), ...]}.

    More: log_x, log_y; zero_x; places, names along x; marks, names of values along x; which lines
    are dashed, which loose (points alone), which bare (no points).
    """
    points = [point for line in series.values() for point in line]
    if not points:
        return ""
    x_axis = Axis([x for x, _ in points], LEFT, WIDTH - RIGHT, more.get("log_x", False),
                  more.get("zero_x", False))
    y_axis = Axis([y for _, y in points], HEIGHT - BOTTOM, TOP, more.get("log_y", False))
    body = [marked(x_axis, more.get("marks", {}))]
    for index, line in enumerate(series.values()):
        kind = next((kind for kind in ("loose", "bare") if index in more.get(kind, ())), "")
        dash = ' stroke-dasharray="5 4"' if index in more.get("dashed", ()) else ""
        body.append(drawn((x_axis, y_axis), line, COLOURS[index % len(COLOURS)], dash, kind))
    return figure(title, frame(title, (x_name, y_name, more.get("places", ())),
                                (x_axis, y_axis), "".join(body), HEIGHT),
                  list(series))


def is_limit(name: str) -> bool:
    """Whether a bar is what we are compared with."""
    return "testpmd" in name or "5tswap" in name


def bars(title: str, unit: str, rows: list) -> str:
    """Medians with their quartiles: rows of (name, q1, median, q3)."""
    if not rows:
        return ""
    height = TOP + BOTTOM + 30 * len(rows)
    left = 240
    axis = Axis([0] + [row[3] for row in rows], left, WIDTH - 70)
    body = []
    for index, (name, q1, median, q3) in enumerate(rows):
        y = TOP + 30 * index + 5
        colour = COLOURS[-1 if is_limit(name) else 0]
        body.append(
            f'<text class="tick" x="{left - 8}" y="{y + 14}" text-anchor="end">'
            f'{html.escape(name)}</text><rect x="{left}" y="{y}" '
            f'width="{axis.place(median) - left:.1f}" height="20" fill="{colour}"/>'
            f'<line x1="{axis.place(q1):.1f}" x2="{axis.place(q3):.1f}" y1="{y + 10}" '
            f'y2="{y + 10}" class="whisker"/>'
            f'<text class="tick" x="{max(axis.place(q3), axis.place(median)) + 6:.1f}" '
            f'y="{y + 14}">{short(median)}</text>')
    return figure(title, frame(title, (unit, "", ()), (axis, None), "".join(body), height), [])
