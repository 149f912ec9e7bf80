"""Large work: a million rows, wide fan-outs, long histories, many schedules, many pollers."""
