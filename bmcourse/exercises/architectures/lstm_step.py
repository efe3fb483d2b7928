"""The exercise `lstm_step` of lesson 03."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="One step of an LSTM: x (B, C), h and c (B, H) in, the new h and c out. W_ih (4H, C), W_hh (4H, H) and "
    "b (4H,) hold four parts of H rows, in torch's order: input gate i, forget gate f, new content g, output gate o."
)
def lstm_step(x, h, c, W_ih, W_hh, b):
    i, f, g, o = (x @ W_ih.T + h @ W_hh.T + b).chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return h, c


@lstm_step.judge
def lstm_by_torch(x, h, c, W_ih, W_hh, b):
    return torch.lstm_cell(x, (h, c), W_ih, W_hh, b, torch.zeros_like(b))


@lstm_step.right
def lstm_by_parts(x, h, c, W_ih, W_hh, b):
    H = h.shape[1]
    parts = [slice(n * H, (n + 1) * H) for n in range(4)]
    sums = [F.linear(x, W_ih[part], b[part]) + F.linear(h, W_hh[part]) for part in parts]
    i, f, o = (torch.sigmoid(sums[n]) for n in (0, 1, 3))
    new = f * c + i * torch.tanh(sums[2])
    return o * torch.tanh(new), new


@lstm_step.right
def lstm_on_one_input(x, h, c, W_ih, W_hh, b):
    gates = torch.cat([x, h], dim=1) @ torch.cat([W_ih, W_hh], dim=1).T + b
    i, f, g, o = gates.view(len(x), 4, -1).unbind(1)
    memory = torch.addcmul(torch.sigmoid(f) * c, torch.sigmoid(i), torch.tanh(g))
    return torch.sigmoid(o) * torch.tanh(memory), memory


@lstm_step.right
def lstm_row_by_row(x, h, c, W_ih, W_hh, b):
    rows = []
    for row, hidden, memory in zip(x, h, c, strict=True):
        i, f, g, o = torch.split(W_ih @ row + W_hh @ hidden + b, len(hidden))
        memory = memory / (1 + torch.exp(-f)) + g.tanh() / (1 + torch.exp(-i))
        rows.append((memory.tanh() / (1 + torch.exp(-o)), memory))
    return tuple(map(torch.stack, zip(*rows, strict=True)))


def lstm(
    order="ifgo",
    sums=lambda x, h, W_ih, W_hh, b: x @ W_ih.T + h @ W_hh.T + b,
    gate=torch.sigmoid,
    new=torch.tanh,
    memory=lambda i, f, g, c: f * c + i * g,
    output=lambda o, c, old: o * torch.tanh(c),
    back=lambda h, c: (h, c),
    dim=1,
):
    """A wrong LSTM step: one with a changed part."""

    def answer(x, h, c, W_ih, W_hh, b):
        first, second, third, fourth = sums(x, h, W_ih, W_hh, b).chunk(4, dim=dim)
        part = dict(zip(order, (first, second, third, fourth), strict=True))
        after = memory(gate(part["i"]), gate(part["f"]), new(part["g"]), c)
        return back(output(gate(part["o"]), after, c), after)

    return answer


def lstm_case(B, C, H):
    shapes = (B, C), (B, H), (B, H), (4 * H, C), (4 * H, H), (4 * H,)
    return tuple(torch.randn(shape) for shape in shapes)


@lstm_step.cases
def cases():
    return [lstm_case(1, 1, 1), lstm_case(2, 3, 4), lstm_case(3, 5, 2)]


lstm_step.mistake(
    "The last two parts are exchanged: torch's order is i, f, g, o. The new content comes before the output gate.",
    TODO_15=lstm(order="ifog"),
)


lstm_step.mistake(
    "Input and forget gate are exchanged. The order is i, f, g, o; f multiplies the old c, and i the new content.",
    TODO_16=lstm(order="figo"),
)


lstm_step.mistake("The new content g is no gate: tanh, from -1 to 1, and not sigmoid.", TODO_17=lstm(new=torch.sigmoid))


lstm_step.mistake("g needs a tanh before it goes into the memory: i * tanh(g).", TODO_18=lstm(new=lambda g: g))


lstm_step.mistake(
    "chunk(4) cuts the first dimension, which is the batch. The four parts lie side by side: chunk(4, dim=1).",
    TODO_19=lstm(dim=0),
)


lstm_step.mistake(
    "You compute h from the old c. Update the memory first; the output gate reads the new one.",
    TODO_20=lstm(output=lambda o, c, old: o * torch.tanh(old)),
)


lstm_step.mistake("h is o * tanh(c): the tanh around c is missing.", TODO_21=lstm(output=lambda o, c, old: o * c))


lstm_step.mistake("The old memory is lost. The new c is f * c + i * g.", TODO_22=lstm(memory=lambda i, f, g, c: i * g))


lstm_step.mistake(
    "Nothing is forgotten: the forget gate is missing. The new c is f * c + i * g.",
    TODO_23=lstm(memory=lambda i, f, g, c: c + i * g),
)


lstm_step.mistake(
    "You multiply old and new. The memory adds them, f * c + i * g, so that gradients come through.",
    TODO_24=lstm(memory=lambda i, f, g, c: f * c * i * g),
)


lstm_step.mistake(
    "h is not used, so the step does not know what came before. Add h @ W_hh.T.",
    TODO_25=lstm(sums=lambda x, h, W_ih, W_hh, b: x @ W_ih.T + b),
)


lstm_step.mistake(
    "The weights are (4H, C), as nn.Linear keeps them: multiply by the transposed, x @ W_ih.T.",
    TODO_26=lstm(sums=lambda x, h, W_ih, W_hh, b: x @ W_ih + h @ W_hh + b),
)


lstm_step.mistake("h and c are exchanged: return h, c.", TODO_27=lstm(back=lambda h, c: (c, h)))


lstm_step.mistake("Return both: the next step needs the memory c too. return h, c", TODO_28=lstm(back=lambda h, c: h))


lstm_step.hints(
    "One sum for all four parts: x @ W_ih.T + h @ W_hh.T + b has the shape (B, 4H); .chunk(4, dim=1) cuts it.",
    "i, f and o go through a sigmoid, g through tanh. Then the memory: forget some of the old, add some new.",
    "c = f * c + i * g, and h = o * tanh(c).",
)
