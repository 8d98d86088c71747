"""The commands, one module each; they import what they use when they run."""
