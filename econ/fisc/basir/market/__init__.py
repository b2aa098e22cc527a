"""What the market made of a budget: trading days and event studies."""
