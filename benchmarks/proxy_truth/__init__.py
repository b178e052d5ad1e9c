"""Does the classifier choose the recipe that a fine-tuned LM would? See `benchmarks.proxy_truth.__main__`."""
