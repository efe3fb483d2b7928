"""Live widgets for the notebooks: `Run`, a training loop that is watched and steered while it runs."""

from bmcourse.live.run import Run as Run
