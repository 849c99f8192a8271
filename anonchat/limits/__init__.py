"""Rate limits, processor time budgets and fair shares."""
