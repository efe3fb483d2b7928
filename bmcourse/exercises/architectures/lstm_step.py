"""One step of an LSTM, with the gates in torch's order."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise

ROWS = {"one in its first dimension": "there are four parts, so at least 4 rows"}


@exercise(
    prompt="One step of an LSTM: x (B, C), h and c (B, H) in, the new h and c out. W_ih (4H, C), W_hh (4H, H) and "
    "b (4H,) hold four parts of H rows, in torch's order: input gate i, forget gate f, new content g, output gate o.",
    built=("lstm_cell", "LSTMCell", "LSTM", "lstm"),
    untried={"W_ih": ROWS, "W_hh": ROWS, "b": ROWS},
)
def lstm_step(x, h, c, W_ih, W_hh, b):
    i, f, g, o = (x @ W_ih.T + h @ W_hh.T + b).chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return h, c


@lstm_step.cases
def cases():
    def drawn(B, C, H):
        shapes = (B, C), (B, H), (B, H), (4 * H, C), (4 * H, H), (4 * H,)
        return tuple(torch.randn(shape) for shape in shapes)

    x, h, c, W_ih, W_hh, b = drawn(2, 2, 1)
    return [
        drawn(1, 1, 1),
        drawn(2, 3, 4),
        drawn(3, 5, 2),
        uncommon(*(argument.round() for argument in drawn(4, 2, 3))),
        (x, h, c, W_ih, W_hh, torch.tensor([1000.0, -1000.0, 0.0, 1000.0])),
        (x, h, c, W_ih, W_hh, torch.tensor([0.0, 0.0, 1000.0, 0.0])),
    ]


@lstm_step.judge
def by_torch(x, h, c, W_ih, W_hh, b):
    return torch.lstm_cell(x, (h, c), W_ih, W_hh, b, torch.zeros_like(b))


@lstm_step.right
def by_parts(x, h, c, W_ih, W_hh, b):
    H = h.shape[1]
    parts = [slice(n * H, (n + 1) * H) for n in range(4)]
    sums = [F.linear(x, W_ih[part], b[part]) + F.linear(h, W_hh[part]) for part in parts]
    i, f, o = (torch.sigmoid(sums[n]) for n in (0, 1, 3))
    new = f * c + i * torch.tanh(sums[2])
    return o * torch.tanh(new), new


@lstm_step.right
def on_one_input(x, h, c, W_ih, W_hh, b):
    gates = torch.cat([x, h], dim=1) @ torch.cat([W_ih, W_hh], dim=1).T + b
    i, f, g, o = gates.view(len(x), 4, -1).unbind(1)
    memory = torch.addcmul(torch.sigmoid(f) * c, torch.sigmoid(i), torch.tanh(g))
    return torch.sigmoid(o) * torch.tanh(memory), memory


@lstm_step.right
def row_by_row(x, h, c, W_ih, W_hh, b):
    rows = []
    for row, hidden, memory in zip(x, h, c, strict=True):
        i, f, g, o = torch.split(W_ih @ row + W_hh @ hidden + b, len(hidden))
        memory = memory / (1 + torch.exp(-f)) + g.tanh() / (1 + torch.exp(-i))
        rows.append((memory.tanh() / (1 + torch.exp(-o)), memory))
    return tuple(map(torch.stack, zip(*rows, strict=True)))


@lstm_step.right
def all_by_tanh(x, h, c, W_ih, W_hh, b):
    sums = torch.addmm(b, x, W_ih.mT) + torch.einsum("bh,gh->bg", h, W_hh)
    i, f, g, o = sums.tensor_split(4, dim=-1)
    c = (f / 2).tanh().add(1) * c / 2 + (i / 2).tanh().add(1) * g.tanh() / 2
    return [(o / 2).tanh().add(1) * c.tanh() / 2, c]


def with_parts(
    order="ifgo",
    sums=lambda x, h, c, W_ih, W_hh, b: x @ W_ih.T + h @ W_hh.T + b,
    cut=lambda sums: sums.chunk(4, dim=1),
    gate=torch.sigmoid,
    new=torch.tanh,
    memory=lambda i, f, g, c: f * c + i * g,
    output=lambda o, c, old: o * torch.tanh(c),
    back=lambda h, c: (h, c),
):
    """A wrong LSTM step: one with a changed part."""

    def answer(x, h, c, W_ih, W_hh, b):
        first, second, third, fourth = cut(sums(x, h, c, W_ih, W_hh, b))
        part = dict(zip(order, (first, second, third, fourth), strict=True))
        after = memory(gate(part["i"]), gate(part["f"]), new(part["g"]), c)
        return back(output(gate(part["o"]), after, c), after)

    return answer


lstm_step.mistake(
    "The last two parts are exchanged: torch's order is i, f, g, o. The new content comes before the output gate.",
    order_ifog=with_parts(order="ifog"),
)
lstm_step.mistake(
    "Input and forget gate are exchanged. The order is i, f, g, o; f multiplies the old c, and i the new content.",
    order_figo=with_parts(order="figo"),
)
lstm_step.mistake(
    "Your order is f, i, o, g, as in many drawings. Torch's is i, f, g, o.", order_fiog=with_parts(order="fiog")
)
lstm_step.mistake("Your order is i, g, f, o. Torch's is i, f, g, o.", order_igfo=with_parts(order="igfo"))
lstm_step.mistake("Your order is i, o, f, g, as in ONNX. Torch's is i, f, g, o.", order_iofg=with_parts(order="iofg"))
lstm_step.mistake(
    "Your order is o, f, g, i: input and output gate are exchanged. Torch's is i, f, g, o.",
    order_ofgi=with_parts(order="ofgi"),
)
lstm_step.mistake("Your order is g, i, f, o. Torch's is i, f, g, o.", order_gifo=with_parts(order="gifo"))
lstm_step.mistake(
    "Your order is backwards: o, g, f, i. Torch's is i, f, g, o.", order_backwards=with_parts(order="ogfi")
)
lstm_step.mistake(
    "The new content g is no gate: tanh, from -1 to 1, and not sigmoid.", sigmoid_of_g=with_parts(new=torch.sigmoid)
)
lstm_step.mistake(
    "g needs a tanh before it goes into the memory: i * tanh(g).", no_tanh_of_g=with_parts(new=lambda g: g)
)
lstm_step.mistake("The new content goes through tanh, and not relu.", relu_of_g=with_parts(new=torch.relu))
lstm_step.mistake(
    "The gates are not squeezed: i, f and o each go through a sigmoid, so that they are between 0 and 1.",
    no_sigmoid=with_parts(gate=lambda part: part),
)
lstm_step.mistake(
    "A gate is between 0 and 1: sigmoid for i, f and o, and not tanh.", tanh_of_gates=with_parts(gate=torch.tanh)
)
lstm_step.mistake(
    "Your gates are a softmax: they compete. Each goes through a sigmoid by itself.",
    softmax_of_gates=with_parts(gate=lambda part: part.softmax(dim=1)),
)
lstm_step.mistake("The input gate i needs a sigmoid.", no_sigmoid_of_i=lstm_step.changed("i.sigmoid()", "i"))
lstm_step.mistake("The forget gate f needs a sigmoid.", no_sigmoid_of_f=lstm_step.changed("f.sigmoid()", "f"))
lstm_step.mistake("The output gate o needs a sigmoid.", no_sigmoid_of_o=lstm_step.changed("o.sigmoid()", "o"))
lstm_step.mistake(
    "The input gate i goes through a sigmoid, and not tanh.", tanh_of_i=lstm_step.changed("i.sigmoid()", "i.tanh()")
)
lstm_step.mistake(
    "The forget gate f goes through a sigmoid, and not tanh.", tanh_of_f=lstm_step.changed("f.sigmoid()", "f.tanh()")
)
lstm_step.mistake(
    "The output gate o goes through a sigmoid, and not tanh.", tanh_of_o=lstm_step.changed("o.sigmoid()", "o.tanh()")
)
lstm_step.mistake(
    "Your sigmoid is NaN for large numbers: exp(x) is inf, and inf / inf is NaN. Use torch.sigmoid.",
    sigmoid_overflows=with_parts(gate=lambda part: part.exp() / (1 + part.exp())),
)
lstm_step.mistake(
    "Your tanh is NaN for large numbers: exp(x) is inf, and inf / inf is NaN. Use torch.tanh.",
    tanh_overflows=with_parts(new=lambda g: (g.exp() - (-g).exp()) / (g.exp() + (-g).exp())),
)
lstm_step.mistake(
    "Your sigmoid has the wrong sign in exp: 1 / (1 + exp(-x)). Use torch.sigmoid.",
    sigmoid_turned=with_parts(gate=lambda part: torch.sigmoid(-part)),
)
lstm_step.mistake(
    "chunk(4) cuts the first dimension, which is the batch. The four parts lie side by side: chunk(4, dim=1).",
    chunk_of_the_batch=with_parts(cut=lambda sums: sums.chunk(4, dim=0)),
)
lstm_step.mistake(
    "split(4) makes parts of size 4. Four parts are chunk(4, dim=1), or split(H, dim=1).",
    parts_of_four=with_parts(cut=lambda sums: sums.split(4, dim=1)),
)
lstm_step.mistake(
    "You take every fourth row for a part. The parts are blocks of H rows, one after the other: chunk(4, dim=1).",
    every_fourth=with_parts(cut=lambda sums: sums.unflatten(1, (-1, 4)).unbind(-1)),
)
lstm_step.mistake("The bias b is missing: x @ W_ih.T + h @ W_hh.T + b.", no_bias=lstm_step.changed(" + b)", ")"))
lstm_step.mistake(
    "The bias is added twice. torch has two of them, b_ih and b_hh; here b is all there is.",
    bias_twice=lstm_step.changed(" + b)", " + b + b)"),
)
lstm_step.mistake(
    "You add 1 to the forget gate. Some begin the training with such a bias; here b holds all there is to add.",
    forget_bias=lstm_step.changed("f.sigmoid()", "(f + 1).sigmoid()"),
)
lstm_step.mistake(
    "Your input gate is 1 - f: that ties the two, much as a GRU does. An LSTM has an input gate i of its own.",
    tied_gates=with_parts(memory=lambda i, f, g, c: f * c + (1 - f) * g),
)
lstm_step.mistake(
    "Your forget gate is 1 - i: that ties the two. An LSTM has a forget gate f of its own.",
    tied_to_i=with_parts(memory=lambda i, f, g, c: (1 - i) * c + i * g),
)
lstm_step.mistake(
    "1 - f keeps what the gate says to forget. f is how much stays: f * c + i * g.",
    forget_turned=with_parts(memory=lambda i, f, g, c: (1 - f) * c + i * g),
)


@lstm_step.mistake("Your gates look at the memory c (peepholes). Here they see x and h only.")
def peepholes(x, h, c, W_ih, W_hh, b):
    i, f, g, o = (x @ W_ih.T + h @ W_hh.T + b).chunk(4, dim=1)
    c = torch.sigmoid(f + c) * c + torch.sigmoid(i + c) * g.tanh()
    return torch.sigmoid(o + c) * c.tanh(), c


lstm_step.mistake(
    "You compute h from the old c. Update the memory first; the output gate reads the new one.",
    h_of_the_old_c=with_parts(output=lambda o, c, old: o * torch.tanh(old)),
)
lstm_step.mistake(
    "h is o * tanh(c): the tanh around c is missing.", no_tanh_of_c=with_parts(output=lambda o, c, old: o * c)
)
lstm_step.mistake(
    "h is o * tanh(c): around c stands tanh, and not sigmoid.",
    sigmoid_of_c=with_parts(output=lambda o, c, old: o * torch.sigmoid(c)),
)
lstm_step.mistake(
    "h is o * tanh(c): the tanh stands around c alone, not around the product.",
    tanh_of_the_product=with_parts(output=lambda o, c, old: torch.tanh(o * c)),
)
lstm_step.mistake(
    "The output gate is missing: h is o * tanh(c).", no_output_gate=with_parts(output=lambda o, c, old: torch.tanh(c))
)
lstm_step.mistake(
    "You add the output gate. It multiplies: h is o * tanh(c).",
    output_gate_added=with_parts(output=lambda o, c, old: o + torch.tanh(c)),
)
lstm_step.mistake(
    "Your memory goes through tanh and is kept so. Keep c as it is, f * c + i * g; tanh stands only in h.",
    tanh_kept=lstm_step.changed(
        "c = f.sigmoid() * c + i.sigmoid() * g.tanh()\n",
        "c = (f.sigmoid() * c + i.sigmoid() * g.tanh()).tanh()\n",
        "c.tanh()\n    return",
        "c\n    return",
    ),
)
lstm_step.mistake(
    "The old memory is lost. The new c is f * c + i * g.", memory_lost=with_parts(memory=lambda i, f, g, c: i * g)
)
lstm_step.mistake(
    "Nothing new comes in. The new c is f * c + i * g.", nothing_new=with_parts(memory=lambda i, f, g, c: f * c)
)
lstm_step.mistake(
    "Nothing is forgotten: the forget gate is missing. The new c is f * c + i * g.",
    no_forget_gate=with_parts(memory=lambda i, f, g, c: c + i * g),
)
lstm_step.mistake(
    "The input gate is missing. The new c is f * c + i * g.",
    no_input_gate=with_parts(memory=lambda i, f, g, c: f * c + g),
)
lstm_step.mistake(
    "You multiply old and new. The memory adds them, f * c + i * g, so that gradients come through.",
    old_times_new=with_parts(memory=lambda i, f, g, c: f * c * i * g),
)
lstm_step.mistake(
    "The forget gate stands before old and new. It multiplies the old alone: f * c + i * g.",
    all_forgotten=with_parts(memory=lambda i, f, g, c: f * (c + i * g)),
)
lstm_step.mistake(
    "You subtract the new content. The memory adds it: f * c + i * g.",
    new_subtracted=with_parts(memory=lambda i, f, g, c: f * c - i * g),
)
lstm_step.mistake(
    "The memory is made of h. It is made of the old c: f * c + i * g.",
    h_for_c=lstm_step.changed("f.sigmoid() * c", "f.sigmoid() * h"),
)
lstm_step.mistake(
    "The sum is made of c in place of h: x @ W_ih.T + h @ W_hh.T + b.",
    c_for_h=lstm_step.changed("h @ W_hh", "c @ W_hh"),
)
lstm_step.mistake(
    "h is not used, so the step does not know what came before. Add h @ W_hh.T.",
    h_unused=lstm_step.changed(" + h @ W_hh.T", ""),
)
lstm_step.mistake(
    "x is not used, so the step sees nothing new. Add x @ W_ih.T.", x_unused=lstm_step.changed("x @ W_ih.T + ", "")
)
lstm_step.mistake(
    "The weights are (4H, C), as nn.Linear keeps them: multiply by the transposed, x @ W_ih.T.",
    weights_not_transposed=lstm_step.changed("W_ih.T", "W_ih"),
)
lstm_step.mistake(
    "W_hh is (4H, H), as nn.Linear keeps it: multiply by the transposed, h @ W_hh.T.",
    hidden_weights_not_transposed=lstm_step.changed("W_hh.T", "W_hh"),
)
lstm_step.mistake(
    "view and reshape do not transpose: they read the same numbers in other rows. W_ih.T and W_hh.T do.",
    weights_reshaped=lstm_step.changed(
        "W_ih.T", "W_ih.reshape(-1, len(W_ih))", "W_hh.T", "W_hh.reshape(-1, len(W_hh))"
    ),
)
lstm_step.mistake("h and c are exchanged: return h, c.", order_of_the_result=with_parts(back=lambda h, c: (c, h)))
lstm_step.mistake(
    "Return both: the next step needs the memory c too. return h, c", h_only=with_parts(back=lambda h, c: h)
)
lstm_step.mistake("Return both, h and c: you give back c alone.", c_only=with_parts(back=lambda h, c: c))
lstm_step.mistake(
    "nn.LSTM gives (output, (h, c)). Here the result is the pair: return h, c.",
    like_the_module=with_parts(back=lambda h, c: (h, (h, c))),
)
lstm_step.mistake(
    "You return h and c in one tensor. Return the two: return h, c.",
    stacked=with_parts(back=lambda h, c: torch.stack([h, c])),
)
lstm_step.mistake(
    "You return h and c side by side in one tensor. Return the two: return h, c.",
    side_by_side=with_parts(back=lambda h, c: torch.cat([h, c], dim=1)),
)
lstm_step.mistake(
    "You return the old memory. The next step needs the new one.",
    old_c_returned=lambda x, h, c, W_ih, W_hh, b: (lstm_step(x, h, c, W_ih, W_hh, b)[0], c),
)
lstm_step.mistake(
    "The numbers are right, but the old memory has lost its graph: through c the gradient comes to earlier steps.",
    memory_detached=lstm_step.changed("f.sigmoid() * c", "f.sigmoid() * c.detach()"),
)
lstm_step.mistake(
    "The numbers are right, but their graph is cut: nothing can learn. Leave out no_grad, .detach() and .data.",
    graph_cut=with_parts(back=lambda h, c: (h.detach(), c.detach())),
)
lstm_step.mistake(
    "`c *= ...` and `c += ...` change the caller's memory. Make a new one: c = f * c + i * g.",
    memory_changed=lstm_step.changed("c = f.sigmoid() * c +", "c *= f.sigmoid(); c +="),
)
lstm_step.mistake(
    "g has gone through a sigmoid and then tanh. Cut first: i, f and o get a sigmoid, g gets tanh alone.",
    sigmoid_and_tanh_of_g=with_parts(new=lambda g: torch.tanh(torch.sigmoid(g))),
)
lstm_step.mistake(
    "o goes through tanh and g through a sigmoid: it is the other way round. o is a gate, g the new content.",
    functions_exchanged=lstm_step.changed("g.tanh()", "g.sigmoid()", "o.sigmoid()", "o.tanh()"),
)
lstm_step.mistake(
    "Both tanh are missing: g goes through one before it enters the memory, and c through one on its way to h.",
    no_tanh_at_all=with_parts(new=lambda g: g, output=lambda o, c, old: o * c),
)
lstm_step.mistake(
    "You add the old h. The new one is o * tanh(c) alone.",
    old_h_added=lstm_step.changed("c.tanh()\n", "c.tanh() + h\n"),
)
lstm_step.mistake(
    "You take g for the output gate. h is o * tanh(c), and o the fourth part.",
    g_for_o=lstm_step.changed("h = o.sigmoid()", "h = g.sigmoid()"),
)
lstm_step.mistake(
    "You take i for the output gate. h is o * tanh(c), and o the fourth part.",
    i_for_o=lstm_step.changed("h = o.sigmoid()", "h = i.sigmoid()"),
)
lstm_step.mistake(
    "You take f for the output gate. h is o * tanh(c), and o the fourth part.",
    f_for_o=lstm_step.changed("h = o.sigmoid()", "h = f.sigmoid()"),
)
lstm_step.mistake(
    "x and h stand in another order than W_ih and W_hh: cat([x, h]) goes with cat([W_ih, W_hh], dim=1).",
    joined_in_another_order=with_parts(
        sums=lambda x, h, c, W_ih, W_hh, b: torch.cat([h, x], dim=1) @ torch.cat([W_ih, W_hh], dim=1).T + b
    ),
)
lstm_step.mistake(
    "view(4, B, H) cuts through the batch: each row of the sum holds all four parts. chunk(4, dim=1) cuts them.",
    viewed_with_parts_first=with_parts(cut=lambda sums: sums.reshape(4, len(sums), -1)),
)
lstm_step.mistake(
    "W_ih @ x has the sides exchanged: the rows of x are examples, so x stands on the left, x @ W_ih.T.",
    sides_exchanged=with_parts(sums=lambda x, h, c, W_ih, W_hh, b: W_ih @ x + W_hh @ h + b),
)
lstm_step.mistake(
    "W_ih @ x.T puts the examples into the columns, and chunk(4, dim=1) cuts through them. Write x @ W_ih.T.",
    examples_in_columns=with_parts(sums=lambda x, h, c, W_ih, W_hh, b: W_ih @ x.T + W_hh @ h.T + b),
)
lstm_step.mistake(
    "W_ih @ x.T puts the examples into the columns, and b, one number for each row, does not fit. Write "
    "x @ W_ih.T + b.",
    examples_in_columns_cut_by_rows=with_parts(
        sums=lambda x, h, c, W_ih, W_hh, b: W_ih @ x.T + W_hh @ h.T + b, cut=lambda sums: sums.chunk(4)
    ),
)
lstm_step.mistake(
    "You use W_ih for h too. h has weights of its own: h @ W_hh.T.", same_weights=lstm_step.changed("W_hh.T", "W_ih.T")
)
lstm_step.mistake(
    "You multiply what comes from x and from h. Add them: x @ W_ih.T + h @ W_hh.T + b.",
    sums_multiplied=lstm_step.changed("x @ W_ih.T + h @ W_hh.T", "(x @ W_ih.T) * (h @ W_hh.T)"),
)
lstm_step.mistake(
    "h is made of the gated new content. It is made of the whole memory: o * tanh(c).",
    h_of_the_new_content=lstm_step.changed("c.tanh()\n    return", "(i.sigmoid() * g.tanh()).tanh()\n    return"),
)
lstm_step.mistake(
    "You average old and new. The memory adds them: f * c + i * g.",
    halved=with_parts(memory=lambda i, f, g, c: (f * c + i * g) / 2),
)
lstm_step.mistake(
    "The memory is the new content alone: the gates i and f and the old c are missing. It is f * c + i * g.",
    no_gates=with_parts(memory=lambda i, f, g, c: g),
)
lstm_step.mistake(
    "The new c is lost: you compute h and then give it back for both. return h, c",
    h_twice=with_parts(back=lambda h, c: (h, h)),
)
lstm_step.mistake(
    "nn.LSTM gives the output beside h and c. Return two things: return h, c",
    three_returned=with_parts(back=lambda h, c: (h, c, h)),
)
lstm_step.mistake(
    "The sum is squeezed before it is cut: g then is tanh of tanh, and the gates are a sigmoid of tanh. Cut first.",
    tanh_before_the_cut=with_parts(sums=lambda x, h, c, W_ih, W_hh, b: (x @ W_ih.T + h @ W_hh.T + b).tanh()),
)


lstm_step.hints(
    "One sum for all four parts: x @ W_ih.T + h @ W_hh.T + b has the shape (B, 4H); .chunk(4, dim=1) cuts it.",
    "i, f and o go through a sigmoid, g through tanh. Then the memory: forget some of the old, add some new.",
    "c = f * c + i * g, and h = o * tanh(c).",
)
