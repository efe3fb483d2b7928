"""Exercises of lesson 14: a codebook, a gradient past a rounding, a slant, guidance, and a loss on codes alone."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import Exercise, Mistake, Wrong

# ---------------------------------------------------------------- closest_codes


def closest_codes(vectors, codebook):
    distances = ((vectors[:, None] - codebook[None]) ** 2).sum(dim=2)
    return distances.argmin(dim=1)


def _closest_by_loop(vectors, codebook):
    answer = []
    for vector in vectors.tolist():
        squares = [sum((a - b) ** 2 for a, b in zip(vector, code, strict=True)) for code in codebook.tolist()]
        answer.append(squares.index(min(squares)))
    return torch.tensor(answer)


def _closest_by_cdist(vectors, codebook):
    return torch.cdist(vectors, codebook).min(dim=1).indices


def _closest_by_products(vectors, codebook):
    return (vectors @ codebook.T - codebook.square().sum(dim=1) / 2).argmax(dim=1)


def _closest_by_norm(vectors, codebook):
    return torch.stack([torch.linalg.norm(codebook - vector, dim=1).argmin() for vector in vectors])


CLOSEST_CODES = Exercise(
    reference=closest_codes,
    prompt="For each of the vectors (N, C) the number of the nearest code of the codebook (K, C): a tensor (N,) of "
    "whole numbers. Nearest is the smallest Euclidean distance.",
    cases=lambda: [
        (torch.tensor([[0.0, 0.0], [9.0, 9.0]]), torch.tensor([[8.0, 8.0], [1.0, 0.0]])),
        (torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 0.0], [2.0, 2.0]])),  # 3 against 2.83; 3 against 4 in L1
        (torch.randn(7, 3), torch.randn(5, 3)),
        (torch.randn(20, 4), 3 * torch.randn(9, 4)),
    ],
    judge=_closest_by_loop,
    right=[_closest_by_cdist, _closest_by_products, _closest_by_norm],
    wrong=[
        Wrong(
            lambda vectors, codebook: torch.cdist(vectors, codebook).argmax(dim=1),
            "You take the code that is furthest away. The nearest has the smallest distance: argmin.",
        ),
        Wrong(
            lambda vectors, codebook: (vectors @ codebook.T).argmax(dim=1),
            "You take the code with the largest product. A long code then wins everywhere. Take the smallest distance: "
            "the squares of the differences, added.",
        ),
        Wrong(
            lambda vectors, codebook: F.cosine_similarity(vectors[:, None], codebook[None], dim=2).argmax(dim=1),
            "You compare directions (cosine) and not places. Two patches of the same shape, one dark, one bright, "
            "would be the same. Use the distance.",
        ),
        Wrong(
            lambda vectors, codebook: torch.cdist(vectors, codebook).argmin(dim=0),
            "You find the nearest vector of each code. Asked is the nearest code of each vector: reduce the other "
            "dimension, dim=1.",
        ),
        Wrong(
            lambda vectors, codebook: (vectors[:, None] - codebook[None]).abs().sum(dim=2).argmin(dim=1),
            "You add absolute differences. The Euclidean distance adds their squares.",
        ),
        Wrong(
            lambda vectors, codebook: (vectors[:, None] - codebook[None]).sum(dim=2).square().argmin(dim=1),
            "You add first and square then: a difference of +1 and one of -1 cancel. Square each difference first.",
        ),
        Wrong(
            lambda vectors, codebook: codebook[torch.cdist(vectors, codebook).argmin(dim=1)],
            "You return the codes themselves. Return their numbers: these are the tokens.",
        ),
        Wrong(
            lambda vectors, codebook: (vectors - codebook).square().sum(dim=1).argmin(),
            "You compare the first vector with the first code, the second with the second, and so on. Every vector has "
            "to meet every code: vectors[:, None] - codebook.",
        ),
        Wrong(
            lambda vectors, codebook: torch.cdist(vectors, codebook).min(dim=1).values,
            "You return how far the nearest code is. Return which one it is: argmin, not min.",
        ),
    ],
    hints=[
        "Compare every vector with every code: vectors[:, None] - codebook[None] is (N, K, C).",
        "Square it and add over the last dimension: (N, K), a distance for each pair.",
        "distances.argmin(dim=1).",
    ],
)

# ---------------------------------------------------------------- move_codes


def move_codes(vectors, codebook):
    nearest = torch.cdist(vectors, codebook).argmin(dim=1)
    moved = codebook.clone()
    for code in range(len(codebook)):
        if (nearest == code).any():
            moved[code] = vectors[nearest == code].mean(dim=0)
    return moved


def _move_by_lists(vectors, codebook):
    nearest, moved = _closest_by_loop(vectors, codebook).tolist(), codebook.tolist()
    for code in set(nearest):
        own = [vector for vector, number in zip(vectors.tolist(), nearest, strict=True) if number == code]
        moved[code] = [sum(column) / len(own) for column in zip(*own, strict=True)]
    return torch.tensor(moved)


def _move_by_one_hot(vectors, codebook):
    belongs = F.one_hot(closest_codes(vectors, codebook), len(codebook)).float()
    count = belongs.sum(dim=0)[:, None]
    return torch.where(count > 0, belongs.T @ vectors / count.clamp(min=1), codebook)


def _move_by_index_add(vectors, codebook):
    nearest = closest_codes(vectors, codebook)
    total = torch.zeros_like(codebook).index_add_(0, nearest, vectors)
    count = nearest.bincount(minlength=len(codebook))[:, None]
    return torch.where(count == 0, codebook, total / count)


def _move_by_unique(vectors, codebook):
    nearest = closest_codes(vectors, codebook)
    moved = codebook.clone()
    for code in nearest.unique().tolist():
        moved[code] = vectors[nearest == code].sum(dim=0) / (nearest == code).sum()
    return moved


def _moving(new):
    """A wrong round: code k moves to new(its vectors, code k)."""

    def answer(vectors, codebook):
        nearest = closest_codes(vectors, codebook)
        return torch.stack([new(vectors[nearest == k], code) for k, code in enumerate(codebook)])

    return answer


def _move_in_place(vectors, codebook):
    codebook[:] = move_codes(vectors, codebook)
    return codebook


def _move_one_after_the_other(vectors, codebook):
    moved = codebook.clone()
    for code in range(len(moved)):
        own = closest_codes(vectors, moved) == code
        if own.any():
            moved[code] = vectors[own].mean(dim=0)
    return moved


MOVE_CODES = Exercise(
    reference=move_codes,
    prompt="One round of k-means. First find the nearest code of each of the vectors (N, C); then move each code of "
    "the codebook (K, C) to the mean of the vectors that are nearest to it. A code to which no vector is nearest stays "
    "where it is. Return the new codebook; the old one stays as it was.",
    cases=lambda: [
        (torch.tensor([[0.0], [1.0], [8.0]]), torch.tensor([[2.0], [7.0]])),
        (torch.tensor([[0.0, 0.0], [2.0, 0.0], [2.5, 1.0]]), torch.tensor([[1.0, 1.0], [50.0, 50.0]])),
        (torch.tensor([[0.0], [1.0], [5.0], [20.0]]), torch.tensor([[4.0], [6.0]])),
        (torch.randn(30, 4), torch.randn(6, 4)),
    ],
    judge=_move_by_lists,
    right=[_move_by_one_hot, _move_by_index_add, _move_by_unique],
    wrong=[
        Wrong(
            _moving(lambda own, code: own.mean(dim=0)),
            "A code without vectors becomes NaN: the mean of nothing. Leave it where it is.",
        ),
        Wrong(
            _moving(lambda own, code: own.sum(dim=0) / max(1, len(own))),
            "A code without vectors moves to 0. Leave it where it is.",
        ),
        Wrong(
            _moving(lambda own, code: own.sum(dim=0) if len(own) else code),
            "You move a code to the sum of its vectors. It should lie in their middle: the mean.",
        ),
        Wrong(
            _moving(lambda own, code: own.mean().expand(len(code)) if len(own) else code),
            "You take one mean over everything. Each of the C numbers has its own mean: mean(dim=0).",
        ),
        Wrong(
            _moving(lambda own, code: own.median(dim=0).values if len(own) else code),
            "You take the median. k-means takes the mean, which makes the squared error smallest.",
        ),
        Wrong(
            _moving(lambda own, code: (own.mean(dim=0) + code) / 2 if len(own) else code),
            "You go half of the way. In k-means a code moves all the way to the mean.",
        ),
        Wrong(
            _move_in_place,
            "The codes are right, but you changed the codebook that came in. Begin with codebook.clone().",
        ),
        Wrong(
            _move_one_after_the_other,
            "You look for the nearest codes again after each code has moved. In one round all vectors choose first, "
            "and then all codes move.",
        ),
        Wrong(
            closest_codes,
            "You return the number of the nearest code of each vector. Go on: move the codes and return them.",
        ),
    ],
    hints=[
        "nearest = torch.cdist(vectors, codebook).argmin(dim=1) says where each vector belongs.",
        "vectors[nearest == code] are the vectors of one code; their mean(dim=0) is its new place.",
        "Begin with moved = codebook.clone(), and change only the codes for which (nearest == code).any().",
    ],
)

# ---------------------------------------------------------------- pass_gradient


def pass_gradient(vectors, quantized):
    return vectors + (quantized - vectors).detach()


def _value_and_gradients(answer, vectors, quantized, weights):
    """The result, and the gradients of a weighted sum of it with respect to both inputs."""
    inputs = [tensor.clone().requires_grad_() for tensor in (vectors, quantized)]
    result = answer(*inputs)
    if not torch.is_tensor(result) or result.shape != vectors.shape:
        raise Mistake(f"Return one tensor of the shape of the vectors, {tuple(vectors.shape)}.")
    if not torch.equal(inputs[0], vectors):
        raise Mistake("You wrote into `vectors`. They are the encoder's own answer: leave them, and make a new tensor.")
    gradients = [torch.zeros_like(vectors)] * 2
    if result.requires_grad:
        found = torch.autograd.grad((weights * result).sum(), inputs, allow_unused=True)
        gradients = [zero if g is None else g for g, zero in zip(found, gradients, strict=True)]
    return [result.detach(), *gradients]


class _Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, vectors, quantized):
        return quantized.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


def _straight_by_function(vectors, quantized):
    return _Straight.apply(vectors, quantized)


def _straight_by_difference(vectors, quantized):
    return quantized.detach() + vectors - vectors.detach()


def _straight_by_no_grad(vectors, quantized):
    with torch.no_grad():
        step = quantized - vectors
    return vectors + step


def _straight_by_overwriting(vectors, quantized):
    vectors.data = quantized.data
    return vectors


PASS_GRADIENT = Exercise(
    reference=pass_gradient,
    prompt="The straight-through estimator. Return a tensor with the value of `quantized`, through which the gradient "
    "reaches `vectors` unchanged, as if nothing had been rounded; `quantized` gets no gradient through it. Bengio, "
    "Leonard and Courville 2013.",
    cases=lambda: [
        (torch.tensor([0.2, 0.9]), torch.tensor([0.0, 1.0]), torch.ones(2)),
        (torch.randn(3, 4), torch.randn(3, 4), torch.randn(3, 4)),
    ],
    run=_value_and_gradients,
    judge=lambda vectors, quantized, weights: [quantized, weights, torch.zeros_like(weights)],
    right=[_straight_by_function, _straight_by_difference, _straight_by_no_grad],
    wrong=[
        Wrong(
            lambda vectors, quantized: quantized,
            "The value is right, but the whole gradient goes to `quantized`, and none reaches the vectors: the encoder "
            "before them would never learn.",
        ),
        Wrong(
            lambda vectors, quantized: vectors,
            "The gradient is right, but nothing is quantized: the decoder would see vectors that no code stands for.",
        ),
        Wrong(
            lambda vectors, quantized: quantized.detach(),
            "You cut the graph: no gradient reaches anything. Add `vectors` in such a way that its value cancels.",
        ),
        Wrong(
            lambda vectors, quantized: quantized + (vectors - quantized).detach(),
            "You exchanged the two: the value is that of the vectors, and the gradient goes to `quantized`.",
        ),
        Wrong(
            lambda vectors, quantized: vectors + quantized.detach(),
            "The value is the sum of both. Take the vectors' value away again, without their gradient: "
            "(quantized - vectors).detach().",
        ),
        Wrong(
            lambda vectors, quantized: vectors + quantized - vectors.detach(),
            "`quantized` gets a gradient as well. Detach the whole difference: (quantized - vectors).detach().",
        ),
        Wrong(
            _straight_by_overwriting,
            "You wrote into `vectors`. They are the encoder's own answer: leave them, and make a new tensor.",
        ),
        Wrong(
            lambda vectors, quantized: (vectors + quantized) / 2,
            "You take the middle of both: the value is not that of a code, and the gradient is halved.",
        ),
    ],
    hints=[
        "x.detach() has the value of x and no gradient.",
        "Write the result as vectors plus something that has no gradient. What must be added to get the value right?",
        "vectors + (quantized - vectors).detach().",
    ],
)

# ---------------------------------------------------------------- lean


def lean(image):
    weight = image / image.sum()
    rows, columns = torch.meshgrid(*(torch.arange(float(size)) for size in image.shape), indexing="ij")
    rows = rows - (weight * rows).sum()
    columns = columns - (weight * columns).sum()
    return -(weight * rows * columns).sum() / (weight * rows**2).sum()


def _lean_by_loop(image):
    points = [(r, c, b) for r, row in enumerate(image.tolist()) for c, b in enumerate(row)]
    total = sum(b for _, _, b in points)
    row, column = sum(r * b for r, _, b in points) / total, sum(c * b for _, c, b in points) / total
    covariance = sum(b * (r - row) * (c - column) for r, c, b in points)
    return torch.tensor(-covariance / sum(b * (r - row) ** 2 for r, _, b in points))


def _lean_by_cov(image):
    places = image.nonzero().T
    table = torch.cov(places, aweights=image[tuple(places)].double())
    return (-table[0, 1] / table[0, 0]).float()


def _lean_by_moments(image):
    height, width = image.shape
    p, r, c = image / image.sum(), torch.arange(float(height)), torch.arange(float(width))
    of_rows, of_columns = p.sum(1), p.sum(0)
    mean_row, mean_column = of_rows @ r, of_columns @ c
    return (mean_row * mean_column - r @ p @ c) / (of_rows @ r**2 - mean_row**2)


def _lean_by_fit(image):
    rows, columns = image.nonzero().T.float()
    root = image[image != 0].sqrt()
    line = torch.linalg.lstsq(torch.stack([rows * root, root], dim=1), (columns * root)[:, None]).solution
    return -line[0, 0]


def _leaning(formula, weight=lambda image: image / image.sum(), centred=True):
    """A wrong slant: `formula` of the weights, the rows and the columns, from the middle of the mass or not."""

    def answer(image):
        w = weight(image)
        rows, columns = torch.meshgrid(*(torch.arange(float(size)) for size in image.shape), indexing="ij")
        if centred is True:
            rows, columns = rows - (w * rows).sum(), columns - (w * columns).sum()
        elif centred == "page":
            rows, columns = rows - rows.mean(), columns - columns.mean()
        return formula(w, rows, columns)

    return answer


def _slope(w, r, c):
    return -(w * r * c).sum() / (w * r * r).sum()


LEAN = Exercise(
    reference=lean,
    prompt="How far the bright pixels of an image (height, width) lean to the right, in pixels for each pixel up: "
    "minus the covariance of row and column over the variance of the row, pixels weighing as much as they are bright. "
    "Rows count downward, both from the centre of mass. One number.",
    cases=lambda: [
        (torch.eye(4).flip(1),),
        (torch.eye(5)[:, :4],),
        (torch.tensor([[0.0, 0.0, 0.9, 0.1], [0.0, 0.5, 0.0, 0.0], [0.0, 1.0, 0.2, 0.0]]),),
        (torch.rand(8, 8),),
    ],
    judge=_lean_by_loop,
    right=[_lean_by_cov, _lean_by_moments, _lean_by_fit],
    wrong=[
        Wrong(
            _leaning(lambda w, r, c: -_slope(w, r, c)),
            "The sign is wrong: rows count downward. A digit that leans to the right has its upper, smaller rows at "
            "the larger columns.",
        ),
        Wrong(
            _leaning(_slope, centred=False),
            "You count from the corner. Subtract the mean row and the mean column, weighted by brightness, first.",
        ),
        Wrong(
            _leaning(_slope, centred="page"),
            "You count from the middle of the page. A digit may stand elsewhere: take its centre of mass, the mean row "
            "and column weighted by brightness.",
        ),
        Wrong(
            _leaning(lambda w, r, c: -(w * r * c).sum() / (w * c * c).sum()),
            "You divide by the variance of the column. Asked is how many columns for one row: divide by the row's.",
        ),
        Wrong(
            _leaning(lambda w, r, c: -(w * r * c).sum() / ((w * r * r).sum() * (w * c * c).sum()).sqrt()),
            "That is the correlation, from -1 to 1. It tells how thin the stroke is, too. Divide by the variance of "
            "the row alone.",
        ),
        Wrong(
            _leaning(lambda w, r, c: -(w * r * c).sum()),
            "That is the covariance: a tall digit would lean more than a small one. Divide by the variance of the row.",
        ),
        Wrong(
            _leaning(_slope, lambda image: (image > 0).float() / (image > 0).sum()),
            "You weigh every pixel alike that is not black. Weigh it by its brightness.",
        ),
        Wrong(
            _leaning(lambda w, r, c: _slope(w, r, c).atan().rad2deg()),
            "You return an angle. Asked is the slope: pixels to the right for each pixel up.",
        ),
    ],
    hints=[
        "weight = image / image.sum() makes the brightness sum to 1; then a mean is (weight * x).sum().",
        "torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing='ij'): rows and columns.",
        "Subtract the means, then -(weight * rows * columns).sum() / (weight * rows**2).sum().",
    ],
)

# ---------------------------------------------------------------- without_caption


def without_caption(captions, draws, rate):
    return torch.where((draws < rate)[:, None], 0, captions)


def _without_by_loop(captions, draws, rate):
    rows = zip(captions.tolist(), draws.tolist(), strict=True)
    return torch.tensor([[0] * len(row) if draw < rate else row for row, draw in rows])


def _without_by_product(captions, draws, rate):
    return captions * (draws >= rate).long().unsqueeze(1)


def _without_by_copy(captions, draws, rate):
    kept = captions.clone()
    kept[draws < rate] = 0
    return kept


def _without_by_fill(captions, draws, rate):
    return captions.masked_fill(~(draws >= rate)[:, None], 0)


def _without_in_place(captions, draws, rate):
    captions[draws < rate] = 0
    return captions


def _without_first_word(captions, draws, rate):
    kept = captions.clone()
    kept[draws < rate, 0] = 0
    return kept


WITHOUT_CAPTION = Exercise(
    reference=without_caption,
    prompt="Wipe out some captions (B, W): where the number in `draws` (B,), from 0 to 1, is below `rate`, all words "
    "of the caption become 0, which stands for <nothing>. The others stay. Return a new tensor of whole numbers.",
    cases=lambda: [
        (torch.tensor([[1, 2, 3], [4, 5, 6]]), torch.tensor([0.05, 0.5]), 0.1),
        (torch.randint(1, 20, (6, 6)), torch.tensor([0.0, 0.3, 0.25, 0.9, 0.2, 0.1]), 0.25),
        (torch.randint(1, 20, (3, 3)), torch.tensor([0.0, 0.4, 0.9]), 0.0),
    ],
    judge=_without_by_loop,
    right=[_without_by_product, _without_by_copy, _without_by_fill],
    wrong=[
        Wrong(
            lambda captions, draws, rate: torch.where((draws >= rate)[:, None], 0, captions),
            "You wipe out the wrong ones: with a rate of 0.1, nine of ten captions would go. Those below the rate go.",
        ),
        Wrong(
            lambda captions, draws, rate: torch.where((draws <= rate)[:, None], 0, captions),
            "You also wipe out where the number equals the rate. With a rate of 0 nothing may go: use <.",
        ),
        Wrong(
            lambda captions, draws, rate: captions[draws >= rate],
            "You remove whole rows: then captions and images no longer belong together. Set the words to 0.",
        ),
        Wrong(
            lambda captions, draws, rate: torch.where(draws < rate, 0, captions),
            "`draws < rate` has B answers, one a caption, and torch takes them for the W words. [:, None] makes them "
            "(B, 1): one for all words of a row.",
        ),
        Wrong(
            _without_in_place,
            "The result is right, but you changed the captions that came in: in the next epoch they are gone for ever.",
        ),
        Wrong(
            _without_first_word,
            "You wipe out the first word only: the rest still says which digit it is. All words of a caption go.",
        ),
        Wrong(
            lambda captions, draws, rate: captions * (draws >= rate)[:, None] / (1 - rate),
            "Words are numbers in a list, not strengths: nothing may be scaled as in dropout, and they stay whole.",
        ),
        Wrong(
            lambda captions, draws, rate: torch.where(
                (draws < rate)[:, None], captions.mode().values[:, None], captions
            ),
            "You fill in another word. Word 0, <nothing>, stands for a caption that is not given.",
        ),
        Wrong(
            lambda captions, draws, rate: captions,
            "Nothing is wiped out: the model would never learn to write without a caption.",
        ),
    ],
    hints=[
        "draws < rate says which rows go: (B,). With [:, None] it is (B, 1) and holds for every word of a row.",
        "torch.where(condition, 0, captions), or captions * (draws >= rate)[:, None].",
    ],
)

# ---------------------------------------------------------------- loss_on_codes


def loss_on_codes(logits, tokens, words):
    return F.cross_entropy(logits[:, words - 1 : -1].flatten(0, 1), tokens[:, words:].flatten())


def _loss_by_loop(logits, tokens, words):
    losses = []
    for b in range(len(tokens)):
        for t in range(words, tokens.shape[1]):
            scores = logits[b, t - 1].double()
            losses.append(torch.logsumexp(scores, dim=0) - scores[tokens[b, t]])
    return (sum(losses) / len(losses)).float()


def _loss_by_gather(logits, tokens, words):
    probabilities = logits.softmax(dim=-1)[:, words - 1 : tokens.shape[1] - 1]
    return -probabilities.gather(2, tokens[:, words:, None]).log().mean()


def _loss_by_transpose(logits, tokens, words):
    return F.cross_entropy(logits[:, :-1].transpose(1, 2)[:, :, words - 1 :], tokens[:, words:])


def _loss_by_ignoring(logits, tokens, words):
    targets = tokens[:, 1:].clone()
    targets[:, : words - 1] = -100
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), targets.flatten())


LOSS_ON_CODES = Exercise(
    reference=loss_on_codes,
    prompt="The loss of a DALL-E. `tokens` (B, T) are captions of `words` words each, followed by codes; `logits` "
    "(B, T, V) are the GPT's: those at place t score the token at place t + 1. Return the mean cross-entropy of the "
    "codes alone, in nats; the words are read, and not predicted.",
    cases=lambda: [
        (torch.randn(1, 3, 4), torch.tensor([[0, 1, 3]]), 1),
        (torch.randn(2, 7, 5), torch.randint(5, (2, 7)), 3),
        (2 * torch.randn(3, 6, 8), torch.randint(8, (3, 6)), 2),
    ],
    judge=_loss_by_loop,
    right=[_loss_by_gather, _loss_by_transpose, _loss_by_ignoring],
    wrong=[
        Wrong(
            lambda logits, tokens, words: F.cross_entropy(logits[:, words:].flatten(0, 1), tokens[:, words:].flatten()),
            "Nothing is shifted: the logits at place t score the token at place t + 1. Begin one place earlier, at the "
            "last word.",
        ),
        Wrong(
            lambda logits, tokens, words: F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()),
            "You also predict the words of the caption. The model spends itself on guessing captions: leave them out.",
        ),
        Wrong(
            lambda logits, tokens, words: F.cross_entropy(
                logits[:, words:-1].flatten(0, 1), tokens[:, words + 1 :].flatten()
            ),
            "The first code is missing: nobody would learn how an image begins. The last word's logits score it.",
        ),
        Wrong(
            lambda logits, tokens, words: F.cross_entropy(
                logits[:, words + 1 :].flatten(0, 1), tokens[:, words:-1].flatten()
            ),
            "You shift the wrong way: the logits after a token are compared with the token before.",
        ),
        Wrong(
            lambda logits, tokens, words: F.cross_entropy(
                logits[:, words - 1 : -1].flatten(0, 1), tokens[:, words:].flatten(), reduction="sum"
            ),
            "You took the sum and not the mean: the loss would grow with the batch.",
        ),
        Wrong(
            lambda logits, tokens, words: loss_on_codes(logits, tokens, words) * (tokens.shape[1] - words),
            "You add up the codes of an image. Take the mean over the codes of all images.",
        ),
        Wrong(
            lambda logits, tokens, words: F.cross_entropy(logits[:, words - 1 : -1], tokens[:, words:]),
            "cross_entropy wants the scores of the tokens in the second dimension. Make one long list of all places "
            "first: .flatten(0, 1) for the logits, .flatten() for the tokens.",
        ),
        Wrong(
            lambda logits, tokens, words: (
                loss_on_codes(logits, tokens, words) * (tokens.shape[1] - words) / tokens.shape[1]
            ),
            "You divide by all T tokens. Divide by the number of codes: the words have no loss.",
        ),
        Wrong(
            lambda logits, tokens, words: F.cross_entropy(
                logits[:, words - 1 : -1].softmax(dim=-1).flatten(0, 1), tokens[:, words:].flatten()
            ),
            "You pass probabilities to cross_entropy, which makes the softmax itself. Pass the logits.",
        ),
    ],
    hints=[
        "The codes are tokens[:, words:]. Which places of the logits score them?",
        "One place earlier: from the last word, words - 1, to the last but one code.",
        "F.cross_entropy(logits[:, words - 1 : -1].flatten(0, 1), tokens[:, words:].flatten()).",
    ],
)

# ---------------------------------------------------------------- guided_logits


def guided_logits(conditional, unconditional, guidance):
    return unconditional + guidance * (conditional - unconditional)


def _guided_by_loop(conditional, unconditional, guidance):
    pairs = zip(conditional.flatten().tolist(), unconditional.flatten().tolist(), strict=True)
    return torch.tensor([u + guidance * (c - u) for c, u in pairs]).view(conditional.shape)


def _guided_by_weights(conditional, unconditional, guidance):
    return guidance * conditional + (1 - guidance) * unconditional


def _guided_by_lerp(conditional, unconditional, guidance):
    return torch.lerp(unconditional, conditional, guidance)


def _guided_from_above(conditional, unconditional, guidance):
    return conditional - (guidance - 1) * (unconditional - conditional)


GUIDED_LOGITS = Exercise(
    reference=guided_logits,
    prompt="Classifier-free guidance on logits (B, K) with the caption (`conditional`) and without it "
    "(`unconditional`): from those without, `guidance` times the way to those with. 0 gives the logits without, 1 "
    "those with, 2 goes as far again. Ho and Salimans 2022.",
    cases=lambda: [
        (torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 0.0]]), 1.0),
        (torch.randn(2, 5), torch.randn(2, 5), 0.0),
        (torch.randn(2, 5), torch.randn(2, 5), 3.0),
    ],
    judge=_guided_by_loop,
    right=[_guided_by_weights, _guided_by_lerp, _guided_from_above],
    wrong=[
        Wrong(
            lambda conditional, unconditional, guidance: conditional + guidance * (conditional - unconditional),
            "You begin at the logits with the caption, so 0 is already the model as it is. (Some papers count so: w is "
            "guidance - 1.) Begin at those without.",
        ),
        Wrong(
            lambda conditional, unconditional, guidance: conditional + guidance * (unconditional - conditional),
            "You exchanged the two: more guidance goes away from the caption.",
        ),
        Wrong(
            lambda conditional, unconditional, guidance: conditional + (guidance - 1) * (unconditional - conditional),
            "You begin at the logits with the caption, but more guidance goes back to those without. The way on is "
            "conditional - unconditional.",
        ),
        Wrong(
            lambda conditional, unconditional, guidance: guidance * (conditional - unconditional),
            "You return the way and not the place: what every image needs, caption or not, is lost. Add the logits "
            "without the caption.",
        ),
        Wrong(
            lambda conditional, unconditional, guidance: guidance * conditional,
            "That is a low temperature: likely codes get likelier, whether or not the caption asks for them. The "
            "logits without the caption have to come in.",
        ),
        Wrong(
            lambda conditional, unconditional, guidance: unconditional + guidance * conditional,
            "You add all of the conditional logits: what both share then counts twice at 1. Add the difference.",
        ),
        Wrong(
            lambda conditional, unconditional, guidance: (
                unconditional.softmax(-1) + guidance * (conditional.softmax(-1) - unconditional.softmax(-1))
            ),
            "You mix probabilities, and above 1 some become negative. Mix the logits.",
        ),
    ],
    hints=[
        "The way from a to b is b - a; `guidance` times the way, from a, is a + guidance * (b - a).",
        "Which of the two is a? At guidance 0 it is all that is left.",
    ],
)
