"""Judges: LLMs behind endpoints with OpenAI's API, which vote on the rows that the filter's rule flags."""
