"""An explorer for the lesson on text to image: choose a caption, turn up the guidance, see the images being written."""

import asyncio
import io

import ipywidgets as widgets
import numpy as np
import torch
from PIL import Image, ImageColor

from bmcourse import plots
from bmcourse.live import view
from bmcourse.live.data import line
from bmcourse.live.explorer import explore
from bmcourse.models.dalle import DIGITS, PATCH, SIDE, SLANTS, THICKNESSES, TOKENS, caption
from bmcourse.text_to_image import HELD_OUT, describe, draw_images, encode_captions, rate, stream_codes, terciles

ACROSS, ROWS = 8, 2  # images in a row, and rows that the model makes; below them a row of real ones
SCALE, GREY = 7 * plots.SHARP, "#9a9a9a"  # pixels drawn for a pixel
SPACED = "2px 28px 2px 2px"  # the margin of a control, whose label would else stand close behind another one
PAUSE = 0.3  # seconds from token to token: time to see, and to move a slider


def paint(model, judge, digits):
    """See 16 images that the model writes for a caption, which of them are right, and real digits to compare.

    A button lets it write them once more, token by token; the guidance acts at once. `judge` names digits, and
    thickness and slant are measured.
    """
    desk = Desk(model, judge, digits)
    look = {"layout": {"display": "flex", "margin": SPACED}, "style": {"button_width": "156px"}}
    explore(
        desk.draw,
        "Two rows of digits that the model wrote for one caption, framed in blue where digit, thickness and slant are "
        "right and in orange where not, and below them a row of real digits that the caption fits.",
        write=desk.write,
        acts={"write them token by token": desk.start},
        below=desk.slow,
        digit=widgets.Dropdown(
            options=[(word, n) for n, word in enumerate(DIGITS)],
            value=8,
            description="digit",
            layout={"width": "200px", "margin": SPACED},
        ),
        thickness=choice("thickness", THICKNESSES, 0, look),
        slant=choice("slant", SLANTS, 2, look),
        guidance=widgets.FloatSlider(1, min=0, max=8, step=0.5, description="guidance"),
        luck=widgets.IntSlider(0, min=0, max=20, description="luck (seed)"),
    )


def choice(description, words, value, look):
    options = [(word, number) for number, word in enumerate(words)]
    return widgets.ToggleButtons(options=options, value=value, description=description, **look)


class Desk:
    """The model, what it has written for the caption that is chosen, and what is right in it."""

    def __init__(self, model, judge, digits):
        self.model, self.judge = model, judge
        self.limits = terciles(digits.train_images, digits.train_labels)
        self.real = digits.train_images
        self.truths = describe(self.real, digits.train_labels, self.limits)
        self.timer, self.guidance = None, 1.0
        self.codes = torch.zeros(ACROSS * ROWS, 0, dtype=torch.long)
        self.slow = view.picture(self.half_written())
        self.slow.layout.display = "none"  # until there is something to see

    def draw(self, digit, thickness, slant, guidance, luck):
        """PNG bytes of what the model writes for this caption, and of real digits that it fits."""
        self.guidance = guidance  # which what is being written asks for, too
        wanted = torch.tensor([digit, thickness, slant]).expand(ACROSS * ROWS, 3)
        images = draw_images(self.model, encode_captions(wanted), torch.Generator().manual_seed(luck), guidance)
        self.right = rate(images, wanted, self.judge, self.limits)
        frames = [plots.BLUE if right else plots.ORANGE for right in self.right.all(dim=1)]
        real = self.real[(self.truths == wanted[:1]).all(dim=1)][:ACROSS]
        return png(mosaic([*images, *real], frames + [GREY] * len(real)))

    def write(self, digit, thickness, slant, guidance, luck):
        """How many are right in what, and whether the model was ever trained on this caption."""
        counts = zip(("digit", "thickness", "slant", "all three"), [*self.right.T, self.right.all(dim=1)], strict=True)
        words = ", ".join(f"{name} {int(right.sum())}" for name, right in counts)
        held = (digit, thickness, slant) in HELD_OUT
        known = "never in training" if held else "in training, too"
        said = f"“{caption(digit, thickness, slant)}” ({known}). Right of {ACROSS * ROWS}: {words}."
        return line(said) + line("Frames: blue, all three right; orange, something wrong; grey, real digits.")

    # ---- token by token

    def start(self, digit, thickness, slant, guidance, luck):
        """Begin to write the images for this caption, a token at a time, below."""
        self.stop()
        self.slow.layout.display = None
        captions = encode_captions(torch.tensor([digit, thickness, slant]).expand(ACROSS * ROWS, 3))
        self.codes, generator = self.codes[:, :0], torch.Generator().manual_seed(luck)
        self.stream = stream_codes(self.model, captions, generator, guidance=lambda: self.guidance)
        self.go_on()

    def go_on(self):
        """Write a token of every image, and come back for the next after a pause, in which the sliders are heard."""
        self.codes = torch.cat([self.codes, next(self.stream)[:, None]], dim=1)
        self.slow.value = self.half_written()
        if self.codes.shape[1] < TOKENS:
            self.timer = asyncio.get_running_loop().call_later(PAUSE, self.go_on)

    def stop(self):
        if self.timer:
            self.timer.cancel()

    def half_written(self):
        """PNG bytes of the codes there are; the squares that are not yet written are grey."""
        known = self.codes.shape[1]
        images = self.model.vqvae.decode(torch.nn.functional.pad(self.codes, (0, TOKENS - known)))
        written = (torch.arange(TOKENS) < known).view(SIDE // PATCH, -1)
        written = written.repeat_interleave(PATCH, 0).repeat_interleave(PATCH, 1)
        return png(mosaic(torch.where(written, images, torch.nan), [GREY] * len(images)))


# ---------------------------------------------------------------- pictures


def mosaic(images, frames):
    """Images (8, 8), ACROSS in a row, each in a frame of its colour, as RGB (height, width, 3); NaN becomes grey."""
    step = SIDE + 3
    height = -(-len(images) // ACROSS) * step
    page = np.full((height, ACROSS * step, 3), 255, dtype=np.uint8)
    for number, (image, frame) in enumerate(zip(images, frames, strict=True)):
        top, left = (step * place for place in divmod(number, ACROSS))
        page[top : top + SIDE + 2, left : left + SIDE + 2] = ImageColor.getrgb(frame)
        pixels = torch.as_tensor(image).nan_to_num(0.45).numpy()
        page[top + 1 : top + SIDE + 1, left + 1 : left + SIDE + 1] = (255 * pixels[..., None]).astype(np.uint8)
    return page


def png(page):
    """RGB (height, width, 3) as PNG bytes, every pixel SCALE pixels wide."""
    file = io.BytesIO()
    large = Image.fromarray(page).resize((SCALE * page.shape[1], SCALE * page.shape[0]), Image.Resampling.NEAREST)
    large.save(file, "PNG")
    return file.getvalue()
