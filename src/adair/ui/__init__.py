"""The web page: `adair ui`. Everything but `page` and `run` works without Gradio."""
