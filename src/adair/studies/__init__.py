"""The paper's experiments: studies made of cells, each an independent, cached, resumable piece of work."""
