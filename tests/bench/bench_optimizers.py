"""The time of one step of the course's Adam and Muon beside torch's, on a 12-layer GPT and on a pocket GPT.

All that are compared take turns, since a machine is never equally busy twice, and they share the same gradients.
"""

import statistics

import torch

from bmcourse import optimizers
from bmcourse.models.gpt import GPT, GPTConfig
from tests.bench import turns

SECONDS, TURNS = 12, 5  # a comparison takes turns for so long, and at least so often
TURN = 0.05  # seconds that one turn lasts, or one step if that is longer
SHAPES = {"12 layers x 256 channels": (12, 256), "pocket: 1 layer x 32 channels": (1, 32)}

# The first of each is the peer: what torch takes when it is told nothing about speed.
ADAM = {
    "torch.optim.Adam": torch.optim.Adam,
    "torch.optim.Adam(foreach=True)": lambda params: torch.optim.Adam(params, foreach=True),
    "torch.optim.Adam(fused=True)": lambda params: torch.optim.Adam(params, fused=True),
    "bmcourse Adam": optimizers.Adam,
    "  its check of the gradients": lambda params: Check(params),
    "bmcourse adam_step_readable": lambda params: Readable(params),
}
MUON = {
    "torch.optim.Muon": torch.optim.Muon,
    "bmcourse Muon": optimizers.Muon,
    "bmcourse Muon(dtype=float32)": lambda params: optimizers.Muon(params, dtype=torch.float32),
}


class Check:
    """Only what the course's optimizers do before they change anything."""

    def __init__(self, params):
        self.params = params

    def step(self):
        optimizers.check_gradients(self.params)


class Readable:
    """Adam as the lesson first writes it, with new tensors at every line."""

    def __init__(self, params):
        self.params, self.states = params, [{} for _ in params]

    @torch.no_grad()
    def step(self):
        for number, parameter in enumerate(self.params):
            moved, self.states[number] = optimizers.adam_step_readable(parameter, parameter.grad, self.states[number])
            parameter.copy_(moved)


def main():
    print(turns.machine())
    print(f"{'time of a step':<33}    median   middle half of turns   to the first    turns")
    for model, (layers, channels) in SHAPES.items():
        gpt = GPT(GPTConfig(vocabulary_size=100, layers=layers, channels=channels)).to(turns.DEVICE)
        for contestants, parameters in ((ADAM, gpt.parameters()), (MUON, matrices(gpt))):
            parameters = list(parameters)
            count = sum(parameter.numel() for parameter in parameters)
            print(f"{model}, {count:,} parameters in {len(parameters)} tensors", flush=True)
            for line in table(take_turns(contestants, parameters)):
                print(line, flush=True)


def matrices(gpt):
    """The parameters that Muon is made for: the 2-D ones of the blocks."""
    return [parameter for parameter in gpt.blocks.parameters() if parameter.ndim == 2]


def take_turns(contestants, parameters):
    """Seconds of a step, one number a turn, for each contestant by name."""
    generator = torch.Generator().manual_seed(0)
    gradients = [0.01 * torch.randn(p.shape, generator=generator).to(turns.DEVICE) for p in parameters]
    rivals = {name: make(copies(parameters, gradients)) for name, make in contestants.items()}
    return turns.take_turns({name: turn_of(rival) for name, rival in rivals.items()}, SECONDS, TURNS)


def turn_of(rival):
    """A function that gives the seconds of a step, the mean of as many in a row as a turn has room for."""
    turns.seconds(rival.step)  # the first step makes the state
    steps = max(1, round(TURN / turns.seconds(rival.step)))

    def several():
        for _ in range(steps):
            rival.step()

    return lambda: turns.seconds(several) / steps


def copies(parameters, gradients):
    """Parameters of its own for one contestant, all with the same gradients."""
    own = [parameter.detach().clone().requires_grad_() for parameter in parameters]
    for parameter, gradient in zip(own, gradients, strict=True):
        parameter.grad = gradient
    return own


def table(times):
    """One line a contestant; the ratio is the median over the turns of the ratio to the first one's same turn."""
    peer = next(iter(times.values()))
    for name, own in times.items():
        low, middle, high = (1000 * value for value in statistics.quantiles(own))
        ratio = statistics.median(mine / theirs for mine, theirs in zip(own, peer, strict=True))
        yield f"  {name:<31} {middle:>9.3f} ms {low:>10.3f} to {high:<9.3f} {ratio:>9.2f}   {len(own):>12}"
