"""Whether a front is sure: doubtful trials, trained again with other seeds, and what that tells."""
