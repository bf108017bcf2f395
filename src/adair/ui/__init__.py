"""The web page of `adair ui`. Everything except `page` and `run` works without Gradio."""
