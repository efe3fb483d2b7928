"""Exercises of lesson 07: choosing the next token, the loss on test data, the key-value cache, and where to stop."""

import math
import re

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import Exercise, Wrong

GONE = -math.inf

# ---------------------------------------------------------------- pick_greedily


def pick_greedily(model, tokens, count):
    for _ in range(count):
        logits = model(tokens[None])[0, -1]
        tokens = torch.cat([tokens, logits.argmax()[None]])
    return tokens


def _with_small_model(answer, scores, tokens, count):
    """Give the answer a model that reads the whole text: every token adds its row of `scores` (V, V) to the logits."""

    def model(tokens):
        if tokens.ndim != 2:
            raise ValueError(f"the model takes tokens of the shape (B, T); {tuple(tokens.shape)} came")
        return scores[tokens].cumsum(dim=1)  # (B, T, V)

    return answer(model, tokens, count)


def _greedy_by_hand(scores, tokens, count):
    tokens = tokens.tolist()
    for _ in range(count):
        logits = [sum(column) for column in zip(*(scores[token].tolist() for token in tokens), strict=True)]
        tokens.append(logits.index(max(logits)))
    return torch.tensor(tokens)


def _pick_by_max(model, tokens, count):
    for _ in range(count):
        likeliest = model(tokens.unsqueeze(0))[:, -1].max(dim=-1).indices
        tokens = torch.hstack([tokens, likeliest])
    return tokens


def _pick_into_a_list(model, tokens, count):
    text = tokens.tolist()
    while len(text) < len(tokens) + count:
        probabilities = torch.softmax(model(torch.tensor([text])), dim=-1)
        text.append(int(probabilities[0, len(text) - 1].topk(1).indices))
    return torch.tensor(text)


def _pick_by_recursion(model, tokens, count):
    if count == 0:
        return tokens
    last = torch.argsort(model(tokens[None])[0, -1])[-1:]
    return _pick_by_recursion(model, torch.cat([tokens, last]), count - 1)


def _picks(choose, read=lambda tokens: tokens):
    """A wrong greedy loop: `choose(logits (T, V))` gives the new token of what is read, as (1,)."""

    def answer(model, tokens, count):
        for _ in range(count):
            tokens = torch.cat([tokens, choose(model(read(tokens)[None])[0])])
        return tokens

    return answer


def _all_from_the_prompt(model, tokens, count):
    likeliest = model(tokens[None])[0, -1].argmax()
    return torch.cat([tokens, likeliest.expand(count)])


def _picks_once(model, tokens, count):
    return pick_greedily(model, tokens, min(count, 1))


PICK_GREEDILY = Exercise(
    reference=pick_greedily,
    prompt="Greedy decoding: `count` times, the likeliest next token is put behind `tokens` (T,). Returns all tokens, "
    "(T + count,). model(x) takes x (B, T) and gives logits (B, T, V); those at position t score the token after it.",
    cases=lambda: [
        (torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.5, -1.0], [0.0, 4.0, 1.0]]), torch.tensor([0]), 1),
        (torch.randn(5, 5), torch.tensor([3, 1]), 6),
        (torch.randn(9, 9), torch.tensor([2, 7, 1, 8]), 12),
        (torch.randn(9, 9) - 5, torch.tensor([4, 4, 6]), 4),
        (torch.randn(4, 4), torch.tensor([1, 2, 3]), 0),
    ],
    run=_with_small_model,
    judge=_greedy_by_hand,
    right=[_pick_by_max, _pick_into_a_list, _pick_by_recursion],
    wrong=[
        Wrong(
            _all_from_the_prompt,
            "Every new token comes from the prompt alone, so all are the same. Put a token behind the text, then let "
            "the model read the longer text.",
        ),
        Wrong(
            _picks(lambda logits: logits[0].argmax()[None]),
            "You read the logits of the first position. What follows the whole text is scored at the last: [0, -1].",
        ),
        Wrong(
            _picks(lambda logits: logits[-1].argmax()[None], read=lambda tokens: tokens[-1:]),
            "The model reads only the last token and forgets the text before it. Give it all tokens.",
        ),
        Wrong(
            _picks(lambda logits: logits.argmax(dim=-1)),
            "You put the likeliest tokens of all positions behind the text. Only the last position says what comes "
            "next: logits[0, -1].",
        ),
        Wrong(
            _picks(lambda logits: logits[-1].argmin()[None]),
            "You take the unlikeliest token. A higher score means likelier: argmax.",
        ),
        Wrong(
            _picks(lambda logits: logits[-1].softmax(dim=-1).multinomial(1)),
            "You draw the token at random. Greedy always takes the likeliest: argmax.",
        ),
        Wrong(
            _picks(lambda logits: logits[-1].max()[None]),
            "You put the score itself behind the text. The token is its place among the scores: argmax, not max.",
        ),
        Wrong(
            _picks(lambda logits: logits.argmax()[None] % logits.shape[-1]),
            "You take the largest score of all positions. Only those of the last one are about the next token.",
        ),
        Wrong(
            lambda model, tokens, count: pick_greedily(model, tokens, count)[len(tokens) :],
            "You return the new tokens only. Return the whole text, the prompt first.",
        ),
        Wrong(
            lambda model, tokens, count: pick_greedily(model, tokens, count - 1),
            "Your text is one token too short. range(count) runs `count` times, range(1, count) once less.",
        ),
        Wrong(_picks_once, "You add one token only. Is the `return` inside the loop?"),
    ],
    hints=[
        "A loop that runs `count` times. In it: ask the model, choose, put the choice behind the text.",
        "model(tokens[None]) has the shape (1, T, V). The scores of the next token are its [0, -1].",
        "tokens = torch.cat([tokens, logits.argmax()[None]])",
    ],
)

# ---------------------------------------------------------------- keep_top_k


def keep_top_k(logits, k):
    smallest = logits.topk(k).values[-1]
    return logits.masked_fill(logits < smallest, -math.inf)


def _top_k_by_sorting(logits, k):
    largest = sorted(logits.tolist(), reverse=True)[:k]
    return torch.tensor([score if score in largest else GONE for score in logits.tolist()])


def _top_k_by_scatter(logits, k):
    values, places = torch.topk(logits, k)
    return torch.full_like(logits, -math.inf).scatter(0, places, values)


def _top_k_by_where(logits, k):
    limit = torch.sort(logits, descending=True).values[k - 1]
    return torch.where(logits >= limit, logits, torch.tensor(float("-inf")))


def _top_k_by_index(logits, k):
    kept = logits.clone()
    kept[logits.argsort(descending=True)[k:]] = float("-inf")
    return kept


def _only_these(logits, places, other=GONE):
    """The logits with `other` everywhere but at `places`."""
    return torch.full_like(logits, other).scatter(0, places, logits[places])


KEEP_TOP_K = Exercise(
    reference=keep_top_k,
    prompt="Top-k: the k largest logits stay as they are, where they are, and all others become minus infinity. "
    "logits (V,) in, (V,) out.",
    cases=lambda: [
        (torch.tensor([1.0, 3.0, 0.5, 2.0]), 2),
        (torch.tensor([-1.0, -4.0, -2.5, -0.5, -3.0]), 3),
        (torch.randn(12), 1),
        (torch.randn(7), 7),
        (torch.randn(30) * 4, 11),
    ],
    judge=_top_k_by_sorting,
    right=[_top_k_by_scatter, _top_k_by_where, _top_k_by_index],
    wrong=[
        Wrong(
            lambda logits, k: _only_these(logits, logits.topk(k, largest=False).indices),
            "You keep the k smallest. A higher logit means likelier: keep the largest.",
        ),
        Wrong(
            lambda logits, k: _only_these(logits, logits.topk(k).indices, other=0.0),
            "You set the others to 0. A logit of 0 still has a probability, since exp(0) is 1. Use -inf: exp(-inf) "
            "is 0.",
        ),
        Wrong(
            lambda logits, k: _only_these(logits, logits.topk(k).indices, other=-1e9),
            "You use -1e9 for minus infinity. It works until logits are added or scaled; -inf always works: "
            "float('-inf') or -math.inf.",
        ),
        Wrong(
            lambda logits, k: _only_these(logits, logits.topk(k - 1).indices),
            "One too few stays: the k-th largest goes too. Remove what is smaller than it: < and not <=.",
        ),
        Wrong(
            lambda logits, k: _only_these(logits, logits.topk(min(k + 1, len(logits))).indices),
            "One too many stays. In a list sorted from the largest, the k-th stands at k - 1, since counting begins "
            "with 0.",
        ),
        Wrong(
            lambda logits, k: logits.topk(k).values,
            "You return the k values alone: which tokens are they? Keep the shape (V,), with -inf at the others.",
        ),
        Wrong(
            lambda logits, k: logits.topk(k).indices,
            "You return the places of the k largest. Return the logits, (V,), with -inf everywhere else.",
        ),
        Wrong(
            lambda logits, k: F.pad(logits.topk(k).values, (0, len(logits) - k), value=GONE),
            "Your values are sorted, so each now belongs to another token. Every logit must stay in its place.",
        ),
        Wrong(
            lambda logits, k: logits.scatter(0, logits.topk(k).indices, GONE),
            "You removed the k largest and kept the others. It is the other way round.",
        ),
        Wrong(
            lambda logits, k: keep_top_k(logits, k).softmax(dim=-1),
            "You return probabilities. Return logits: temperature and softmax come later.",
        ),
        Wrong(
            lambda logits, k: logits.masked_fill(logits < k, GONE),
            "You compare the logits with k itself. k counts tokens: compare with the k-th largest logit.",
        ),
    ],
    hints=[
        "Find the k-th largest logit. All that is smaller goes.",
        "logits.topk(k).values is sorted, the largest first. Which is the k-th?",
        "logits.masked_fill(logits < smallest, -math.inf), with smallest = logits.topk(k).values[-1].",
    ],
)

# ---------------------------------------------------------------- keep_top_p


def keep_top_p(logits, p):
    probabilities, order = logits.softmax(dim=-1).sort(descending=True)
    before = probabilities.cumsum(dim=-1) - probabilities
    kept = order[before < p]
    return torch.full_like(logits, -math.inf).scatter(0, kept, logits[kept])


def _top_p_by_hand(logits, p):
    """Token by token, the likeliest first, until they have p together."""
    probabilities = [math.exp(score) for score in logits.double().log_softmax(dim=-1).tolist()]
    kept, total = [], 0.0
    for token in sorted(range(len(logits)), key=lambda token: -probabilities[token]):
        if total < p:
            kept.append(token)
        total += probabilities[token]
    return torch.tensor([score if token in kept else GONE for token, score in enumerate(logits.tolist())])


def _top_p_by_tail(logits, p):
    probabilities, order = torch.sort(torch.softmax(logits, -1))
    tail = probabilities.cumsum(0) <= 1 - p
    return logits.masked_fill(torch.zeros_like(tail).scatter(0, order, tail), -math.inf)


def _top_p_shifted(logits, p):
    values, order = logits.sort(descending=True)
    gone = values.softmax(dim=-1).cumsum(dim=-1) >= p
    gone = torch.cat([torch.tensor([False]), gone[:-1]])
    kept = torch.empty_like(logits)
    kept[order] = values.masked_fill(gone, float("-inf"))
    return kept


def _top_p_by_limit(logits, p):
    probabilities = logits.softmax(dim=-1)
    largest = probabilities.sort(descending=True).values
    count = int((largest.cumsum(dim=-1) < p).sum()) + 1
    return torch.where(probabilities >= largest[count - 1], logits, -math.inf)


def _nucleus(keep, start=lambda logits: logits.softmax(dim=-1), descending=True, back=None, other=GONE):
    """A wrong top-p: `keep(sorted probabilities, p)` says what stays, in their order, and `back` puts it in place."""

    def answer(logits, p):
        probabilities, order = start(logits).sort(descending=descending)
        kept = keep(probabilities, p)
        kept = torch.zeros_like(kept).scatter(0, order, kept) if back is None else back(kept, order)
        return logits.masked_fill(~kept, other)

    return answer


def _before(probabilities, p):
    return probabilities.cumsum(dim=-1) - probabilities < p


def _inside(probabilities, p):
    return probabilities.cumsum(dim=-1) <= p


def _inside_or_first(probabilities, p):
    return _inside(probabilities, p) | (torch.arange(len(probabilities)) == 0)


def _one_more(probabilities, p):
    kept = _before(probabilities, p)
    return kept | (torch.arange(len(kept)) == kept.sum())


def _not_sorted(logits, p):
    return logits.masked_fill(~_before(logits.softmax(dim=-1), p), GONE)


def _stays_sorted(logits, p):
    values = logits.sort(descending=True).values
    return values.masked_fill(~_before(values.softmax(dim=-1), p), GONE)


KEEP_TOP_P = Exercise(
    reference=keep_top_p,
    prompt="Top-p, or nucleus sampling: the likeliest tokens stay, just as many as are needed to have the probability "
    "p together. All others become minus infinity. logits (V,) in, (V,) out, every logit in its place.",
    cases=lambda: [
        (torch.tensor([0.25, 0.1, 0.4, 0.05, 0.2]).log(), 0.5),
        (torch.tensor([0.25, 0.1, 0.4, 0.05, 0.2]).log(), 0.3),
        (torch.tensor([0.1, 0.05, 0.4, 0.25, 0.2]).log() + 3, 0.9),
        (torch.randn(12) * 2 + 1, 0.6),
        (torch.randn(30) * 3 - 2, 0.97),
    ],
    judge=_top_p_by_hand,
    right=[_top_p_by_tail, _top_p_shifted, _top_p_by_limit],
    wrong=[
        Wrong(
            _nucleus(_inside),
            "The token that crosses p is missing. With 0.4 and 0.25 and p = 0.5 both must stay: 0.4 alone is too "
            "little. And where the first has more than p, nothing is left. Ask whether those before it have less "
            "than p.",
        ),
        Wrong(
            _nucleus(_inside_or_first),
            "The token that crosses p is missing; only the likeliest you always keep. With 0.4 and 0.25 and p = 0.5 "
            "both must stay. Ask whether those before it have less than p.",
        ),
        Wrong(
            _nucleus(_one_more),
            "One too many stays. Those kept must have p together, and without the last of them less than p.",
        ),
        Wrong(
            _not_sorted,
            "You add up the probabilities in the order of the vocabulary. Sort them first, the largest in front.",
        ),
        Wrong(
            _nucleus(_before, back=lambda kept, order: kept),
            "You sort, decide, and forget to sort back: what you remove are the tokens that stand at those places "
            "now. Use `order` to find whose decision it is.",
        ),
        Wrong(
            _nucleus(_before, back=lambda kept, order: kept[order]),
            "You sort back the wrong way. kept[order] reads at `order`; you need to write there: "
            "result[order] = kept, or scatter.",
        ),
        Wrong(
            _stays_sorted,
            "Your result is still sorted, so each logit belongs to another token. Put them back in their places.",
        ),
        Wrong(
            _nucleus(_before, start=lambda logits: logits),
            "You add up logits. p is a probability: softmax first.",
        ),
        Wrong(
            _nucleus(_before, descending=False),
            "You begin with the unlikeliest. sort() puts the smallest first: use descending=True.",
        ),
        Wrong(
            lambda logits, p: logits.masked_fill(logits.softmax(dim=-1) < p, GONE),
            "You compare each probability with p. It is their sum, from the likeliest on, that must reach p.",
        ),
        Wrong(
            _nucleus(_before, other=0.0),
            "You set the others to 0. A logit of 0 still has a probability, since exp(0) is 1. Use -inf.",
        ),
        Wrong(
            lambda logits, p: keep_top_p(logits, p).softmax(dim=-1),
            "You return probabilities. Return the logits, with -inf for what is removed.",
        ),
        Wrong(
            lambda logits, p: keep_top_k(logits, max(1, round(p * len(logits)))),
            "You keep a share p of the tokens. p is a share of the probability: often a few tokens have most of it.",
        ),
    ],
    hints=[
        "Three steps: sort the probabilities, the largest first; decide who stays; put the decision back in place.",
        "A token stays if those before it, without itself, have less than p together. cumsum() - probabilities.",
        "kept = order[before < p] are the tokens that stay. All others get -inf.",
    ],
)

# ---------------------------------------------------------------- penalise_repeats


def penalise_repeats(logits, tokens, penalty):
    scores = logits[tokens]
    lowered = torch.where(scores > 0, scores / penalty, scores * penalty)
    return logits.scatter(0, tokens, lowered)


def _penalise_by_hand(logits, tokens, penalty):
    came = set(tokens.tolist())
    scores = enumerate(logits.tolist())
    return torch.tensor([(x / penalty if x > 0 else x * penalty) if token in came else x for token, x in scores])


def _penalise_in_a_loop(logits, tokens, penalty):
    logits = logits.clone()
    for token in set(tokens.tolist()):
        if logits[token] < 0:
            logits[token] *= penalty
        else:
            logits[token] /= penalty
    return logits


def _penalise_by_mask(logits, tokens, penalty):
    came = torch.isin(torch.arange(len(logits)), tokens)
    factor = torch.where(logits < 0, penalty, 1 / penalty)
    return torch.where(came, logits * factor, logits)


def _penalise_by_powers(logits, tokens, penalty):
    came = torch.zeros_like(logits).index_fill(0, tokens, 1.0)
    return logits * penalty ** (-came * logits.sign())


def _changed_at(tokens, change):
    """A wrong penalty: `change(scores, penalty)` at the tokens that `tokens` chooses among those that came."""

    def answer(logits, came, penalty):
        places = tokens(came)
        return logits.scatter(0, places, change(logits[places], penalty))

    return answer


def _lowered(scores, penalty):
    return torch.where(scores > 0, scores / penalty, scores * penalty)


def _once_for_each_time(logits, tokens, penalty):
    logits = logits.clone()
    for token in tokens:
        logits[token] = _lowered(logits[token], penalty)
    return logits


PENALISE_REPEATS = Exercise(
    reference=penalise_repeats,
    prompt="The repetition penalty: every token that is in `tokens` (T,) gets a lower score in `logits` (V,), once, "
    "however often it came. A positive score is divided by `penalty`, a negative one multiplied. penalty is above 1.",
    cases=lambda: [
        (torch.tensor([2.0, -2.0, 1.0, 3.0]), torch.tensor([0, 1]), 2.0),
        (torch.tensor([4.0, 1.5, -1.0, 0.5, -3.0]), torch.tensor([4, 0, 0, 2, 0]), 1.5),
        (torch.randn(20) * 3, torch.randint(20, (15,)), 1.2),
        (torch.randn(6), torch.arange(6), 1.3),
    ],
    judge=_penalise_by_hand,
    right=[_penalise_in_a_loop, _penalise_by_mask, _penalise_by_powers],
    wrong=[
        Wrong(
            _changed_at(lambda came: came, lambda scores, penalty: scores / penalty),
            "You divide negative scores too. -2 divided by 2 is -1, which is higher: the token comes more often. "
            "Multiply where the score is negative.",
        ),
        Wrong(
            _changed_at(lambda came: came, lambda scores, penalty: scores * penalty),
            "You multiply positive scores too, which raises them. Divide where the score is positive.",
        ),
        Wrong(
            _changed_at(lambda came: came, lambda scores, penalty: _lowered(scores, 1 / penalty)),
            "It is the wrong way round: your repeated tokens get likelier. Divide positive scores, multiply negative "
            "ones.",
        ),
        Wrong(
            _once_for_each_time,
            "A token that came three times is penalised three times. Once is enough: go through set(tokens.tolist()).",
        ),
        Wrong(
            _changed_at(lambda came: came, lambda scores, penalty: scores - penalty),
            "You subtract the penalty. Here it divides: a score of 2 with penalty 2 becomes 1, and not 0.",
        ),
        Wrong(
            lambda logits, tokens, penalty: _lowered(logits, penalty),
            "You penalise the whole vocabulary. Only the tokens that came before get a lower score.",
        ),
        Wrong(
            _changed_at(lambda came: came[-1:], _lowered),
            "Only the last token is penalised. Every token of the text so far counts.",
        ),
        Wrong(
            _changed_at(lambda came: came, lambda scores, penalty: torch.full_like(scores, GONE)),
            "You forbid every token that came. A penalty only lowers the score: a text needs its spaces again.",
        ),
        Wrong(
            lambda logits, tokens, penalty: _lowered(logits[tokens], penalty),
            "You return the scores of the repeated tokens only. Return all logits, (V,).",
        ),
        Wrong(
            lambda logits, tokens, penalty: penalise_repeats(logits.softmax(dim=-1), tokens, penalty),
            "You penalise probabilities. They are never negative, and need to sum to 1: change the logits.",
        ),
        Wrong(
            lambda logits, tokens, penalty: _penalise_others(logits, tokens, penalty),
            "You penalise the tokens that did not come. Change those in `tokens`.",
        ),
    ],
    hints=[
        "What happens to -2 when you divide it by 2? Is it likelier afterwards, or less likely?",
        "The scores of the tokens so far are logits[tokens]. torch.where chooses between two results.",
        "lowered = torch.where(scores > 0, scores / penalty, scores * penalty); then write them back into a copy.",
    ],
)


def _penalise_others(logits, tokens, penalty):
    came = torch.isin(torch.arange(len(logits)), tokens)
    return torch.where(came, logits, _lowered(logits, penalty))


# ---------------------------------------------------------------- test_loss


def test_loss(model, data, batch_size):
    model.eval()
    total = 0.0
    with torch.no_grad():
        batches = zip(data["x_test"].split(batch_size), data["y_test"].split(batch_size), strict=True)
        for x, y in batches:
            total += F.cross_entropy(model(x), y, reduction="sum").item()
    return total / len(data["y_test"])


def _measure_on_test_data(answer, weights, data, batch_size):
    """The loss an answer gives for a model with dropout, and what it does to the model meanwhile."""
    model = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(3, 3))
    torch.nn.utils.vector_to_parameters(weights.clone(), model.parameters())
    seen = []
    model.register_forward_hook(lambda module, inputs, output: seen.append((output.requires_grad, len(output))))
    loss = answer(model.train(), data, batch_size)
    recorded, largest = (max(column, default=0) for column in zip(*seen, strict=True))
    return {"loss": loss, "gradients recorded": bool(recorded), "largest batch": largest}


def _test_loss_by_hand(weights, data, batch_size):
    matrix, bias = weights[:9].view(3, 3).tolist(), weights[9:].tolist()
    losses = []
    for x, y in zip(data["x_test"].tolist(), data["y_test"].tolist(), strict=True):
        scores = [sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(matrix, bias, strict=True)]
        losses.append(math.log(sum(map(math.exp, scores))) - scores[y])
    return {
        "loss": sum(losses) / len(losses),
        "gradients recorded": False,
        "largest batch": min(batch_size, len(losses)),
    }


def _loss_by_gathering(model, data, batch_size):
    with torch.no_grad():
        logits = torch.cat([model.eval()(x) for x in data["x_test"].split(batch_size)])
    return F.cross_entropy(logits, data["y_test"]).item()


@torch.inference_mode()
def _loss_by_weighting(model, data, batch_size):
    model.train(False)
    x, y, total = data["x_test"], data["y_test"], 0.0
    for start in range(0, len(x), batch_size):
        part = y[start : start + batch_size]
        total += len(part) * float(torch.nn.CrossEntropyLoss()(model(x[start : start + batch_size]), part))
    return total / len(x)


def _loss_from_probabilities(model, data, batch_size):
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(data["x_test"], data["y_test"]), batch_size=batch_size
    )
    model.eval()
    losses = []
    with torch.no_grad():
        for x, y in loader:
            losses += model(x).log_softmax(dim=1)[torch.arange(len(y)), y].neg().tolist()
    return sum(losses) / len(losses)


def _tested(
    inputs="x_test",
    targets="y_test",
    loss=lambda logits, y: F.cross_entropy(logits, y, reduction="sum"),
    mode=False,
    gradients=False,
    whole=False,
    last=True,
    result=lambda sums, counts: sum(sums) / sum(counts),
):
    """A wrong test loss: one with a changed part."""

    def answer(model, data, batch_size):
        model.train(mode)
        size = len(data[inputs]) if whole else batch_size
        sums, counts = [], []
        with torch.set_grad_enabled(gradients):
            for x, y in zip(data[inputs].split(size), data[targets].split(size), strict=True):
                if last or len(x) == size:
                    sums.append(loss(model(x), y).item())
                    counts.append(len(x))
        return result(sums, counts)

    return answer


def _missing_targets(model, data, batch_size):
    model.eval()
    with torch.no_grad():
        return F.cross_entropy(model(data["x_test"]))


def _eval_too_late(model, data, batch_size):
    loss = _tested(mode=True)(model, data, batch_size)
    model.eval()
    return loss


def _some_data():
    def data(count):
        x = torch.randn(2 * count, 3)
        y = (x + 0.5 * torch.randn(2 * count, 3)).argmax(dim=1)
        x[:count] *= 2
        return {"x_train": x[:count], "y_train": y[:count], "x_test": x[count:], "y_test": y[count:]}

    return [(torch.randn(12), data(10), 4), (torch.randn(12), data(8), 4), (torch.randn(12), data(7), 3)]


TEST_LOSS = Exercise(
    reference=test_loss,
    prompt="The mean cross-entropy of a classifier on the test data, as a plain number. `data` has 'x_train', "
    "'y_train', 'x_test' and 'y_test'; model(x) gives logits. At most `batch_size` inputs at once; the last batch may "
    "be smaller. No dropout, no gradients.",
    cases=_some_data,
    run=_measure_on_test_data,
    judge=_test_loss_by_hand,
    right=[_loss_by_gathering, _loss_by_weighting, _loss_from_probabilities],
    wrong=[
        Wrong(
            _missing_targets,
            "The loss got the predictions only. A loss compares: without y_test nobody knows whether they are right. "
            "Call F.cross_entropy(model(x), y).",
        ),
        Wrong(
            _tested(loss=lambda logits, y: F.cross_entropy(logits, logits.argmax(dim=1), reduction="sum")),
            "You compare the model with its own answers: that tells how sure it is, not how right. The targets are "
            "y_test.",
        ),
        Wrong(
            _tested(targets="y_train"),
            "The inputs are test data and the targets are training data: they do not belong together. Use y_test.",
        ),
        Wrong(
            _tested(inputs="x_train", targets="y_train"),
            "You measured on the training data. The model has seen it: the number flatters. Use x_test and y_test.",
        ),
        Wrong(
            _tested(mode=True),
            "Dropout is still on, so half of every input is missing. Call model.eval() before you measure.",
        ),
        Wrong(
            _tested(gradients=True),
            "The number is right, but autograd records every operation for a backward() that never comes. Compute "
            "inside `with torch.no_grad():`.",
        ),
        Wrong(
            _tested(mode=True, gradients=True),
            "Two things are missing: model.eval(), which switches dropout off, and torch.no_grad(), which keeps "
            "autograd from recording.",
        ),
        Wrong(
            _tested(result=lambda sums, counts: sum(s / n for s, n in zip(sums, counts, strict=True)) / len(sums)),
            "You take the mean of the batches' means. The last batch is smaller, and each of its inputs counts too "
            "much. Add up sums (reduction='sum') and divide by the number of inputs.",
        ),
        Wrong(
            _tested(result=lambda sums, counts: sum(sums)),
            "You return the sum over all inputs. The mean is asked for: divide by their number.",
        ),
        Wrong(
            _tested(result=lambda sums, counts: sum(sums) / len(sums)),
            "You divide the sum over all inputs by the number of batches. Divide by the number of inputs.",
        ),
        Wrong(
            _tested(result=lambda sums, counts: sum(s / n for s, n in zip(sums, counts, strict=True)) / sum(counts)),
            "Each batch already gives its mean, and you divide again by the number of inputs: the loss is far too "
            "small. Use reduction='sum', or divide by less.",
        ),
        Wrong(
            _tested(last=False),
            "The last, smaller batch is left out. Its inputs belong to the test too.",
        ),
        Wrong(
            _tested(result=lambda sums, counts: sums[-1] / counts[-1]),
            "You return the loss of the last batch. Add up over all batches.",
        ),
        Wrong(
            _tested(whole=True),
            "The number is right, but the model got all inputs at once: with real data the memory would not do. Give "
            "it batches of at most `batch_size`.",
        ),
        Wrong(
            _tested(loss=lambda logits, y: F.cross_entropy(logits.softmax(dim=1), y, reduction="sum")),
            "You call softmax before F.cross_entropy, which does that itself. Give it the logits.",
        ),
        Wrong(
            _tested(loss=lambda logits, y: (logits.argmax(dim=1) != y).sum()),
            "You return the share of wrong answers. The cross-entropy is asked for, which also knows how sure they "
            "were.",
        ),
    ],
    hints=[
        "What does a loss compare with what? Which two of the four tensors are that here?",
        "model.eval(), torch.no_grad(), and a loop over x_test.split(batch_size) and y_test.split(batch_size).",
        "Add up F.cross_entropy(model(x), y, reduction='sum').item(), and divide by len(y_test) at the end.",
    ],
)

# ---------------------------------------------------------------- size_of_cache


def size_of_cache(layers, heads, head_size, context, batch_size, bytes_per_value):
    numbers_per_token = 2 * layers * heads * head_size
    return batch_size * context * numbers_per_token * bytes_per_value


def _reserved(layers, heads, head_size, context, batch_size, bytes_per_value):
    """What torch would reserve, layer by layer: a tensor of keys and one of values, on a device without memory."""
    dtype = {1: torch.int8, 2: torch.bfloat16, 4: torch.float32, 8: torch.float64}[bytes_per_value]
    shape = batch_size, heads, context, head_size
    return sum(torch.empty(shape, dtype=dtype, device="meta").nbytes for _ in range(layers) for _ in ("key", "value"))


def _size_by_product(layers, heads, head_size, context, batch_size, bytes_per_value):
    return math.prod([layers, heads, head_size, context, batch_size, bytes_per_value, 2])


def _size_by_sum(layers, heads, head_size, context, batch_size, bytes_per_value):
    channels = heads * head_size
    keys = sum(channels * context * bytes_per_value for _ in range(layers))
    return (keys + keys) * batch_size


def _size_by_elements(layers, heads, head_size, context, batch_size, bytes_per_value):
    cache = torch.empty(layers, 2, batch_size, heads, context, head_size, device="meta")
    return cache.numel() * bytes_per_value


def _sized(change):
    """A wrong size: the right one, times `change` of the sizes by their names."""

    def answer(layers, heads, head_size, context, batch_size, bytes_per_value):
        sizes = {
            "layers": layers, "heads": heads, "head_size": head_size, "context": context,
            "batch_size": batch_size, "bytes_per_value": bytes_per_value,
        }  # fmt: skip
        return 2 * math.prod(sizes.values()) * change(sizes)

    return answer


def _without(name):
    return _sized(lambda sizes: 1 / sizes[name])


SIZE_OF_CACHE = Exercise(
    reference=size_of_cache,
    prompt="The bytes of a key-value cache for `batch_size` texts of `context` tokens: every layer keeps a key and a "
    "value for every token, and each of them has `head_size` numbers in every one of `heads` heads.",
    cases=lambda: [
        (1, 1, 4, 3, 1, 4),
        (4, 4, 32, 128, 1, 4),
        (12, 6, 64, 1024, 5, 2),
        (96, 96, 128, 2048, 1, 2),
        (3, 7, 10, 11, 6, 1),
    ],
    judge=_reserved,
    right=[_size_by_product, _size_by_sum, _size_by_elements],
    wrong=[
        Wrong(_sized(lambda sizes: 1 / 2), "The factor 2 is missing: a key and a value are kept for every token."),
        Wrong(
            _sized(lambda sizes: 3 / 2),
            "You count the queries too. A query is used once, when its token is read, and is not kept: 2, not 3.",
        ),
        Wrong(_without("layers"), "You count one layer. Every layer has keys and values of its own."),
        Wrong(_without("heads"), "You count one head. A key has `head_size` numbers in every one of `heads` heads."),
        Wrong(_without("head_size"), "`head_size` is missing: a key of one head is that many numbers, not one."),
        Wrong(_without("context"), "You count one token. The keys and values of all `context` tokens are kept."),
        Wrong(_without("batch_size"), "You count one text. Each of the `batch_size` texts has a cache of its own."),
        Wrong(_without("bytes_per_value"), "You count the numbers. Each of them takes `bytes_per_value` bytes."),
        Wrong(_sized(lambda sizes: 8), "That is the number of bits: a byte has 8. Bytes are asked for."),
        Wrong(
            _sized(lambda sizes: sizes["context"] / sizes["head_size"] / 2),
            "You count the attention scores, context times context. They are used at once and not kept; what is kept "
            "is a key and a value for each token.",
        ),
        Wrong(
            _sized(lambda sizes: 1 / 2**20),
            "That is in megabytes. Return bytes: do not divide by 2**20.",
        ),
        Wrong(
            _sized(lambda sizes: sizes["heads"]),
            "You count the heads twice. `head_size` is the size of one head: heads * head_size numbers a key.",
        ),
    ],
    hints=[
        "One token, one layer, one head: how many numbers are kept? Keys and values.",
        "Then times the heads, the layers, the tokens and the texts. At the end numbers become bytes.",
        "2 * layers * heads * head_size * context * batch_size * bytes_per_value",
    ],
)

# ---------------------------------------------------------------- attend_with_cache


def attend_with_cache(query, key, value, keys, values, length):
    keys[:, length], values[:, length] = key, value
    keys, values = keys[:, : length + 1], values[:, : length + 1]
    scores = (keys @ query[..., None])[..., 0] / math.sqrt(query.shape[-1])
    return (scores.softmax(dim=-1)[:, None] @ values)[:, 0]


def _with_empty_room(answer, query, key, value, keys, values, length):
    """What an answer returns, and what it leaves in the caches."""
    keys, values = keys.clone(), values.clone()
    mixed = answer(query.clone(), key.clone(), value.clone(), keys, values, length)
    return {"result": mixed, "keys": keys, "values": values}


def _attention_by_hand(query, key, value, keys, values, length):
    """Head by head and token by token, with the old keys and values and the new ones in plain lists."""
    mixed = []
    for h in range(len(query)):
        old_and_new = [*zip(keys[h, :length], values[h, :length], strict=True), (key[h], value[h])]
        weights = [math.exp(float(k @ query[h]) / math.sqrt(query.shape[1])) for k, _ in old_and_new]
        mixed.append(sum(w * v for w, (_, v) in zip(weights, old_and_new, strict=True)) / sum(weights))
    keys, values = keys.clone(), values.clone()
    keys[:, length], values[:, length] = key, value
    return {"result": torch.stack(mixed), "keys": keys, "values": values}


def _attend_with_torch(query, key, value, keys, values, length):
    keys[:, length].copy_(key)
    values[:, length].copy_(value)
    end = length + 1
    return F.scaled_dot_product_attention(query[:, None], keys[:, :end], values[:, :end]).squeeze(1)


def _attend_with_mask(query, key, value, keys, values, length):
    keys[:, length] = key
    values[:, length] = value
    scores = torch.einsum("hd,hsd->hs", query, keys) / query.shape[1] ** 0.5
    empty = torch.arange(keys.shape[1]) > length
    return torch.einsum("hs,hsd->hd", scores.masked_fill(empty, GONE).softmax(dim=1), values)


def _attend_head_by_head(query, key, value, keys, values, length):
    mixed = []
    for h in range(query.shape[0]):
        keys[h, length] = key[h]
        values[h, length] = value[h]
        weights = torch.softmax(keys[h, : length + 1] @ query[h] / math.sqrt(len(query[h])), dim=0)
        mixed.append(weights @ values[h, : length + 1])
    return torch.stack(mixed)


def _attends(
    write=lambda length, size: length, end=lambda length, size: length + 1, scale=True, swapped=False, mix=None, dim=-1
):
    """A wrong cached attention: it writes to the slot `write`, and attends to the slots before `end`."""

    def answer(query, key, value, keys, values, length):
        size, D = keys.shape[1:]
        slot = write(length, size)
        keys[:, slot], values[:, slot] = (value, key) if swapped else (key, value)
        seen = slice(0, end(length, size))
        scores = (keys[:, seen] @ query[..., None])[..., 0] / (math.sqrt(D) if scale else 1)
        return (scores.softmax(dim=dim)[:, None] @ (keys if mix == "keys" else values)[:, seen])[:, 0]

    return answer


def _not_kept(query, key, value, keys, values, length):
    return attend_with_cache(query, key, value, keys.clone(), values.clone(), length)


def _attention_case(H, D, size, length):
    keys, values = (F.pad(torch.randn(H, length, D), (0, 0, 0, size - length)) for _ in range(2))
    return (*torch.randn(3, H, D).unbind(), keys, values, length)


ATTEND_WITH_CACHE = Exercise(
    reference=attend_with_cache,
    prompt="Attention of one new token with a cache: query, key and value (H, D) of the token, and the caches `keys` "
    "and `values` (H, S, D) with room for S tokens, of which `length` are filled, the others zero. Write key and value "
    "into the next free place, in the caches themselves. Return what the query takes of all tokens so far, (H, D).",
    cases=lambda: [
        _attention_case(1, 2, 4, 1),
        _attention_case(2, 3, 5, 0),
        _attention_case(4, 8, 16, 9),
        _attention_case(2, 4, 6, 5),
    ],
    run=_with_empty_room,
    judge=_attention_by_hand,
    inputs_unchanged=False,
    right=[_attend_with_torch, _attend_with_mask, _attend_head_by_head],
    wrong=[
        Wrong(
            _attends(end=lambda length, size: size),
            "You attend to the empty places too. Their keys are zero, so each gets a score of 0, and exp(0) is 1: they "
            "take a share. Use the first length + 1 only.",
        ),
        Wrong(
            _attends(end=lambda length, size: length),
            "The new token does not see itself. It is in the cache now too: attend to length + 1 tokens.",
        ),
        Wrong(
            _attends(write=lambda length, size: length - 1),
            "You write over the last token. With `length` tokens at 0 to length - 1, the next free place is `length`.",
        ),
        Wrong(
            _attends(write=lambda length, size: -1),
            "You write to the last place of the cache. The next free place is `length`.",
        ),
        Wrong(
            _not_kept,
            "The result is right, but the caches are as before, so the next token will not find this one. Write into "
            "them: keys[:, length] = key.",
        ),
        Wrong(_attends(scale=False), "The scores are not divided by the square root of D, the size of a head."),
        Wrong(_attends(swapped=True), "Key and value are exchanged: you write the value among the keys."),
        Wrong(
            _attends(mix="keys"),
            "You return a mean of the keys. The keys only decide how much; what is taken are the values.",
        ),
        Wrong(
            _attends(dim=0),
            "Your softmax runs over the heads. In each head the weights of the tokens sum to 1: dim=-1.",
        ),
    ],
    hints=[
        "Two things: write key and value to the place `length` of their caches; then attention as you know it.",
        "Take keys[:, : length + 1] and values[:, : length + 1] only. What would a key of zeros do in a softmax?",
        "F.scaled_dot_product_attention(query[:, None], keys, values)[:, 0] does the rest.",
    ],
)

# ---------------------------------------------------------------- cut_at_stop


def cut_at_stop(pieces, stops):
    text = "".join(pieces)
    places = [text.find(stop) for stop in stops if stop in text]
    return text[: min(places, default=len(text))]


def _cut_by_splitting(pieces, stops):
    text = "".join(pieces)
    for stop in stops:
        text = text.split(stop)[0]
    return text


def _cut_by_pattern(pieces, stops):
    return re.split("|".join(map(re.escape, stops)), "".join(pieces))[0] if stops else "".join(pieces)


def _cut_while_reading(pieces, stops):
    text = ""
    for letter in "".join(pieces):
        text += letter
        for stop in stops:
            if text.endswith(stop):
                return text.removesuffix(stop)
    return text


def _cut_by_hand(pieces, stops):
    """At every place of the text, the question whether one of the stop sequences stands there."""
    text = [letter for piece in pieces for letter in piece]
    for place in range(len(text)):
        if any(text[place : place + len(stop)] == list(stop) for stop in stops):
            return "".join(text[:place])
    return "".join(text)


def _piece_by_piece(pieces, stops):
    text = ""
    for piece in pieces:
        places = [piece.find(stop) for stop in stops if stop in piece]
        if places:
            return text + piece[: min(places)]
        text += piece
    return text


def _whole_pieces(pieces, stops):
    text = ""
    for piece in pieces:
        if any(stop in text + piece for stop in stops):
            return text
        text += piece
    return text


def _piece_is_a_stop(pieces, stops):
    text = ""
    for piece in pieces:
        if piece in stops:
            return text
        text += piece
    return text


def _not_found_is_minus_one(pieces, stops):
    text = "".join(pieces)
    return text[: min([text.find(stop) for stop in stops], default=len(text))]


def _cut(places, default=len):
    """A wrong cut: at `places(text, stop sequences in the text)`."""

    def answer(pieces, stops):
        text = "".join(pieces)
        found = [stop for stop in stops if stop in text]
        return text[: places(text, found) if found else default(text)]

    return answer


CUT_AT_STOP = Exercise(
    reference=cut_at_stop,
    prompt="The text of a stream up to the first stop sequence. `pieces` are the texts of its tokens, in order, and "
    "`stops` are the stop sequences; one may lie across several pieces. Without any, the whole text.",
    cases=lambda: [
        (["ab", "cd", "ef"], ["e"]),
        (["ab", "cd", "ef"], ["de"]),
        (["Hello", "\n", "You: "], ["\nYou", "x"]),
        (["one", " two", ".", " three."], ["three", "."]),
        (["x", "ab", "c"], ["b", "a", "c"]),
        (["a", "b", "c"], ["d", "cb"]),
        (["a", "b"], []),
        (["stop", "now"], ["stop"]),
        (["aa", "ba", "ab", "a"], ["ab"]),
    ],
    judge=_cut_by_hand,
    right=[_cut_by_splitting, _cut_by_pattern, _cut_while_reading],
    wrong=[
        Wrong(
            _piece_by_piece,
            "You look into each piece by itself. A stop sequence may begin in one token and end in the next: look "
            "into the joined text.",
        ),
        Wrong(
            _whole_pieces,
            "You drop the whole piece in which the stop sequence ends. Cut where it begins: that may be in the middle "
            "of a piece, or one piece earlier.",
        ),
        Wrong(
            _piece_is_a_stop,
            "You compare whole pieces with the stop sequences. A stop sequence may be a part of a piece, or lie "
            "across several: join the pieces first.",
        ),
        Wrong(
            _not_found_is_minus_one,
            "find() gives -1 for a stop sequence that is not there, and text[:-1] loses the last letter. Take only "
            "those that are in the text.",
        ),
        Wrong(
            _cut(lambda text, found: text.find(found[0])),
            "You cut at the stop sequence that comes first in the list. Cut at the one that comes first in the text.",
        ),
        Wrong(
            _cut(lambda text, found: max(map(text.find, found))),
            "You cut at the last of the stop sequences. The first in the text ends it.",
        ),
        Wrong(
            _cut(lambda text, found: min(text.find(stop) + len(stop) for stop in found)),
            "The stop sequence is still there. The text ends before it.",
        ),
        Wrong(
            _cut(lambda text, found: min(map(text.rfind, found))),
            "You cut where a stop sequence occurs last: rfind. It ends the text where it occurs first.",
        ),
        Wrong(
            _cut(lambda text, found: min(map(text.find, found)), default=lambda text: 0),
            "Without a stop sequence nothing is left. Then the whole text is the answer.",
        ),
        Wrong(
            lambda pieces, stops: cut_at_stop([" ".join(pieces)], stops),
            "You join the pieces with spaces. The tokens have their own: ''.join(pieces).",
        ),
        Wrong(lambda pieces, stops: "".join(pieces), "You never stop: cut the text where a stop sequence begins."),
        Wrong(
            lambda pieces, stops: list(cut_at_stop(pieces, stops)),
            "You return a list. Return one text: ''.join(...).",
        ),
    ],
    hints=[
        "Join the pieces first; then it does not matter any more where one ends.",
        "text.find(stop) says where a stop sequence begins. What does it say when there is none?",
        "places = [text.find(stop) for stop in stops if stop in text]; cut at the smallest, if there is one.",
    ],
)
