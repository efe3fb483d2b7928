"""Occlusion (遮挡): take one part of the input away and see how much the output drops."""

import torch

from bmcourse.explain.core import check_baseline, check_groups, check_model, masked_outputs


def occlusion(model, inputs, target=None, baseline=0.0, groups=None):
    """The drop of the explained output when one group at a time takes the value of the baseline, (B, G).

    Without groups each feature goes alone, and G is the number of features, in their order. A text's words go through
    words.text_model. Raises ValueError for what core.check_model, check_groups and check_baseline refuse.
    Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014, section 4.2.
    """
    target = check_model(model, inputs, target)
    groups, G = check_groups(groups, inputs)
    whole = torch.ones(1, G, dtype=torch.bool, device=inputs.device)
    one_missing = ~torch.eye(G, dtype=torch.bool, device=inputs.device)
    present = torch.cat([whole, one_missing])[None]
    outputs = masked_outputs(model, inputs, target, present, groups, check_baseline(baseline, inputs))
    return outputs[:, :1] - outputs[:, 1:]
