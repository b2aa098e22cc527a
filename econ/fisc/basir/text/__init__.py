"""The text of a speech: paragraphs, words, amounts, and what a clause does."""
