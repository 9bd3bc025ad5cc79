"""The loops of motion correction, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from nissl.run.compiled import compiled


@compiled
def shrink(frames: Any, factor: int, corner: Any, out: Any) -> None:
    """Means over `factor` x `factor` pixels from a corner on; the mean where one is not finite.

    `frames` (n, y, x) of any type; `out` (n, h, w) float32.
    """
    n, height, width = out.shape
    for t in range(n):
        total, known = 0.0, 0
        for y in range(height):
            line = out[t, y]
            line[:] = np.float32(0)
            for part in range(factor):
                stored = frames[t, corner[0] + y * factor + part]
                for x in range(width):
                    for step in range(factor):
                        line[x] += np.float32(stored[corner[1] + x * factor + step])
            for x in range(width):
                line[x] /= np.float32(factor * factor)
                if line[x] - line[x] == np.float32(0):
                    total += line[x]
                    known += 1
        mean = np.float32(total / known) if known else np.float32(0)
        for y in range(height):
            for x in range(width):
                if out[t, y, x] - out[t, y, x] != np.float32(0):
                    out[t, y, x] = mean


@compiled
def tapered(frame: Any, corner: Any, taper: Any, out: Any) -> None:
    """A window of a frame about its own mean, times a taper; zero beyond the frame."""
    height, width = frame.shape
    total, known = 0.0, 0
    low, high = max(-corner[1], 0), min(out.shape[1], width - corner[1])
    for y in range(out.shape[0]):
        row = corner[0] + y
        if 0 <= row < height:
            for x in range(low, high):
                total += frame[row, corner[1] + x]
            known += max(high - low, 0)
    mean = np.float32(total / known) if known else np.float32(0)
    for y in range(out.shape[0]):
        row = corner[0] + y
        out[y] = np.float32(0)
        if 0 <= row < height:
            for x in range(low, high):
                out[y, x] = (frame[row, corner[1] + x] - mean) * taper[y, x]


@compiled
def crossed(spectra: Any, targets: Any) -> None:
    """Phases of spectra, (n, ky, kx), times targets, (m, ky, kx), over and over."""
    tiny = np.float32(1e-20)
    for index in range(spectra.shape[0]):
        target = targets[index % targets.shape[0]]
        for y in range(spectra.shape[1]):
            line, other = spectra[index, y], target[y]
            for x in range(line.size):
                a, b = line[x].real, line[x].imag
                size = np.float32(1) / np.sqrt(a * a + b * b + tiny)
                c, d = other[x].real * size, other[x].imag * size
                line[x] = complex(a * c - b * d, a * d + b * c)


@compiled
def summits(surfaces: Any, reach: Any, out: Any) -> None:
    """Largest value of each surface within `reach` of lag 0, as whole lags; `out` (n, 2)."""
    height, width = surfaces.shape[1:]
    for index in range(surfaces.shape[0]):
        best = np.float32(-np.inf)
        for y in range(-reach[0], reach[0] + 1):
            for x in range(-reach[1], reach[1] + 1):
                value = surfaces[index, y % height, x % width]
                if value > best:
                    best = value
                    out[index, 0], out[index, 1] = y, x


@compiled
def climbed(spectrum: Any, ky: Any, kx: Any, twice: Any, at: Any, out: Any) -> None:
    """Maximum of a correlation near a lag, exactly: it is a sum of waves, and Newton climbs it.

    `out` gets the lag along y and x, the height, and minus the second derivatives yy and xx.
    `twice` counts the waves that a half spectrum leaves out.
    """
    rows, columns = spectrum.shape
    zero = np.empty(columns, np.complex64)
    one, two = zero.copy(), zero.copy()
    dy, dx = np.float64(at[0]), np.float64(at[1])
    for step in range(4):
        zero[:], one[:], two[:] = 0, 0, 0
        for y in range(rows):
            wave = np.complex64(np.exp(1j * ky[y] * dy))
            first, second = np.float32(ky[y]), np.float32(ky[y] * ky[y])
            line = spectrum[y]
            for x in range(columns):
                value = line[x] * wave
                zero[x] += value
                one[x] += first * value
                two[x] += second * value
        height = gy = gx = yy = xx = yx = 0.0
        for x in range(columns):
            wave128 = np.exp(1j * kx[x] * dx) * twice[x]
            a, b, c = zero[x] * wave128, one[x] * wave128, two[x] * wave128
            height += a.real
            gy -= b.imag
            gx -= kx[x] * a.imag
            yy -= c.real
            xx -= kx[x] * kx[x] * a.real
            yx -= kx[x] * b.real
        out[0], out[1], out[2], out[3], out[4] = dy, dx, height, -yy, -xx
        steep = yy * xx - yx * yx
        if step == 3 or not (yy < 0 and xx < 0 and steep > 0):
            break
        up = -(xx * gy - yx * gx) / steep
        right = -(yy * gx - yx * gy) / steep
        if abs(dy + up - at[0]) > 1.0 or abs(dx + right - at[1]) > 1.0:
            break
        dy, dx = dy + up, dx + right
        if abs(up) + abs(right) < 1e-3 and step > 0:
            out[0], out[1] = dy, dx
            break


@compiled
def padded(frame: Any, margin: int, first: int, row0: int, odd_px: float, out: Any) -> None:
    """Rows of a frame from `first` on as float32, edges repeated, with `margin` columns more.

    `row0` is the movie's row that `frame` begins with: odd ones are moved left by `odd_px`.
    """
    rows, width = frame.shape
    for y in range(out.shape[0]):
        row = min(max(y + first, 0), rows - 1)
        line, stored = out[y], frame[row]
        for x in range(width):
            line[margin + x] = np.float32(stored[x])
        for x in range(margin):
            line[x] = line[margin]
            line[margin + width + x] = line[margin + width - 1]
    if odd_px != 0.0:
        shifted = np.empty(out.shape[1], np.float32)
        whole = int(np.floor(odd_px))
        share = np.float32(odd_px - whole)
        for y in range(out.shape[0]):
            row = min(max(y + first, 0), rows - 1) + row0
            if row % 2 == 1:
                line = out[y]
                for x in range(line.size):
                    a = min(max(x + whole, 0), line.size - 1)
                    b = min(max(x + whole + 1, 0), line.size - 1)
                    shifted[x] = line[a] + share * (line[b] - line[a])
                line[:] = shifted


@compiled
def _run(start: float, slope: float, begin: int, end: int) -> int:
    """Where the whole part of ``start + slope * x`` changes after `begin`, or `end`."""
    whole = np.floor(start + slope * begin)
    last = end - 1
    if np.floor(start + slope * last) == whole:
        return end
    low, high = begin, last
    while high - low > 1:
        middle = (low + high) // 2
        if np.floor(start + slope * middle) == whole:
            low = middle
        else:
            high = middle
    return high


@compiled
def _cubic(p: Any, q: Any, r: Any, s: Any, off: Any, slope: Any, out: Any) -> None:
    """Catmull-Rom between four neighbours; the place between q and r is ``off + slope * i``."""
    half, one, two = np.float32(0.5), np.float32(1), np.float32(2)
    three, four, five = np.float32(3), np.float32(4), np.float32(5)
    for i in range(out.size):
        f = off + slope * np.float32(i)
        a = ((two - f) * f - one) * f * half
        b = ((three * f - five) * f * f + two) * half
        c = ((four - three * f) * f + one) * f * half
        d = (f - one) * f * f * half
        out[i] = (a * p[i] + b * q[i]) + (c * r[i] + d * s[i])


@compiled
def warped(source: Any, margin: int, nodes: Any, place: Any, out: Any) -> None:
    """A frame sampled where its content went: cubic (Catmull-Rom), along y and then along x.

    `source` is padded by `margin`; `nodes` (rows, columns, 2) are displacements, spread evenly
    over a frame of ``place[1]`` rows and all columns; `out` begins at row ``place[0]``.
    """
    height, width = out.shape
    n_rows, n_columns = nodes.shape[:2]
    moved = np.empty((n_columns, 2))
    line = np.empty(source.shape[1], np.float32)
    span = (width - 1) / max(n_columns - 1, 1)
    for y in range(height):
        at = (place[0] + y) * (n_rows - 1) / max(place[1] - 1, 1)
        low = min(int(at), max(n_rows - 2, 0))
        for column in range(n_columns):
            for axis in range(2):
                value = nodes[low, column, axis]
                if n_rows > 1:
                    value += (at - low) * (nodes[low + 1, column, axis] - value)
                moved[column, axis] = value
        least, most = moved[:, 1].min(), moved[:, 1].max()
        aside = (least + most) / 2  # the columns of a line stand for pixels moved that far
        first = max(int(np.floor(least)) - 1 + margin, 0)
        last = min(int(np.ceil(most)) + 3 + margin + width, line.size)
        for column in range(max(n_columns - 1, 1)):
            begin = first if column == 0 else int(np.ceil(span * column + margin + aside))
            end = last
            if column < n_columns - 2:
                end = int(np.ceil(span * (column + 1) + margin + aside))
            begin, end = max(begin, first), min(end, last)
            slope, zero = 0.0, moved[column, 0]
            if n_columns > 1:
                slope = (moved[column + 1, 0] - moved[column, 0]) / span
                zero -= slope * (span * column + margin + aside)
            # beyond the frame the slope goes on, by a few columns at most
            start = y + margin + zero
            while begin < end:
                stop = _run(start, slope, begin, end)
                row = int(np.floor(start + slope * begin))
                row = min(max(row, 1), source.shape[0] - 3)
                _cubic(
                    source[row - 1, begin:stop],
                    source[row, begin:stop],
                    source[row + 1, begin:stop],
                    source[row + 2, begin:stop],
                    np.float32(start + slope * begin - row),
                    np.float32(slope),
                    line[begin:stop],
                )
                begin = stop
        for column in range(max(n_columns - 1, 1)):
            begin = 0 if column == 0 else int(np.ceil(span * column))
            end = int(np.ceil(span * (column + 1))) if column < n_columns - 2 else width
            slope, zero = 0.0, moved[column, 1]
            if n_columns > 1:
                slope = (moved[column + 1, 1] - moved[column, 1]) / span
                zero -= slope * span * column
            start = margin + zero
            while begin < end:
                stop = _run(start, slope, begin, end)
                k = int(np.floor(start + slope * begin)) + begin
                n = stop - begin
                _cubic(
                    line[k - 1 : k - 1 + n],
                    line[k : k + n],
                    line[k + 1 : k + 1 + n],
                    line[k + 2 : k + 2 + n],
                    np.float32(start + slope * begin - (k - begin)),
                    np.float32(slope),
                    out[y, begin:stop],
                )
                begin = stop


@compiled
def sampled_sums(frame: Any, nodes: Any, starts: Any, pixels: Any, weights: Any, out: Any) -> None:
    """Weighted sums over pixels of a still field, looked up linearly where they went in a frame.

    Pixels beyond the frame are those of its edge.
    """
    height, width = frame.shape
    n_rows, n_columns = nodes.shape[:2]
    for k in range(out.size):
        total = 0.0
        for p in range(starts[k], starts[k + 1]):
            y, x = pixels[p] // width, pixels[p] % width
            at_y, at_x = 0.0, 0.0
            down = y * (n_rows - 1) / max(height - 1, 1)
            right = x * (n_columns - 1) / max(width - 1, 1)
            row, column = min(int(down), max(n_rows - 2, 0)), min(int(right), max(n_columns - 2, 0))
            for j in range(min(n_rows, 2)):
                for i in range(min(n_columns, 2)):
                    share_y = abs(1 - j - (down - row)) if n_rows > 1 else 1.0
                    share_x = abs(1 - i - (right - column)) if n_columns > 1 else 1.0
                    at_y += share_y * share_x * nodes[row + j, column + i, 0]
                    at_x += share_y * share_x * nodes[row + j, column + i, 1]
            at_y = min(max(at_y + y, 0.0), height - 1.0)
            at_x = min(max(at_x + x, 0.0), width - 1.0)
            iy, ix = min(int(at_y), height - 2), min(int(at_x), width - 2)
            fy, fx = at_y - iy, at_x - ix
            top = frame[iy, ix] * (1 - fx) + frame[iy, ix + 1] * fx
            low = frame[iy + 1, ix] * (1 - fx) + frame[iy + 1, ix + 1] * fx
            total += weights[p] * (top * (1 - fy) + low * fy)
        out[k] = np.float32(total)


__all__ = ["climbed", "crossed", "padded", "sampled_sums", "shrink", "summits", "tapered", "warped"]
