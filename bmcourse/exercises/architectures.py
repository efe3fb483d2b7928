"""Exercises of lesson 03: convolution, an LSTM step, attention with masks, heads and positions; counting parameters."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import Exercise, Mistake, Wrong

# ---------------------------------------------------------------- convolve


def convolve(image, kernel):
    h, w = kernel.shape
    rows, columns = image.shape[0] - h + 1, image.shape[1] - w + 1
    result = torch.zeros(rows, columns)
    for i in range(rows):
        for j in range(columns):
            result[i, j] = (image[i : i + h, j : j + w] * kernel).sum()
    return result


def _conv2d(image, kernel, **settings):
    return F.conv2d(image[None, None], kernel[None, None], **settings)[0, 0]


def _convolve_by_windows(image, kernel):
    windows = image.unfold(0, kernel.shape[0], 1).unfold(1, kernel.shape[1], 1)
    return (windows * kernel).sum(dim=(-2, -1))


def _convolve_by_shifts(image, kernel):
    h, w = kernel.shape
    rows, columns = len(image) - h + 1, len(image[0]) - w + 1
    return sum(kernel[a, b] * image[a : a + rows, b : b + columns] for a in range(h) for b in range(w))


def _convolve_by_a_product(image, kernel):
    columns = F.unfold(image[None, None], kernel.shape)[0]
    return (kernel.flatten() @ columns).view(image.shape[0] - kernel.shape[0] + 1, -1)


def _each_window(function, less=1):
    """A wrong convolution: `function(window, kernel)` at each place."""

    def answer(image, kernel):
        h, w = kernel.shape
        rows, columns = image.shape[0] - h + less, image.shape[1] - w + less
        windows = [[image[i : i + h, j : j + w] for j in range(columns)] for i in range(rows)]
        return torch.tensor([[function(window, kernel) for window in row] for row in windows])

    return answer


def _bordered(image, h, w):
    return F.pad(image, ((w - 1) // 2, w // 2, (h - 1) // 2, h // 2))


def _one_size_for_both(image, kernel):
    k = kernel.shape[0]
    rows, columns = image.shape[0] - k + 1, image.shape[1] - k + 1
    return torch.tensor([[(image[i : i + k, j : j + k] * kernel).sum() for j in range(columns)] for i in range(rows)])


CONVOLVE = Exercise(
    reference=convolve,
    prompt="Slide `kernel` (h, w) over `image` (H, W): at each place where it fits, the sum of the products. As "
    "F.conv2d does it, without flipping the kernel and without padding.",
    cases=lambda: [
        (torch.arange(9.0).view(3, 3), torch.tensor([[1.0, 0.0], [0.0, 2.0]])),
        (torch.randn(4, 4), torch.randn(2, 2)),
        (torch.randn(5, 7), torch.randn(3, 2)),
        (torch.randn(3, 2), torch.randn(3, 2)),
        (torch.randn(2, 3), torch.tensor([[2.0]])),
    ],
    judge=_conv2d,
    right=[_convolve_by_windows, _convolve_by_shifts, _convolve_by_a_product],
    wrong=[
        Wrong(
            lambda image, kernel: _conv2d(image, kernel.flip(0, 1)),
            "You flip the kernel: that is the convolution of mathematics. What deep learning calls convolution does "
            "not flip.",
        ),
        Wrong(
            _each_window(lambda window, kernel: (window * kernel).sum(), less=0),
            "Your result is one row and one column too small. A kernel of 2 fits into 3 at two places: H - h + 1.",
        ),
        Wrong(
            lambda image, kernel: _conv2d(_bordered(image, *kernel.shape), kernel),
            "Your result is as large as the image: you added a border of zeros. Here the kernel stays inside.",
        ),
        Wrong(
            _each_window(lambda window, kernel: (window @ kernel).sum()),
            "You take matrix products, @. Multiply number by number, *, and add all up.",
        ),
        Wrong(
            _each_window(lambda window, kernel: window[-1, -1] * kernel[-1, -1]),
            "Only the last product is left: each overwrites the one before. Write += and not =.",
        ),
        Wrong(
            lambda image, kernel: _conv2d(image, kernel, stride=kernel.shape),
            "You step by the size of the kernel, as pooling does. Step by 1: the windows overlap.",
        ),
        Wrong(
            _one_size_for_both,
            "You take the height of the kernel for its width too. It need not be square: h, w = kernel.shape.",
        ),
    ],
    hints=[
        "At how many places does a kernel of height 2 fit into an image of height 3? And h into H?",
        "Two loops over the places. The window at (i, j) is image[i : i + h, j : j + w].",
        "result[i, j] = (window * kernel).sum(), in a result of the shape (H - h + 1, W - w + 1).",
    ],
)

# ---------------------------------------------------------------- receptive_field


def receptive_field(layers):
    field, jump = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump *= stride
    return field


def _reach_of_gradient(layers):
    """From the first to the last input that one output depends on, seen in a gradient."""
    x = torch.ones(1, 1, 400, requires_grad=True)
    y = x
    for kernel, stride in layers:
        y = F.conv1d(y, torch.ones(1, 1, kernel), stride=stride)
    y[0, 0, 0].backward()
    return int(x.grad[0, 0].nonzero().max()) + 1


def _field_from_behind(layers):
    field = 1
    for kernel, stride in reversed(layers):
        field = (field - 1) * stride + kernel
    return field


def _field_by_products(layers):
    strides = [stride for _, stride in layers]
    return 1 + sum((kernel - 1) * math.prod(strides[:i]) for i, (kernel, _) in enumerate(layers))


def _field_by_recursion(layers):
    if not layers:
        return 1
    kernel, stride = layers[0]
    return (_field_by_recursion(layers[1:]) - 1) * stride + kernel


def _field(grow, step=lambda jump, stride: jump * stride, start=1, stride_first=False):
    """A wrong receptive field: each layer adds `grow(kernel, jump)`, and `step` makes the next jump."""

    def answer(layers):
        field, jump = start, 1
        for kernel, stride in layers:
            jump = step(jump, stride) if stride_first else jump
            field += grow(kernel, jump)
            jump = jump if stride_first else step(jump, stride)
        return field

    return answer


RECEPTIVE_FIELD = Exercise(
    reference=receptive_field,
    prompt="How many neighbouring inputs one output sees, along one dimension, through a stack of convolutions. "
    "`layers` are pairs (kernel size, stride), the first layer first; a kernel of 2 with stride 2 may be a pooling.",
    cases=lambda: [
        ([(3, 1)],),
        ([(3, 1), (3, 1)],),
        ([(3, 2), (3, 1)],),
        ([(3, 1), (2, 2), (3, 1), (2, 2), (3, 1)],),
        ([(7, 2), (3, 2), (5, 3), (3, 1), (1, 1)],),
    ],
    judge=_reach_of_gradient,
    right=[_field_from_behind, _field_by_products, _field_by_recursion],
    wrong=[
        Wrong(
            lambda layers: sum(kernel for kernel, _ in layers),
            "You add the kernel sizes. A second kernel of 3 sees neighbours that overlap: it adds 2 and not 3.",
        ),
        Wrong(
            _field(lambda kernel, jump: kernel - 1),
            "You ignore the strides. Behind a layer with stride 2, one step to the side is two steps in the input.",
        ),
        Wrong(
            lambda layers: math.prod(kernel for kernel, _ in layers),
            "You multiply the kernel sizes. Each layer adds (kernel - 1) steps, and only strides multiply.",
        ),
        Wrong(
            _field(lambda kernel, jump: (kernel - 1) * jump, stride_first=True),
            "You count a layer's own stride for its own kernel. Its stride widens the layers behind it: multiply "
            "after you have added.",
        ),
        Wrong(
            _field(lambda kernel, jump: (kernel - 1) * jump, step=lambda jump, stride: stride),
            "You count only the stride of the layer before. All strides before it multiply: jump *= stride.",
        ),
        Wrong(
            _field(lambda kernel, jump: (kernel - 1) * jump, start=0),
            "You begin with 0. Without any layer an output is one input: begin with 1.",
        ),
        Wrong(
            _field(lambda kernel, jump: kernel * jump),
            "Each layer adds kernel - 1 neighbours and not kernel: one of them was already there.",
        ),
        Wrong(
            lambda layers: receptive_field(layers[::-1]),
            "You go through the layers from the last to the first. A stride widens what comes behind it: with this "
            "formula, begin with the first.",
        ),
    ],
    hints=[
        "Draw two layers of kernel 3 as a triangle: one output, three below it, how many inputs below those?",
        "Keep two numbers: how wide the field is, and how many inputs one step to the side means (the jump).",
        "Each layer: field += (kernel - 1) * jump, and then jump *= stride.",
    ],
)

# ---------------------------------------------------------------- lstm_step


def lstm_step(x, h, c, W_ih, W_hh, b):
    i, f, g, o = (x @ W_ih.T + h @ W_hh.T + b).chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return h, c


def _lstm_by_torch(x, h, c, W_ih, W_hh, b):
    return torch.lstm_cell(x, (h, c), W_ih, W_hh, b, torch.zeros_like(b))


def _lstm_by_parts(x, h, c, W_ih, W_hh, b):
    H = h.shape[1]
    parts = [slice(n * H, (n + 1) * H) for n in range(4)]
    sums = [F.linear(x, W_ih[part], b[part]) + F.linear(h, W_hh[part]) for part in parts]
    i, f, o = (torch.sigmoid(sums[n]) for n in (0, 1, 3))
    new = f * c + i * torch.tanh(sums[2])
    return o * torch.tanh(new), new


def _lstm_on_one_input(x, h, c, W_ih, W_hh, b):
    gates = torch.cat([x, h], dim=1) @ torch.cat([W_ih, W_hh], dim=1).T + b
    i, f, g, o = gates.view(len(x), 4, -1).unbind(1)
    memory = torch.addcmul(torch.sigmoid(f) * c, torch.sigmoid(i), torch.tanh(g))
    return torch.sigmoid(o) * torch.tanh(memory), memory


def _lstm_row_by_row(x, h, c, W_ih, W_hh, b):
    rows = []
    for row, hidden, memory in zip(x, h, c, strict=True):
        i, f, g, o = torch.split(W_ih @ row + W_hh @ hidden + b, len(hidden))
        memory = memory / (1 + torch.exp(-f)) + g.tanh() / (1 + torch.exp(-i))
        rows.append((memory.tanh() / (1 + torch.exp(-o)), memory))
    return tuple(map(torch.stack, zip(*rows, strict=True)))


def _lstm(
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


def _lstm_case(B, C, H):
    shapes = (B, C), (B, H), (B, H), (4 * H, C), (4 * H, H), (4 * H,)
    return tuple(torch.randn(shape) for shape in shapes)


LSTM_STEP = Exercise(
    reference=lstm_step,
    prompt="One step of an LSTM: x (B, C), h and c (B, H) in, the new h and c out. W_ih (4H, C), W_hh (4H, H) and "
    "b (4H,) hold four parts of H rows, in torch's order: input gate i, forget gate f, new content g, output gate o.",
    cases=lambda: [_lstm_case(1, 1, 1), _lstm_case(2, 3, 4), _lstm_case(3, 5, 2)],
    judge=_lstm_by_torch,
    right=[_lstm_by_parts, _lstm_on_one_input, _lstm_row_by_row],
    wrong=[
        Wrong(
            _lstm(order="ifog"),
            "The last two parts are exchanged: torch's order is i, f, g, o. The new content comes before the output "
            "gate.",
        ),
        Wrong(
            _lstm(order="figo"),
            "Input and forget gate are exchanged. The order is i, f, g, o; f multiplies the old c, and i the new "
            "content.",
        ),
        Wrong(_lstm(new=torch.sigmoid), "The new content g is no gate: tanh, from -1 to 1, and not sigmoid."),
        Wrong(_lstm(new=lambda g: g), "g needs a tanh before it goes into the memory: i * tanh(g)."),
        Wrong(
            _lstm(dim=0),
            "chunk(4) cuts the first dimension, which is the batch. The four parts lie side by side: chunk(4, dim=1).",
        ),
        Wrong(
            _lstm(output=lambda o, c, old: o * torch.tanh(old)),
            "You compute h from the old c. Update the memory first; the output gate reads the new one.",
        ),
        Wrong(_lstm(output=lambda o, c, old: o * c), "h is o * tanh(c): the tanh around c is missing."),
        Wrong(
            _lstm(memory=lambda i, f, g, c: i * g),
            "The old memory is lost. The new c is f * c + i * g.",
        ),
        Wrong(
            _lstm(memory=lambda i, f, g, c: c + i * g),
            "Nothing is forgotten: the forget gate is missing. The new c is f * c + i * g.",
        ),
        Wrong(
            _lstm(memory=lambda i, f, g, c: f * c * i * g),
            "You multiply old and new. The memory adds them, f * c + i * g, so that gradients come through.",
        ),
        Wrong(
            _lstm(sums=lambda x, h, W_ih, W_hh, b: x @ W_ih.T + b),
            "h is not used, so the step does not know what came before. Add h @ W_hh.T.",
        ),
        Wrong(
            _lstm(sums=lambda x, h, W_ih, W_hh, b: x @ W_ih + h @ W_hh + b),
            "The weights are (4H, C), as nn.Linear keeps them: multiply by the transposed, x @ W_ih.T.",
        ),
        Wrong(_lstm(back=lambda h, c: (c, h)), "h and c are exchanged: return h, c."),
        Wrong(_lstm(back=lambda h, c: h), "Return both: the next step needs the memory c too. return h, c"),
    ],
    hints=[
        "One sum for all four parts: x @ W_ih.T + h @ W_hh.T + b has the shape (B, 4H); .chunk(4, dim=1) cuts it.",
        "i, f and o go through a sigmoid, g through tanh. Then the memory: forget some of the old, add some new.",
        "c = f * c + i * g, and h = o * tanh(c).",
    ],
)

# ---------------------------------------------------------------- attention


def attention(query, key, value):
    scores = query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])
    return scores.softmax(dim=-1) @ value


def _attention_by_einsum(query, key, value):
    scores = torch.einsum("btd,bsd->bts", query, key) * query.shape[2] ** -0.5
    return torch.einsum("bts,bsd->btd", torch.softmax(scores, dim=2), value)


def _attention_by_loop(query, key, value):
    rows = []
    for q, k, v in zip(query, key, value, strict=True):
        weights = [(k @ one / len(one) ** 0.5).exp() for one in q]
        rows.append(torch.stack([w @ v / w.sum() for w in weights]))
    return torch.stack(rows)


def _attention_scaled_before(query, key, value):
    scores = torch.bmm(query / query.size(-1) ** 0.5, key.mT)
    return torch.bmm(F.softmax(scores, -1), value)


def _attend(scores=lambda q, k: q @ k.mT, scale=lambda q: math.sqrt(q.shape[2]), weights=None, mix=torch.matmul):
    """A wrong attention: one with a changed part."""

    def answer(query, key, value):
        scaled = scores(query, key) / scale(query)
        return mix(weights(scaled) if weights else scaled.softmax(dim=-1), value)

    return answer


ATTENTION = Exercise(
    reference=attention,
    prompt="Scaled dot-product attention of query, key and value, each (B, T, D); the result is (B, T, D). Every "
    "position looks at all positions, and the scores are divided by the root of D.",
    cases=lambda: [
        (torch.eye(2)[None] * 2, torch.eye(2)[None], torch.tensor([[[1.0, 0.0], [0.0, 10.0]]])),
        tuple(torch.randn(2, 5, 3) for _ in range(3)),
        tuple(torch.randn(3, 4, 4) for _ in range(3)),
        tuple(torch.randn(1, 1, 6) for _ in range(3)),
    ],
    judge=F.scaled_dot_product_attention,
    right=[_attention_by_einsum, _attention_by_loop, _attention_scaled_before],
    wrong=[
        Wrong(
            _attend(scale=lambda q: 1),
            "The scores are not scaled. With a large D they get large, and softmax gives almost all to one position. "
            "Divide by the root of D.",
        ),
        Wrong(_attend(scale=lambda q: q.shape[2]), "You divide by D. Divide by its root: math.sqrt(D)."),
        Wrong(
            _attend(scale=lambda q: math.sqrt(q.shape[1])),
            "You divide by the root of T. A score is a sum of D products, so it is the root of D.",
        ),
        Wrong(
            lambda q, k, v: (q @ k.mT).softmax(dim=-1) / math.sqrt(q.shape[2]) @ v,
            "You scale after the softmax: the weights then no longer add up to 1. Scale the scores before it.",
        ),
        Wrong(
            _attend(weights=lambda s: s.softmax(dim=1)),
            "Your softmax runs over the queries. The weights of one query must add up to 1 over the keys: dim=-1.",
        ),
        Wrong(
            _attend(scores=lambda q, k: q @ k),
            "`key` is not transposed. Each query meets each key: query @ key.transpose(1, 2), (B, T, T).",
        ),
        Wrong(
            _attend(scores=lambda q, k: q @ k.permute(2, 1, 0)),
            "key.T turns all three dimensions around. Exchange the last two only: key.transpose(1, 2).",
        ),
        Wrong(
            _attend(scores=lambda q, k: q @ k.reshape(len(k), k.shape[2], k.shape[1])),
            "view and reshape do not transpose: they read the same numbers in other rows. key.transpose(1, 2) does.",
        ),
        Wrong(
            _attend(scores=lambda q, k: k @ q.mT),
            "Query and key are exchanged. Row t of the scores belongs to query t: query @ key.transpose(1, 2).",
        ),
        Wrong(_attend(weights=lambda s: s), "The softmax is missing: the weights of one query must add up to 1."),
        Wrong(
            _attend(mix=lambda weights, value: value @ weights),
            "`value` stands on the wrong side: weights (B, T, T) @ value (B, T, D).",
        ),
        Wrong(_attend(mix=lambda weights, value: weights), "You return the weights. Mix the values: weights @ value."),
        Wrong(
            lambda query, key, value: F.scaled_dot_product_attention(query, key, value, is_causal=True),
            "Your positions do not look at those behind them: that is causal attention. Here all look at all.",
        ),
    ],
    hints=[
        "Three steps: a score for every query with every key, softmax, and a mix of the values.",
        "scores = query @ key.transpose(1, 2), which is (B, T, T), divided by math.sqrt(D).",
        "scores.softmax(dim=-1) @ value",
    ],
)

# ---------------------------------------------------------------- causal_mask


def causal_mask(T):
    return torch.ones(T, T, dtype=torch.bool).tril()


def _mask_by_loop(T):
    return torch.tensor([[source <= t for source in range(T)] for t in range(T)])


def _mask_by_comparison(T):
    positions = torch.arange(T)
    return positions[:, None] >= positions


def _mask_by_inversion(T):
    return ~torch.triu(torch.ones(T, T), diagonal=1).bool()


def _mask_row_by_row(T):
    mask = torch.zeros(T, T, dtype=torch.bool)
    for t in range(T):
        mask[t, : t + 1] = True
    return mask


CAUSAL_MASK = Exercise(
    reference=causal_mask,
    prompt="A mask (T, T) of True and False: mask[t, s] is True where position t may look at position s, at itself and "
    "at all before it. (F.scaled_dot_product_attention reads masks so; nn.MultiheadAttention reads True as 'may not'.)",
    cases=lambda: [(3,), (1,), (6,)],
    judge=_mask_by_loop,
    right=[_mask_by_comparison, _mask_by_inversion, _mask_row_by_row],
    wrong=[
        Wrong(
            lambda T: causal_mask(T).T,
            "Your mask is transposed: position t sees itself and the future. Rows look, columns are looked at: tril.",
        ),
        Wrong(
            lambda T: ~causal_mask(T),
            "Your mask is inverted: True where position t may not look. nn.MultiheadAttention wants it so; here True "
            "means that it may.",
        ),
        Wrong(
            lambda T: causal_mask(T).tril(-1),
            "A position must also see itself: the diagonal is True. Otherwise position 0 sees nothing at all.",
        ),
        Wrong(
            lambda T: torch.ones(T, T).tril(1).bool(),
            "Every position sees one of the future, the very token it must predict. Use tril with diagonal=0.",
        ),
        Wrong(
            lambda T: causal_mask(T).float(),
            "Your mask holds floats. A float mask is added to the scores: 0 and 1 then hide nothing. Make it True and "
            "False: .bool().",
        ),
        Wrong(
            lambda T: torch.zeros(T, T).masked_fill(~causal_mask(T), -math.inf),
            "That is the additive mask, 0 and -inf, which is added to the scores. Here it is True and False.",
        ),
        Wrong(
            lambda T: causal_mask(T).triu(-1),
            "Position t sees only itself and the one before (a window). It may see all before it.",
        ),
        Wrong(lambda T: torch.eye(T).bool(), "Position t sees only itself. It may also see all before it."),
    ],
    hints=[
        "Write it down for T = 3. Which positions may position 0 see? Which may position 2?",
        "The lower triangle with the diagonal. torch.tril keeps it and sets the rest to zero, or False.",
        "torch.ones(T, T, dtype=torch.bool).tril()",
    ],
)

# ---------------------------------------------------------------- masked_softmax


def masked_softmax(scores, allowed):
    lowest = torch.finfo(scores.dtype).min
    weights = scores.masked_fill(~allowed, lowest).softmax(dim=-1)
    return weights.masked_fill(~allowed, 0.0)


def _value_and_gradient(answer, scores, allowed):
    """The weights, and the gradient that comes back to the scores from them."""
    leaf = scores.clone().requires_grad_()
    given = leaf * 1  # what came from a layer: a student may not change it, but gets no error for a leaf
    weights = answer(given, allowed)
    if not torch.equal(given, scores):
        raise Mistake("You changed `scores` itself: masked_fill_ and scores[...] = work in place. Write masked_fill.")
    if not isinstance(weights, torch.Tensor) or weights.shape != scores.shape or weights.isnan().any():
        return {"weights": weights, "gradient": None}
    if weights.requires_grad:
        (weights * torch.arange(1.0, scores.shape[-1] + 1)).sum().backward()
    return {"weights": weights, "gradient": leaf.grad}


def _softmax_of_the_allowed(scores, allowed):
    """Every row by itself: softmax over the places that are allowed, zeros elsewhere."""
    rows = []
    for row, may in zip(scores.reshape(-1, scores.shape[-1]), allowed.reshape(-1, scores.shape[-1]), strict=True):
        rows.append(torch.zeros(len(row)).index_put((may,), row[may].softmax(dim=0)))
    return torch.stack(rows).view(scores.shape)


def _masked_by_where(scores, allowed):
    nothing = ~allowed.any(dim=-1, keepdim=True)
    weights = torch.where(allowed | nothing, scores, -torch.inf).softmax(dim=-1)
    return torch.where(nothing, 0.0, weights)


def _masked_by_a_product(scores, allowed):
    return F.softmax(scores.masked_fill(allowed.logical_not(), -1e9), dim=-1) * allowed


def _masked_without_nan(scores, allowed):
    weights = scores.masked_fill(~allowed, -math.inf).softmax(dim=-1)
    return weights.nan_to_num(0.0)  # right: masked_fill lets no gradient through where it filled


def _filled(value, dim=-1, then=lambda weights, allowed: weights):
    """A wrong masked softmax: softmax with `value` in the forbidden places, and something done to the weights."""
    return lambda scores, allowed: then(scores.masked_fill(~allowed, value).softmax(dim=dim), allowed)


def _shared_out(weights, allowed, small=0.0):
    kept = weights * allowed
    return kept / (kept.sum(dim=-1, keepdim=True) + small)


def _set_in_place(scores, allowed):
    weights = scores.masked_fill(~allowed, -1e9).softmax(dim=-1)
    weights[~allowed] = 0.0
    return weights


def _masked_case(*shape):
    allowed = torch.rand(shape) < 0.6
    allowed[..., 0, :] = False
    return 3 * torch.randn(shape), allowed


MASKED_SOFTMAX = Exercise(
    reference=masked_softmax,
    prompt="Softmax along the last dimension over the places that are `allowed` (True and False, same shape). The "
    "others get weight 0, and so does a row in which nothing is allowed. No NaN, not in the gradient either.",
    cases=lambda: [
        (torch.tensor([1.0, 2.0, 3.0]), torch.tensor([True, True, False])),
        (torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[True, True], [False, False]])),
        (torch.tensor([[0.0, 1.0, 100.0], [-300.0, -301.0, 5.0]]), torch.tensor([[True, True, False]] * 2)),
        _masked_case(4, 6),
        _masked_case(2, 3, 5),
    ],
    run=_value_and_gradient,
    judge=lambda scores, allowed: _value_and_gradient(_softmax_of_the_allowed, scores, allowed),
    right=[_masked_by_where, _masked_by_a_product, _masked_without_nan],
    wrong=[
        Wrong(
            lambda scores, allowed: scores.softmax(dim=-1) * allowed,
            "You mask after the softmax, so the weights left no longer add up to 1. Mask the scores before it.",
        ),
        Wrong(
            lambda scores, allowed: _shared_out(scores.softmax(dim=-1), allowed),
            "You mask after the softmax and divide by what is left. That may be 0: a row with nothing allowed gives "
            "NaN. Mask the scores before the softmax.",
        ),
        Wrong(
            lambda scores, allowed: _shared_out(scores.softmax(dim=-1), allowed, small=1e-9),
            "You mask after the softmax and share out what is left. Where a forbidden score is far above the others, "
            "nothing is left of them. Mask the scores before the softmax.",
        ),
        Wrong(
            _filled(0.0),
            "You set forbidden scores to 0, but exp(0) is 1: they still get weight. Set them to a very low number.",
        ),
        Wrong(
            _filled(-1e9),
            "A row in which nothing is allowed gets equal weights for all: its scores are all equally low. Set the "
            "forbidden weights to 0 after the softmax.",
        ),
        Wrong(
            _filled(-100.0, then=torch.mul),
            "-100 is not low enough: the allowed scores may be lower still. Take the lowest number there is, "
            "torch.finfo(scores.dtype).min.",
        ),
        Wrong(
            _filled(-math.inf),
            "A row in which nothing is allowed is all -inf, and its softmax NaN: 0 / 0. Fill with a low finite number, "
            "and set the forbidden weights to 0 after the softmax.",
        ),
        Wrong(
            lambda scores, allowed: (scores + allowed.log()).softmax(dim=-1).nan_to_num(0.0),
            "The weights are right, but the gradient is NaN: nan_to_num hides a NaN on the way forward only. Let none "
            "arise: fill with a low finite number, and add no -inf.",
        ),
        Wrong(
            lambda scores, allowed: _filled(-math.inf)(scores, ~allowed),
            "You fill the allowed places with a low number: allowed is True where a position may look. Use ~allowed.",
        ),
        Wrong(
            _filled(-1e9, dim=0, then=torch.mul),
            "Your softmax runs along the first dimension. The weights of a row must add up to 1: dim=-1.",
        ),
        Wrong(
            lambda scores, allowed: _shared_out(scores.exp(), allowed, small=1e-30),
            "exp of a large score is inf, and inf / inf is NaN. softmax itself subtracts the largest score first: use "
            "it.",
        ),
        Wrong(
            _set_in_place,
            "weights[~allowed] = 0 overwrites numbers that softmax needs for its gradient, so backward() fails. Write "
            "weights.masked_fill(~allowed, 0.0).",
        ),
        Wrong(
            lambda scores, allowed: scores.masked_fill_(~allowed, -1e9).softmax(dim=-1) * allowed,
            "You changed `scores` itself: masked_fill_ and scores[...] = work in place. Write masked_fill.",
        ),
    ],
    hints=[
        "Before the softmax, give every forbidden score a value so low that its exp is 0.",
        "With -inf, a row in which nothing is allowed is NaN. torch.finfo(scores.dtype).min is low and finite.",
        "Such a row then has equal weights. Set all forbidden weights to 0 after the softmax, with masked_fill.",
    ],
)

# ---------------------------------------------------------------- split_heads


def split_heads(x, heads):
    B, T, C = x.shape
    return x.view(B, T, heads, C // heads).transpose(1, 2)


def _heads_by_loop(x, heads):
    B, T, C = x.shape
    D = C // heads
    result = torch.empty(B, heads, T, D)
    for h in range(heads):
        for d in range(D):
            result[:, h, :, d] = x[:, :, h * D + d]
    return result


def _heads_by_chunks(x, heads):
    return torch.stack(x.chunk(heads, dim=-1), dim=1)


def _heads_by_unflatten(x, heads):
    return x.unflatten(2, (heads, -1)).permute(0, 2, 1, 3)


def _heads_by_columns(x, heads):
    B, T, C = x.shape
    return x.mT.reshape(B, heads, C // heads, T).mT


def _cut(view, turn=lambda x: x):
    """A wrong way to split: `view(B, T, H, D)` gives the sizes to read x in, `turn` moves dimensions."""

    def answer(x, heads):
        B, T, C = x.shape
        return turn(x.reshape(view(B, T, heads, C // heads)))

    return answer


SPLIT_HEADS = Exercise(
    reference=split_heads,
    prompt="Cut the C channels of x (B, T, C) into `heads` equal parts, one after the other: (B, H, T, D) with "
    "D = C / H. Head 0 gets the first D channels of every position.",
    cases=lambda: [
        (torch.arange(8.0).view(1, 2, 4), 2),
        (torch.randn(2, 3, 8), 4),
        (torch.randn(3, 5, 6), 2),
        (torch.randn(2, 4, 3), 1),
    ],
    judge=_heads_by_loop,
    right=[_heads_by_chunks, _heads_by_unflatten, _heads_by_columns],
    wrong=[
        Wrong(
            _cut(lambda B, T, H, D: (B, H, T, D)),
            "view(B, H, T, D) gives the right shape and mixes positions: it deals the numbers out in the order they "
            "lie in memory. First view(B, T, H, D), then transpose(1, 2).",
        ),
        Wrong(
            _cut(lambda B, T, H, D: (B, T, H, D)),
            "The heads are cut, but yours is (B, T, H, D). Move the heads in front of time: transpose(1, 2).",
        ),
        Wrong(
            _cut(lambda B, T, H, D: (B, T, D, H), lambda x: x.permute(0, 3, 1, 2)),
            "Head 0 gets channels 0, H, 2H, ... The heads are blocks that lie side by side: view(B, T, H, D).",
        ),
        Wrong(
            _cut(lambda B, T, H, D: (B, T, H, D), lambda x: x.transpose(2, 3)),
            "You exchanged heads and channels, (B, T, D, H). Exchange time and heads: transpose(1, 2).",
        ),
        Wrong(
            _cut(lambda B, T, H, D: (B, T, H, D), lambda x: x.transpose(1, 3)),
            "You exchanged time and channels, (B, D, H, T). Exchange time and heads: transpose(1, 2).",
        ),
        Wrong(
            lambda x, heads: torch.stack(x.chunk(heads, dim=-1)),
            "Your heads come first, before the batch: stack(..., dim=1).",
        ),
        Wrong(
            lambda x, heads: x.mT.reshape(len(x), heads, -1, x.shape[1]),
            "Every head is transposed, (B, H, D, T). Exchange the last two dimensions once more.",
        ),
        Wrong(
            lambda x, heads: split_heads(x, heads).flatten(0, 1),
            "You put batch and heads into one dimension, (B * H, T, D). Here they stay apart.",
        ),
        Wrong(
            _cut(lambda B, T, H, D: (B, T, D, H), lambda x: x.transpose(1, 2)),
            "You took H for the size of a head. `heads` is how many there are: each has C // heads channels.",
        ),
    ],
    hints=[
        "Two steps: first cut the last dimension in two, then move one dimension.",
        "view(B, T, H, D) cuts the channels, and each position keeps its own.",
        "transpose(1, 2) then exchanges T and H.",
    ],
)

# ---------------------------------------------------------------- sinusoidal_positions


def sinusoidal_positions(T, C):
    angles = torch.arange(T)[:, None] / 10_000 ** (torch.arange(0, C, 2) / C)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def _positions_by_loop(T, C):
    def entry(t, c):
        angle = t / 10_000 ** ((c - c % 2) / C)
        return math.cos(angle) if c % 2 else math.sin(angle)

    return torch.tensor([[entry(t, c) for c in range(C)] for t in range(T)])


def _positions_into_a_table(T, C):
    table = torch.zeros(T, C)
    t = torch.arange(T).unsqueeze(1).float()
    frequencies = torch.exp(torch.arange(0, C, 2) * (-math.log(10_000) / C))
    table[:, 0::2] = torch.sin(t * frequencies)
    table[:, 1::2] = torch.cos(t * frequencies)
    return table


def _positions_by_a_phase(T, C):
    c = torch.arange(C)
    angles = torch.arange(T).outer(torch.pow(10_000, -2 * (c // 2) / C))
    return torch.sin(angles + math.pi / 2 * (c % 2))


def _positions_of_complex_numbers(T, C):
    angles = torch.outer(torch.arange(T).float(), 1e4 ** (-torch.arange(C // 2) / (C // 2)))
    turning = torch.view_as_real(torch.polar(torch.ones_like(angles), angles)).flip(-1)
    return turning.reshape(T, C)


def _waves(
    exponent=lambda C: torch.arange(0, C, 2) / C,
    base=10_000,
    first=0,
    waves=(torch.sin, torch.cos),
    join=lambda sines, cosines: torch.stack([sines, cosines], dim=-1).flatten(1),
):
    """A wrong table of positions: one with a changed part."""

    def answer(T, C):
        angles = torch.arange(first, first + T)[:, None] / base ** exponent(C)
        return join(*(wave(angles) for wave in waves))

    return answer


def _by_channel(T, C):
    angles = torch.arange(T)[:, None] / 10_000 ** (torch.arange(C) / C)
    return torch.where(torch.arange(C) % 2 == 0, angles.sin(), angles.cos())


SINUSOIDAL_POSITIONS = Exercise(
    reference=sinusoidal_positions,
    prompt="The table (T, C) of sinusoidal positions of the Transformer paper, C even, t from 0: "
    "channel 2i is sin(t / 10000^(2i / C)), channel 2i + 1 is the cos of the same angle.",
    cases=lambda: [(3, 2), (4, 6), (1, 4), (20, 16)],
    judge=_positions_by_loop,
    tolerance=1e-4,
    right=[_positions_into_a_table, _positions_by_a_phase, _positions_of_complex_numbers],
    wrong=[
        Wrong(
            _waves(join=lambda sines, cosines: torch.cat([sines, cosines], dim=1)),
            "All sines come first, then all cosines. Much code does it so, and it works as well; the paper, and this "
            "exercise, alternate: sin, cos, sin, cos.",
        ),
        Wrong(_waves(waves=(torch.cos, torch.sin)), "Sine and cosine are exchanged: channel 0 is a sine."),
        Wrong(
            _waves(exponent=lambda C: torch.arange(C // 2) / C),
            "Your exponent is i / C. It is 2i / C, so that the slowest wave comes near 10000.",
        ),
        Wrong(
            _waves(exponent=lambda C: 2 * torch.arange(0, C, 2) / C),
            "You double twice: arange(0, C, 2) is 2i already.",
        ),
        Wrong(
            _by_channel,
            "Each channel has its own frequency. A sine and the cosine behind it share one: 2i for both.",
        ),
        Wrong(
            _waves(exponent=lambda C: -torch.arange(0, C, 2) / C),
            "Your angles grow from channel to channel: you multiply by 10000^(2i / C). Divide by it.",
        ),
        Wrong(_waves(first=1), "Your positions begin with 1. The first is 0: its sines are 0 and its cosines 1."),
        Wrong(lambda T, C: sinusoidal_positions(T, C).T, "Your table is (C, T). Positions are the rows: (T, C)."),
        Wrong(
            _waves(exponent=lambda C: torch.ones(C // 2)),
            "All your waves have the same length. 10000 is raised to 2i / C: ** and not *.",
        ),
    ],
    hints=[
        "First the angles, a table (T, C / 2): positions as a column, divided by a row of wave lengths.",
        "The wave lengths are 10_000 ** (torch.arange(0, C, 2) / C).",
        "A table of zeros: table[:, 0::2] takes the sines, table[:, 1::2] the cosines.",
    ],
)

# ---------------------------------------------------------------- count_parameters


def count_parameters(d_model, dim_feedforward, nhead):
    attention = 4 * (d_model * d_model + d_model)
    feed_forward = 2 * d_model * dim_feedforward + dim_feedforward + d_model
    norms = 2 * (d_model + d_model)
    return attention + feed_forward + norms


def _counted_in_torch(d_model, dim_feedforward, nhead):
    layer = torch.nn.TransformerEncoderLayer(d_model, nhead, dim_feedforward, device="meta")
    return sum(parameter.numel() for parameter in layer.parameters())


def _linear(inputs, outputs):
    return (inputs + 1) * outputs


def _count_by_linears(C, F, nhead):
    return _linear(C, 3 * C) + _linear(C, C) + _linear(C, F) + _linear(F, C) + 4 * C


def _count_by_shapes(C, F, nhead):
    shapes = [(3 * C, C), (3 * C,), (C, C), (C,), (F, C), (F,), (C, F), (C,), *[(C,)] * 4]
    return sum(map(math.prod, shapes))


def _count_by_heads(C, F, nhead):
    D = C // nhead
    head = 3 * (C * D + D) + D * C
    return nhead * head + C + C * F + F + F * C + C + 2 * 2 * C


def _count(attention=lambda C, H: 4 * C * (C + 1), feed=lambda C, F: 2 * C * F + F + C, norms=lambda C: 4 * C):
    """A wrong count: one with a changed part."""
    return lambda C, F, nhead: attention(C, nhead) + feed(C, F) + norms(C)


COUNT_PARAMETERS = Exercise(
    reference=count_parameters,
    prompt="How many parameters nn.TransformerEncoderLayer(d_model, nhead, dim_feedforward) has, by a formula: "
    "multi-head attention, a feed-forward network of two layers, two LayerNorms. Biases count.",
    cases=lambda: [(4, 8, 1), (6, 10, 2), (512, 2048, 8), (10, 7, 5)],
    judge=_counted_in_torch,
    right=[_count_by_linears, _count_by_shapes, _count_by_heads],
    wrong=[
        Wrong(
            _count(lambda C, H: 4 * C * C, lambda C, F: 2 * C * F),
            "The biases are missing. Each linear layer has one for every output: in attention 4 * d_model, in the "
            "feed-forward network dim_feedforward + d_model.",
        ),
        Wrong(
            _count(feed=lambda C, F: 2 * C * F),
            "The biases of the feed-forward network are missing: dim_feedforward and d_model.",
        ),
        Wrong(
            _count(norms=lambda C: 0),
            "4 * d_model are missing. The two LayerNorms have that many, a weight and a bias for every channel; and so "
            "have the four biases of attention.",
        ),
        Wrong(
            _count(norms=lambda C: 2 * C),
            "You count half of the LayerNorms. There are two, and each has d_model weights and d_model biases.",
        ),
        Wrong(
            _count(lambda C, H: 4 * C * C, lambda C, F: 2 * C * F, lambda C: 0),
            "You count the big matrices only. Good enough for an estimate; here the biases and the LayerNorms count "
            "too.",
        ),
        Wrong(
            _count(lambda C, H: 4 * H * C * (C + 1)),
            "You multiply by the number of heads. The heads share the d_model channels among them: their number "
            "changes nothing.",
        ),
        Wrong(
            _count(lambda C, H: 3 * C * (C + 1)),
            "The output projection of attention is missing: behind query, key and value comes a fourth matrix.",
        ),
        Wrong(
            _count(feed=lambda C, F: C * F + F),
            "The feed-forward network has two layers: out to dim_feedforward, and back to d_model.",
        ),
        Wrong(
            _count(feed=lambda C, F: 2 * (C * F + F)),
            "The second layer of the feed-forward network has d_model outputs, and so as many biases.",
        ),
    ],
    hints=[
        "A linear layer from n to m has n * m weights and m biases.",
        "Attention has four of them, d_model to d_model: query, key, value, output. `nhead` changes nothing.",
        "The feed-forward network has two: d_model to dim_feedforward and back. A LayerNorm has 2 * d_model.",
    ],
)
