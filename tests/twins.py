"""Two modules with the same weights, ours and torch's: the same outputs and the same gradients."""

import torch


def assert_twins(ours, theirs, *inputs, call=lambda module, *inputs: [module(*inputs)], call_theirs=None):
    """Compare what `call(module, *inputs)` gives, a list of tensors, and the gradients of all inputs and parameters.

    Parameters are compared in their order, which is the same on both sides. Returns our outputs and gradients.
    """
    results = results_of(ours, inputs, call), results_of(theirs, inputs, call_theirs or call)
    for mine, torchs in zip(*results, strict=True):
        torch.testing.assert_close(mine, torchs, atol=1e-5, rtol=1e-5)
    return results[0]


def results_of(module, inputs, call):
    """The outputs, and the gradients of the inputs and the parameters, of a sum in which every output has a weight."""
    inputs = [x.detach().clone().requires_grad_() for x in inputs]
    parameters = list(module.parameters())
    outputs = call(module, *inputs)
    total = sum((output * torch.arange(output.numel()).cos().view(output.shape)).sum() for output in outputs)
    return [*outputs, *torch.autograd.grad(total, [*inputs, *parameters])]


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
