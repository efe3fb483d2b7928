"""A trained model answers: one token after another."""

import torch


@torch.no_grad()
def generate(model, tokens, count, generator, temperature=1.0):
    """`count` tokens after the given ones: tokens (T,) in, (T + count,) out, each drawn from the model's probabilities.

    `temperature` below 1 makes likely tokens likelier still. The model is put back in the mode it was in.
    Raises ValueError for an empty prompt or a temperature that is not above 0.
    """
    if len(tokens) == 0:
        raise ValueError("The prompt is empty; the model needs at least one token to go on from.")
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0; {temperature} came. Near 0 it always takes the likeliest.")
    was_training = model.training
    model.eval()
    for _ in range(count):
        logits = model(tokens[None, -model.config.context :])[0, -1]  # (V,)
        probabilities = torch.softmax(logits / temperature, dim=-1)
        tokens = torch.cat([tokens, torch.multinomial(probabilities, 1, generator=generator)])
    model.train(was_training)
    return tokens
