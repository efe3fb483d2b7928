"""What lesson 12 says of explanations, measured on digits, a table of tumours, sentences, and the course's GPT.

The table is Wolberg, Mangasarian, Street and Street, "Breast Cancer Wisconsin (Diagnostic)", UCI Machine Learning
Repository, 1993, as scikit-learn ships it; of its 30 features the first ten, means over the cells of a tumour.
"""

import functools
import itertools
from collections import Counter

import torch

from bmcourse import data
from bmcourse.claims.architectures import STEPS, accuracy, as_they_are, digit_reader, digits, fit
from bmcourse.claims.core import claim
from bmcourse.explain.attention import encoder_attention
from bmcourse.explain.core import gradient_of, outputs_for, patches
from bmcourse.explain.faithfulness import deletion_curve, randomise_layers, rank_agreement, top_overlap
from bmcourse.explain.grad_cam import grad_cam
from bmcourse.explain.inside import patch_activations
from bmcourse.explain.integrated_gradients import integrated_gradients
from bmcourse.explain.lime import lime, lime_tabular
from bmcourse.explain.occlusion import occlusion
from bmcourse.explain.right_reasons import right_reasons_loss
from bmcourse.explain.saliency import gradient_times_input, guided_backprop, saliency
from bmcourse.explain.shapley import kernel_shap, linear_shapley, shapley_exact, shapley_sampling
from bmcourse.models.classifiers import digit_classifier
from bmcourse.models.mlp import MLP
from bmcourse.models.sentences import UNKNOWN, SentenceClassifier, number_words, split_words
from bmcourse.recipes import load_gpt

EXPLAINED = 32  # digits, tumours and texts that are explained for each seed
RUNS = 5  # of a method that draws samples, each with other ones
PERMUTATIONS = (4, 16, 64, 256, 1024)
SAMPLES = (100, 200, 500, 1000, 2000, 5000)
STEPS_OF_PATH = (1, 2, 4, 8, 16, 32, 64)


def table_of(rows, places=3):
    return [[round(float(number), places) for number in row] for row in rows]


# ---------------------------------------------------------------- digits


def reader(name, seed):
    """A trained classifier of digits, ready to be explained."""
    return digit_reader(name, seed, as_they_are).eval()


def some_digits(seed):
    """Validation images (EXPLAINED, 8, 8), others for each seed."""
    order = torch.randperm(len(digits().validation_images), generator=torch.Generator().manual_seed(seed))
    return digits().validation_images[order[:EXPLAINED]]


def sampling_errors(seed):
    """The error of Shapley values by PERMUTATIONS, and the standard error that comes with them; root mean squares."""
    model, x, groups = reader("MLP", seed), some_digits(seed), patches(8, 8, 3)
    exact, rows = shapley_exact(model, x, groups=groups), []
    for permutations in PERMUTATIONS:
        runs = (
            shapley_sampling(model, x, groups=groups, permutations=permutations, seed=RUNS * seed + run)
            for run in range(RUNS)
        )
        values, reported = map(torch.stack, zip(*runs, strict=True))
        rows.append([(values - exact).square().mean().sqrt(), reported.square().mean().sqrt()])
    return table_of(zip(*rows, strict=True), 4)


@claim(
    "Four times as many random orders halve the error of sampled Shapley values. (Digits in nine patches, 4 to 1,024 "
    "orders.)",
    unit="times less error, for 4 × orders",
    at_least=1.8,
    table=sampling_errors,
)
def four_times_the_orders_halve_the_error(seed):
    errors, _ = sampling_errors(seed)
    return (errors[0] / errors[-1]) ** (1 / (len(errors) - 1))


def overlap_of_runs(seed, samples):
    """The share of LIME's three most important pixels that two runs with different samples have in common."""
    model, x, background = reader("MLP", seed), some_digits(seed).flatten(1), digits().train_images.flatten(1)

    def run(number):
        return lime_tabular(model, x, background, samples=samples, seed=RUNS * seed + number).abs()

    pairs = list(itertools.combinations(map(run, range(RUNS)), 2))
    return sum(top_overlap(a, b, 3).mean().item() for a, b in pairs) / len(pairs)


def overlaps(seed):
    """That share by SAMPLES, in one row."""
    return table_of([[overlap_of_runs(seed, samples) for samples in SAMPLES]])


@claim(
    "LIME's three most important pixels of a digit depend on the samples it happened to draw; with 5,000 samples two "
    "runs have more of them in common than with 100.",
    unit="more in common, of 1",
    at_least=0.05,
    table=overlaps,
)
def more_samples_settle_lime(seed):
    return overlap_of_runs(seed, SAMPLES[-1]) - overlap_of_runs(seed, SAMPLES[0])


# ---------------------------------------------------------------- tumours


@functools.cache
def tumours():
    """Ten standardised features of 569 tumours (569, 10), and whether each is malignant."""
    from sklearn.datasets import load_breast_cancer

    source = load_breast_cancer()
    x = torch.tensor(source.data[:, :10], dtype=torch.float32)
    return (x - x.mean(0)) / x.std(0, correction=0), 1 - torch.tensor(source.target)


def two_parts(seed):
    """The numbers of 400 tumours to learn from, and those of all others."""
    order = torch.randperm(len(tumours()[1]), generator=torch.Generator().manual_seed(seed))
    return order[:400], order[400:]


@functools.cache
def doctor(seed):
    """An MLP that tells malignant tumours from the others."""
    torch.manual_seed(seed)
    (x, y), seen = tumours(), two_parts(seed)[0]
    generator = torch.Generator().manual_seed(seed)

    def draw():
        picked = seen[torch.randint(len(seen), (32,), generator=generator)]
        return x[picked], y[picked]

    return fit(MLP([10, 32, 2]), draw, 0.003).eval()


def agreements(seed):
    """LIME's agreement with Shapley values, slopes and then slopes × (x - mean): rows benign, malignant."""
    seen, unseen = (tumours()[0][part] for part in two_parts(seed))
    model, x = doctor(seed), unseen[:EXPLAINED]
    values = shapley_exact(model, x, target=1, background=seen[:EXPLAINED])
    slopes = lime_tabular(model, x, seen, target=1, samples=5000, seed=seed)  # for a standard deviation
    malignant = model(x).argmax(1) == 1
    before, after = (rank_agreement(a, values) for a in (slopes, slopes * (x - seen.mean(0)) / seen.std(0)))
    return table_of([before[some].mean(), after[some].mean()] for some in (~malignant, malignant))


@claim(
    "For a benign tumour LIME's slopes rank the features the other way round than Shapley values, until each slope is "
    "multiplied by (x - mean): a slope is no contribution.",
    unit="of rank correlation gained",
    at_least=1.0,
    table=agreements,
)
def slopes_are_no_contributions(seed):
    """The gain; 0 where the slopes did not rank the other way round."""
    (before, after), _ = agreements(seed)
    return after - before if before < 0 else 0.0


UNUSED = 2  # the perimeter, which the radius and the area tell


def credit_by_feature(seed):
    """The mean size of ten features' Shapley values in a linear model without UNUSED: interventional, conditional."""
    from sklearn.linear_model import LogisticRegression

    x, y = tumours()
    seen, unseen = two_parts(seed)
    hidden = x[seen].index_fill(1, torch.tensor(UNUSED), 0)
    weights = torch.tensor(LogisticRegression().fit(hidden, y[seen]).coef_[0], dtype=torch.float32)
    values = (linear_shapley(weights, x[unseen], x[seen].mean(0), covariance) for covariance in (None, x[seen].T.cov()))
    return table_of(v.abs().mean(0) for v in values)


@claim(
    "A feature that a linear model does not use at all (the perimeter of a tumour) gets credit in conditional Shapley "
    "values, because it tells of others; in interventional ones it gets exactly none.",
    unit="% of all credit",
    at_least=5.0,
    table=credit_by_feature,
)
def conditional_values_credit_an_unused_feature(seed):
    """Its share of conditional credit; 0 where it had interventional credit."""
    interventional, conditional = credit_by_feature(seed)
    return 100 * conditional[UNUSED] / sum(conditional) if interventional[UNUSED] == 0 else 0.0


# ---------------------------------------------------------------- which explanation to believe


def edges(model, x, target):
    """What an edge detector sees: it does not ask the model."""
    return (x - x.roll(1, dims=-1)).abs()


def path(model, x, target):
    return integrated_gradients(model, x, target)[0]


@claim(
    "A sure model stands on flat ground only where its probability is explained. The gradient of its logit is as large "
    "as that of an unsure model. (CNN; sure is above 99 %.)",
    unit="times as steep for unsure digits, in probability",
    at_least=10.0,
)
def only_probabilities_are_flat(seed):
    """That ratio; 0 where the logit's gradient differs by a quarter or more."""
    model, x = reader("CNN", seed), digits().validation_images.clone().requires_grad_()
    logits = model(x)
    probability = logits.softmax(1).amax(1)
    sizes = (torch.autograd.grad(top.sum(), x, retain_graph=True)[0] for top in (logits.amax(1), probability))
    sure = probability > 0.99
    of_logit, of_probability = (
        (size[~sure].mean() / size[sure].mean()).item() for size in (g.flatten(1).norm(dim=1) for g in sizes)
    )
    return of_probability if 0.8 < of_logit < 1.25 else 0.0


@functools.cache
def survivals(seed):
    """The agreement with the intact CNN's explanation while its layers are destroyed from the top.

    Two tables: ranked by size, then with the sign. In each a row for gradient, guided backprop, integrated gradients,
    edge detector, and a column for each layer destroyed.
    """
    model, x = reader("CNN", seed), some_digits(seed)
    target, broken = model(x).argmax(1), [copy for _, copy in randomise_layers(model, seed)]

    def row(explain, order):
        intact = order(explain(model, x, target))
        return [rank_agreement(intact, order(explain(copy, x, target))).mean() for copy in broken]

    explanations = gradient_of, guided_backprop, path, edges
    return [table_of(row(explain, order) for explain in explanations) for order in (torch.abs, torch.clone)]


@claim(
    "When all weights of a CNN are destroyed, more of guided backprop's picture survives than of the gradient's. What "
    "survives cannot have come from what the model has learned. (Ranked by size or with the sign, whichever is less.)",
    unit="of rank correlation more",
    at_least=0.1,
    table=survivals,
)
def guided_backprop_survives_a_destroyed_model(seed):
    return min(guided[-1] - gradient[-1] for gradient, guided, _, _ in survivals(seed))


@claim(
    "Integrated gradients seem to survive the destruction when pixels are ranked by the size of their credit, which "
    "follows the ink. Ranked with the sign, as in the deletion test, they do not.",
    unit="of rank correlation that only the sizes keep",
    at_least=0.5,
)
def only_the_sizes_survive(seed):
    """That difference; 0 where with the sign more than 0.2 survived."""
    sizes, signed = (table[2][-1] for table in survivals(seed))
    return sizes - signed if abs(signed) < 0.2 else 0.0


def by_patch(attributions):
    """Attributions of pixels (B, 8, 8), summed over each of 16 patches: (B, 16)."""
    return torch.zeros(len(attributions), 16).index_add(1, patches(8, 8, 2).flatten(), attributions.flatten(1))


def six_explanations(model, x, seed):
    """How 16 patches of digits (B, 8, 8) matter to the likeliest answers, (6, B, 16).

    Saliency, guided backprop, integrated gradients, occlusion, LIME, KernelSHAP.
    """
    groups, target = patches(8, 8, 2), model(x).argmax(1)
    pixels = [by_patch(explain(model, x, target)) for explain in (saliency, guided_backprop, path)]
    sampled = [explain(model, x, groups=groups, samples=500, seed=seed) for explain in (lime, kernel_shap)]
    return torch.stack([*pixels, occlusion(model, x, groups=groups), *sampled])


@functools.cache
def explained(seed):
    """The six explanations of a CNN."""
    return six_explanations(reader("CNN", seed), some_digits(seed), seed)


@functools.cache
def deletions(seed):
    """The mean area under the deletion curve of 16 patches, by nine orders.

    Random, most ink first, Grad-CAM, then the six explanations.
    """
    model, x = reader("CNN", seed), some_digits(seed)
    chance = torch.rand(EXPLAINED, 16, generator=torch.Generator().manual_seed(seed))
    camera = by_patch(grad_cam(model, model.conv2, x, size=(8, 8)))
    orders, groups = [chance, by_patch(x), camera, *explained(seed)], patches(8, 8, 2)
    return table_of([[deletion_curve(model, x, order, groups=groups)[1].mean() for order in orders]])[0]


@claim(
    "Deletion tells explanations from chance: a CNN's probability falls sooner when patches go in the order of any of "
    "six explanations than in random order. (The worst of the six.)",
    unit="less area under the curve, of 1",
    at_least=0.05,
    table=deletions,
)
def explanations_beat_chance(seed):
    chance, _, _, *six = deletions(seed)
    return chance - max(six)


@claim(
    "What beats chance has looked into the model: any of six explanations beats an order that never asks it, the "
    "patches with most ink first. (The worst of the six.)",
    unit="less area under the curve, of 1",
    opposite="more area under the curve, of 1",
    belief=True,
)
def explanations_beat_ink(seed):
    _, ink, _, *six = deletions(seed)
    return ink - max(six)


@claim(
    "The explanations with a sign do beat the ink: integrated gradients, occlusion, LIME and KernelSHAP. (The worst of "
    "the four.)",
    unit="less area under the curve, of 1",
    at_least=0.02,
)
def signed_explanations_beat_ink(seed):
    _, ink, _, _, _, *signed = deletions(seed)
    return ink - max(signed)


@claim(
    "Grad-CAM finds the patches that matter. (Better than random order, in the last convolution of a small CNN, whose "
    "maps have 4 × 4 places.)",
    unit="less area under the curve, of 1",
    opposite="more area under the curve, of 1",
    at_least=0.05,
    belief=True,
)
def grad_cam_beats_chance(seed):
    chance, _, camera, *_ = deletions(seed)
    return chance - camera


def pairwise_agreements(seed):
    """The mean rank agreement of each two of the six explanations."""
    return table_of([rank_agreement(a, b).mean() for b in explained(seed)] for a in explained(seed))


@claim(
    "Methods of explanation agree with each other: rank correlation 0.8 between two of them. (Mean over all pairs of "
    "six, which rank 16 patches of digits for a CNN.)",
    unit="rank correlation, of 1",
    at_least=0.8,
    belief=True,
    table=pairwise_agreements,
)
def explanations_agree(seed):
    rows = pairwise_agreements(seed)
    pairs = list(itertools.combinations(range(len(rows)), 2))
    return sum(rows[i][j] for i, j in pairs) / len(pairs)


def sums_off(seed):
    """By how many % of the output's change attributions miss it: the path's by STEPS_OF_PATH, gradient × input's."""
    model, x = reader("CNN", seed), some_digits(seed)
    outputs = (outputs_for(model, inputs, model(x).argmax(1)) for inputs in (x, torch.zeros_like(x)))
    change = torch.sub(*outputs)
    errors = [integrated_gradients(model, x, steps=steps)[1] for steps in STEPS_OF_PATH]
    errors.append(gradient_times_input(model, x).flatten(1).sum(1) - change)
    *by_steps, product = (100 * error.abs().mean() / change.abs().mean() for error in errors)
    return table_of([by_steps, [product] * len(by_steps)])


@claim(
    "Integrated gradients add up to what the output has gained from an empty image to the digit; the gradient × input "
    "of a CNN does not. (32 steps, mean error.)",
    unit="% of the gain further off",
    at_least=3.0,
    table=sums_off,
)
def integrated_gradients_add_up(seed):
    path_off, product_off = sums_off(seed)
    return product_off[0] - path_off[STEPS_OF_PATH.index(32)]


# ---------------------------------------------------------------- a shortcut with a known truth


@functools.cache
def trained(seed, planted, strength):
    """An MLP trained on digits, with or without the telling square; gradients in the square cost `strength`."""
    torch.manual_seed(seed)
    model, generator = digit_classifier("MLP"), torch.Generator().manual_seed(seed)
    images, labels = digits().train_images, digits().train_labels
    decoys, place = data.decoy(images, labels, generator)
    images = decoys if planted else images
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(STEPS):
        i = torch.randint(len(labels), (32,), generator=generator)
        loss = right_reasons_loss(model, images[i], labels[i], place[i], strength)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def three_readers(seed):
    """Trained on clean digits, on digits with the square, and on these for the right reasons."""
    return [trained(seed, False, 0.0), trained(seed, True, 0.0), trained(seed, True, 0.1)]


def squares(told, seed):
    """The validation digits with a square each that tells `told`, and its place; the same places for all labels."""
    return data.decoy(digits().validation_images, told, torch.Generator().manual_seed(seed))


def three_tests(seed):
    """Validation digits: without the square, with one that tells the label, and with one that tells a random label."""
    images, labels = digits().validation_images, digits().validation_labels
    lies = torch.randint(10, labels.shape, generator=torch.Generator().manual_seed(seed))
    return images, squares(labels, seed)[0], squares(lies, seed)[0]


def accuracies(seed):
    """Accuracy in %: a row for each of three readers, a column for each of three tests."""
    labels = digits().validation_labels
    return table_of(([accuracy(m, x, labels) for x in three_tests(seed)] for m in three_readers(seed)), 1)


@claim(
    "Training for the right reasons (no gradient in the square) brings back the accuracy that the square had taken, "
    "when it tells a random label.",
    unit="points of accuracy back",
    at_least=5.0,
    table=accuracies,
)
def right_reasons_bring_the_accuracy_back(seed):
    _, shortcut, right = accuracies(seed)
    return right[2] - shortcut[2]


@claim(
    "Changing the square shows that a model relies on it: when the square tells another label, the model that was "
    "trained with squares loses accuracy, more than the one trained on clean digits.",
    unit="points of accuracy more",
    at_least=5.0,
)
def changing_the_decoy_reveals_it(seed):
    clean, shortcut, _ = accuracies(seed)
    return (shortcut[1] - shortcut[2]) - (clean[1] - clean[2])


def hottest(seed):
    """In how many % of 128 digits the square is the hottest of 16 patches: a row for each of six explanations.

    A column for each of three readers.
    """
    telling, place = (part[:128] for part in squares(digits().validation_labels, seed))
    square = by_patch(place.float()).argmax(1)
    columns = [
        100 * (six_explanations(model, telling, seed).argmax(2) == square).float().mean(1)
        for model in three_readers(seed)
    ]
    return table_of(torch.stack(columns, dim=1), 1)


@claim(
    "A heatmap reveals the shortcut: in most digits the square, on which the model relies, is the hottest of 16 "
    "patches. (The best of six methods.)",
    unit="% of the digits",
    at_least=50.0,
    belief=True,
    table=hottest,
)
def a_heatmap_reveals_the_shortcut(seed):
    return max(shortcut for _, shortcut, _ in hottest(seed))


# ---------------------------------------------------------------- words


@functools.cache
def sentences():
    """Docstrings as numbers of the words that occur three times or more, and how many words these are."""
    texts = data.docstrings()
    count = Counter(word for text in texts.train_texts for word in split_words(text))
    words = sorted(word for word in count if count[word] >= 3)
    return number_words(texts.train_texts, words), number_words(texts.validation_texts, words), len(words)


@functools.cache
def sorter(seed):
    """A classifier that tells from a docstring what kind of module it comes from."""
    torch.manual_seed(seed)
    tokens, _, count = sentences()
    labels, generator = data.docstrings().train_labels, torch.Generator().manual_seed(seed)

    def draw():
        picked = torch.randint(len(labels), (32,), generator=generator)
        longest = (tokens[picked] != 0).sum(1).max()
        return tokens[picked, :longest], labels[picked]

    return fit(SentenceClassifier(count + 2, len(data.docstrings().kinds)), draw, 0.003).eval()


def word_areas(model, tokens, generator):
    """The areas under the deletion curves of sentences (B, T) of one length, by six orders of their words: (6, B)."""
    vectors, absent = model.embedding(tokens).detach(), model.embedding.weight[UNKNOWN].detach()
    words, target = torch.arange(tokens.shape[1])[:, None], model(tokens).argmax(1)
    orders = [
        torch.rand(tokens.shape, generator=generator),
        encoder_attention(model.encoder, model.ask(vectors))[0, :, :, 0, 1:].mean(1),
        saliency(model.read, vectors, target).norm(dim=2),
        gradient_times_input(model.read, vectors, target).sum(2),
        integrated_gradients(model.read, vectors, target, absent)[0].sum(2),
        occlusion(model.read, vectors, target, absent, words),
    ]
    return torch.stack([deletion_curve(model.read, vectors, order, target, absent, words)[1] for order in orders])


@functools.cache
def areas_by_order(seed):
    """The mean area under the deletion curve of words, of all sentences of 8 to 11 words.

    Random order, attention, size of the gradient, gradient × input, integrated gradients, occlusion.
    """
    _, tokens, _ = sentences()
    lengths, generator = (tokens != 0).sum(1), torch.Generator().manual_seed(seed)
    areas = [word_areas(sorter(seed), tokens[lengths == T, :T], generator) for T in range(8, 12)]
    return table_of([torch.cat(areas, dim=1).mean(1)])


@claim(
    "The size of the gradient says better than attention which words matter: taken away in its order, they bring the "
    "answer down sooner.",
    unit="less area under the curve, of 1",
    opposite="more area under the curve, of 1",
    belief=True,
    table=areas_by_order,
)
def gradients_beat_attention(seed):
    _, attention, gradient, *_ = areas_by_order(seed)[0]
    return attention - gradient


# ---------------------------------------------------------------- inside the GPT


@functools.cache
def gpt_and_text():
    """The course's GPT, and the tokens of a text it has not seen."""
    model, tokenizer = load_gpt()
    return model, torch.tensor(tokenizer.encode(data.python_docs().validation))


def restored(seed, T=24, back=6):
    """The share of the answer that one vector of the clean run brings back, after 0 to 4 blocks: medians of 32 texts.

    Clean and corrupted texts of T tokens differ in one, the sixth last. Its own place, then the last place.
    """
    model, ids = gpt_and_text()
    generator = torch.Generator().manual_seed(seed)
    starts, others = torch.randint(len(ids) - T, (2, 10 * EXPLAINED), generator=generator)
    clean = ids[starts[:, None] + torch.arange(T)]
    corrupted = clean.clone()
    corrupted[:, -back] = ids[others]
    with torch.no_grad():
        answer, other = (model(tokens)[:, -1].argmax(1) for tokens in (clean, corrupted))
    effects = [
        patch_activations(model, clean[i], corrupted[i], answer[i], other[i])[:, [-back, -1]]
        for i in (answer != other).nonzero()[:EXPLAINED, 0]
    ]
    return table_of(torch.stack(effects).median(0).values.T)


@claim(
    "In the course's GPT the answer moves from the token that was changed to the last one: behind three of four blocks "
    "the vector of the changed token brings back almost nothing, that of the last token almost all.",
    unit="more of the answer, of 1",
    at_least=0.5,
    table=restored,
)
def the_answer_moves_to_the_last_place(seed):
    changed, last = restored(seed)
    return last[3] - changed[3]
