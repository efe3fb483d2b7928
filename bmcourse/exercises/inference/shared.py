"""What several exercises of lesson 07 have in common."""

import math

GONE = -math.inf
