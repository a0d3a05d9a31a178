"""Side-by-side measurements: each module gNN_name measures one goal of performance and returns its ratios."""
