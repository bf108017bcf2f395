"""The paper's experiments: studies made of jobs, each an independent, cached, resumable piece of work."""
