"""What several exercises of lesson 12 have in common."""

IGNORED = -100
