"""How fast, beside others: whole processes on simulated sets. Run as ``python -m bench``."""
