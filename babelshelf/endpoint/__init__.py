"""Requests to endpoints with OpenAI's API (shared): a service, or `vllm serve`."""
