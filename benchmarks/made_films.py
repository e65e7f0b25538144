"""Generate films without compression or camera noise in the source: two animations and a screen recording.

    python benchmarks/made_films.py FOLDER
    vs-interp evaluate rife-4.25 FOLDER/animation.mp4 --against rife-4.6,super-slomo-small,blend --markdown

``animation.mp4`` (24 fps) is line art with flat colours before a painted background; ``animation-twos.mp4`` holds
every drawing for two or three frames, with grain.  ``screen.mp4`` (30 fps) has scrolling text, a window that is
dragged, a pointer and typing.  640×360, H.264 at CRF 18.  The folders ``animation`` and ``screen`` contain every
twelfth picture as PNG, for tests of upscaling.  ``kite-23.mp4``, ``kite-30.mp4`` and ``kite-18.mp4`` are a ball and
a kite on twos and threes, 29 drawings in all, at these CRFs and with more grain, for tests of ``drop_repeats``.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import cycle
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIZE = 640, 360
FRAMES = 72
LARGE = 2
"""Pictures are drawn at this multiple of their size and downscaled, for smooth lines."""

STILLS = 12
"""One picture in this many is also saved as PNG."""

HOLDS = 2, 2, 3, 2, 3, 3
"""For how many frames each drawing is held, in a cycle."""

GRAIN = 2.5
"""The standard deviation of the grain, in 8-bit codes."""

KITES = {23: 4, 30: 4, 18: 8}
"""The quality (CRF) of each film of the kite, and its grain."""

SKIN, SHIRT, TROUSERS, INK = (250, 205, 165), (205, 60, 60), (60, 75, 140), (30, 25, 30)

WORDS = """\
def window(clip, first, last):  # frames around a position
    return [clip[n] for n in range(first, last + 1)]

A network sees the frames of a window and makes those between.
for number, frame in enumerate(frames):
    if is_cut(frame, frames[number + 1]):
        continue
    made.append(network(frame, frames[number + 1]))

Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do
eiusmod tempor incididunt ut labore et dolore magna.""".splitlines()


def main() -> None:
    """Write all films and stills."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for name, draw, rate in (("animation", animation, 24), ("screen", screen, 30)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        pictures = [draw(number / FRAMES).resize(SIZE, Image.Resampling.BOX) for number in range(FRAMES)]
        for number in range(0, FRAMES, STILLS):
            pictures[number].save(folder / name / f"{number:03}.png")
        write(folder / f"{name}.mp4", pictures, rate)
        if name == "animation":
            write(folder / "animation-twos.mp4", held(pictures, GRAIN), rate)
    pictures = [kite(number / FRAMES).resize(SIZE, Image.Resampling.BOX) for number in range(FRAMES)]
    for quality, grain in KITES.items():
        write(folder / f"kite-{quality}.mp4", held(pictures, grain), 24, quality)


def write(path: Path, pictures: Iterable[Image.Image], rate: int, quality: int = 18) -> None:
    """Encode a film in H.264."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate, options={"crf": str(quality), "preset": "slow"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.time_base = Fraction(1, rate)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.asarray(picture), "rgb24").reformat(
                format="yuv420p", dst_colorspace="ITU709"
            )
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def held(pictures: Sequence[Image.Image], deviation: float) -> Iterator[Image.Image]:
    """Yield as many pictures with each drawing held for two or three frames, and new grain on every frame."""
    random = np.random.default_rng(1)
    shown, until, holds = 0, 0, cycle(HOLDS)
    for number in range(len(pictures)):
        if number == until:
            shown, until = number, number + next(holds)
        grain = random.normal(0, deviation, (SIZE[1], SIZE[0], 1))
        yield Image.fromarray((np.asarray(pictures[shown]) + grain).clip(0, 255).astype(np.uint8))


def canvas(colour: tuple[int, int, int]) -> tuple[Image.Image, ImageDraw.ImageDraw, Callable[[float], int]]:
    """Return an empty enlarged picture, its pen, and a function that converts lengths in the film to its pixels."""
    picture = Image.new("RGB", (SIZE[0] * LARGE, SIZE[1] * LARGE), colour)
    return picture, ImageDraw.Draw(picture), lambda length: round(length * LARGE)


def animation(time: float) -> Image.Image:
    """Return a figure that runs and juggles in front of passing hills, at ``time`` in [0, 1)."""
    picture, pen, at = canvas((150, 200, 235))
    for far, (speed, high, colour) in enumerate(((60, 150, (120, 165, 150)), (130, 215, (95, 140, 90)))):
        ridge = [
            (x, at(high + 30 * math.sin((x / LARGE + speed * time) / (70 - 20 * far)))) for x in range(0, at(641), 4)
        ]
        pen.polygon([*ridge, (at(640), at(360)), (0, at(360))], fill=colour)
    pen.rectangle((0, at(300), at(640), at(360)), fill=(170, 140, 100))
    for post in range(-1, 6):
        left = post * 130 - (260 * time) % 130
        pen.rectangle((at(left), at(250), at(left + 10), at(320)), fill=(110, 80, 60), outline=INK, width=at(1.5))
    step = 2 * math.pi * 4 * time
    x, y = 250 + 90 * math.sin(2 * math.pi * time), 190 - 8 * abs(math.sin(step))
    for side in (0, math.pi):  # legs and arms, thick lines with thinner ones on them
        knee = x + 22 * math.sin(step + side), y + 65
        foot = knee[0] + 25 * math.sin(step + side - 0.8), y + 115
        limb(pen, at, [(x, y + 30), knee, foot], TROUSERS)
        hand = x + 45 * math.cos(step / 2 + side), y - 30 + 25 * math.sin(step / 2 + side)
        limb(pen, at, [(x, y - 25), (x + 25 * math.cos(side), y), hand], SKIN)
    pen.rounded_rectangle(
        (at(x - 24), at(y - 40), at(x + 24), at(y + 38)), at(12), fill=SHIRT, outline=INK, width=at(2.5)
    )
    pen.ellipse((at(x - 28), at(y - 100), at(x + 28), at(y - 42)), fill=SKIN, outline=INK, width=at(2.5))
    for eye in (-10, 12):
        pen.ellipse((at(x + eye - 3), at(y - 80), at(x + eye + 3), at(y - 70)), fill=INK)
    mouth = 3 + 6 * abs(math.sin(3 * step))
    pen.ellipse((at(x - 8), at(y - 60), at(x + 10), at(y - 60 + mouth)), fill=(120, 30, 40), outline=INK, width=at(1.5))
    for ball, colour in enumerate(((240, 200, 40), (60, 160, 90), (230, 120, 40))):
        turn = 2 * math.pi * (3 * time + ball / 3)
        left, top = x + 70 * math.cos(turn), y - 110 + 50 * math.sin(turn)
        pen.ellipse((at(left - 11), at(top - 11), at(left + 11), at(top + 11)), fill=colour, outline=INK, width=at(2))
    return picture


def limb(
    pen: ImageDraw.ImageDraw, at: Callable[[float], int], joints: Sequence[tuple[float, float]],
    colour: tuple[int, int, int],
) -> None:  # fmt: skip
    """Draw an arm or a leg with an outline."""
    points = [(at(x), at(y)) for x, y in joints]
    for width, ink in ((15, INK), (11, colour)):
        pen.line(points, fill=ink, width=at(width), joint="curve")
        for px, py in points:
            pen.ellipse((px - at(width / 2), py - at(width / 2), px + at(width / 2), py + at(width / 2)), fill=ink)


def kite(time: float) -> Image.Image:
    """Return a ball that bounces across a meadow, and a kite in the air above a tree, at ``time`` in [0, 1)."""
    picture, pen, at = canvas((150, 190, 230))
    pen.rectangle((0, at(270), at(640), at(360)), fill=(110, 150, 80))
    for furrow in range(0, 640, 80):
        pen.line((at(furrow), at(270), at(furrow - 30), at(360)), fill=(60, 90, 40), width=at(3))
    pen.rectangle((at(520), at(180), at(540), at(280)), fill=(90, 60, 40))
    pen.ellipse((at(480), at(110), at(580), at(210)), fill=(60, 120, 60), outline=INK, width=at(4))
    x, y = 50 + 540 * time, 240 - 130 * abs(math.sin(20 * time))
    pen.ellipse((at(x - 30), at(y - 30), at(x + 30), at(y + 30)), fill=(220, 60, 50), outline=INK, width=at(4))
    pen.line((at(x - 30), at(y), at(x + 30), at(y)), fill=INK, width=at(3))
    turn = 14.5 * time
    x, y = 320 + 100 * math.sin(turn), 70 + 25 * math.cos(1.3 * turn)
    corners = (x, y - 35), (x + 25, y), (x, y + 35), (x - 25, y)
    pen.polygon([(at(left), at(top)) for left, top in corners], fill=(240, 210, 60), outline=INK)
    pen.line((at(x), at(y + 35), at(x - 40 * math.sin(turn)), at(y + 100)), fill=INK, width=at(2.5))
    return picture


def screen(time: float) -> Image.Image:
    """Return a desktop: scrolling text, a window dragged over it, typing and a moving pointer, ``time`` in [0, 1)."""
    picture, pen, at = canvas((40, 90, 110))
    font = ImageFont.load_default(at(12))
    window(pen, at, (20, 15, 430, 340), "reading")
    page = Image.new("RGB", (at(400), at(297)), "white")
    scrolled = 900 * (3 * time**2 - 2 * time**3)
    for line in range(90):
        top = 6 + 18 * line - scrolled
        if -20 < top < 300:
            ImageDraw.Draw(page).text((at(8), at(top)), f"{line:3}  {WORDS[line % len(WORDS)]}", (25, 25, 35), font)
    picture.paste(page, (at(25), at(38)))
    left, top = 330 + 80 * math.sin(2 * math.pi * time), 60 + 90 * time
    window(pen, at, (left, top, left + 220, top + 130), "writing")
    typed = WORDS[3][: int(len(WORDS[3]) * time)]
    for line in range(0, len(typed), 32):
        pen.text((at(left + 8), at(top + 30 + line / 2)), typed[line : line + 32], (25, 25, 35), font)
    x, y = left + 60 + 140 * max(math.sin(4 * math.pi * time), 0), top + 10
    pointer = [(0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12)]
    pen.polygon([(at(x + dx), at(y + dy)) for dx, dy in pointer], fill="white", outline="black", width=LARGE)
    return picture


def window(
    pen: ImageDraw.ImageDraw, at: Callable[[float], int], box: tuple[float, float, float, float], title: str
) -> None:
    """Draw an empty window with a title bar."""
    left, top, right, bottom = map(at, box)
    pen.rectangle((left, top, right, bottom), fill="white", outline=(90, 90, 100), width=LARGE)
    pen.rectangle((left, top, right, top + at(22)), fill=(225, 228, 232))
    pen.text((left + at(8), top + at(4)), title, (40, 40, 50), ImageFont.load_default(at(12)))


if __name__ == "__main__":
    main()
