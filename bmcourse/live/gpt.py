"""An explorer for the lesson on the GPT: a text that repeats itself, the heads that notice it, and what comes next."""

import functools

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.colors import LinearSegmentedColormap

from bmcourse import plots
from bmcourse.explain.attention import gpt_attention
from bmcourse.explain.induction import without_heads
from bmcourse.live.curve import GREY
from bmcourse.live.data import line, visible
from bmcourse.live.explorer import Stage, explore
from bmcourse.live.letters import drawable, font_names

SHOWN = 6  # of the next tokens, the likeliest
UNKNOWN = "·"  # what stands for token 0, every character that the tokenizer has not learned
TAKEN = LinearSegmentedColormap.from_list("taken", ["white", plots.BLUE])


def copying(model, tokenizer, texts):
    """Choose or type a text, read some of it, switch heads off: where each head looks, and which token comes next.

    `texts` are those to choose from. `tokenizer` must be a CharacterTokenizer, so that each token is one letter.
    Raises ValueError for a text the model cannot read.
    """
    for text in texts:
        check_text(model, tokenizer, text)
    heads = [(layer, head) for layer in range(model.config.layers) for head in range(model.config.heads)]
    picture = CopyingPicture(model, tokenizer, heads)
    most, longest = model.config.context, min(len(texts[0]), model.config.context)
    look = {"layout": {"width": "max-content", "margin": "2px 16px 2px 2px"}}
    switches = {
        f"head_{layer}_{head}": widgets.Checkbox(True, description=f"layer {layer}, head {head}", indent=False, **look)
        for layer, head in heads
    }
    explore(
        picture.draw,
        "A text that begins again; below it a row for each head, dark where the last token that was read looks; beside "
        "it the likeliest next tokens as bars, the one that comes next in red.",
        write=picture.write,
        text=widgets.Combobox(options=list(texts), value=texts[0], description="text", continuous_update=False),
        read=widgets.IntSlider(longest - 1, min=1, max=most, description="tokens it reads", layout={"width": "700px"}),
        **switches,
    )


class CopyingPicture:
    """Where every head looks from the last token, as rows of a map, and the next token's probabilities as bars."""

    def __init__(self, model, tokenizer, heads):
        self.model, self.tokenizer, self.heads = model, tokenizer, heads
        T = model.config.context
        fig, (self.map, self.bars) = plots.figure(9, 0.28 * len(heads) + 1.9, columns=2)
        self.map.set_position([0.14, 0.2, 0.59, 0.62])
        self.bars.set_position([0.79, 0.2, 0.185, 0.62])
        self.map.set(xlim=(-0.5, T - 0.5), ylim=(len(heads) - 0.5, -0.5), xlabel="place in the text")
        self.map.set_yticks(range(len(heads)), [f"layer {layer}, head {head}" for layer, head in heads])
        self.bars.set(xlim=(0, 1), ylim=(SHOWN - 0.5, -0.5), yticks=[], xlabel="probability")
        self.map.grid(visible=False)
        self.weights = self.map.imshow(np.zeros((len(heads), T)), cmap=TAKEN, vmin=0, vmax=1, aspect="auto")
        look = {"ha": "center", "va": "center", "size": 13, "family": list(font_names())}
        self.letters = [self.map.text(place, -1, "", **look) for place in range(T)]
        self.off = [self.map.text(T - 1, row, "off", ha="right", va="center") for row in range(len(heads))]
        self.rows = self.bars.barh(range(SHOWN), [0] * SHOWN)
        self.names = [self.bars.text(-0.06, row, "", **look) for row in range(SHOWN)]
        self.stage = Stage(fig)
        self.look = functools.lru_cache(maxsize=1)(self.look)  # draw asks, and write the same once more

    def look(self, text, read, **switches):
        """The tokens read, the token after them or None, the weights (heads, T), the probabilities (V,)."""
        tokens = torch.tensor(self.tokenizer.encode(text, errors="replace")[: self.model.config.context])
        tokens = tokens if len(tokens) else torch.tensor([0])
        read = min(read, len(tokens))
        model = without_heads(self.model, [place for place in self.heads if not switches["head_{}_{}".format(*place)]])
        weights = gpt_attention(model, tokens[:read])[:, :, -1].flatten(0, 1)
        with torch.no_grad():
            probabilities = model(tokens[None, :read])[0, -1].softmax(dim=0)
        return tokens, (tokens[read].item() if read < len(tokens) else None), weights, probabilities

    def draw(self, text, read, **switches):
        """PNG bytes for the first `read` tokens of the text, with the heads off whose switch is."""
        tokens, following, weights, probabilities = self.look(text, read, **switches)
        read = weights.shape[1]
        table = np.zeros(self.weights.get_array().shape)
        table[:, :read] = weights.numpy()
        self.weights.set_data(table)
        for place, letter in enumerate(self.letters):
            letter.set_text(as_typed(text[place : place + 1]))
            letter.set_color(plots.BLACK if place < read else GREY)
            letter.set_fontweight("bold" if place == read - 1 else "normal")
        for words, place in zip(self.off, self.heads, strict=True):
            words.set_text("" if switches["head_{}_{}".format(*place)] else "off")
        likeliest = probabilities.topk(SHOWN)
        for bar, words, p, token in zip(self.rows, self.names, *(part.tolist() for part in likeliest), strict=True):
            bar.set_width(p)
            bar.set_color(plots.RED if token == following else plots.SKY)
            words.set_text(self.name(token))
        return self.stage.frame([self.weights, *self.letters, *self.off, *self.rows, *self.names])

    def name(self, token):
        """The token as one letter."""
        return UNKNOWN if token == 0 else self.tokenizer.decode([token])

    def write(self, text, read, **switches):
        """What comes next in the text, how likely the model thinks it, and which characters are all one to it."""
        tokens, following, _, probabilities = self.look(text, read, **switches)
        if following is None:
            words = f"It has read the whole text. Next it would write {self.name(probabilities.argmax().item())}."
        else:
            words = f"Next comes {self.name(following)}; the model gives it {100 * probabilities[following]:.0f} %."
        unknown = [as_typed(character) for character, token in zip(text, tokens, strict=False) if token == 0]
        if unknown:
            words += f" It has not learned {' '.join(dict.fromkeys(unknown))}: it reads {UNKNOWN} there."
        return line(words)


def as_typed(character):
    """The character as it can be drawn; a box where no font of this machine has it."""
    name = drawable(visible(character.encode(errors="surrogatepass")), font_names())
    return name if len(name.replace("\\$", "$")) <= 1 else "□"


def check_text(model, tokenizer, text):
    if not 2 <= len(tokenizer.encode(text)) <= model.config.context:
        raise ValueError(
            f"live.copying reads texts of 2 to {model.config.context} tokens (config.context); {text!r} has "
            f"{len(tokenizer.encode(text))}. Shorten it."
        )
