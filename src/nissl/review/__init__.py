"""Review: what people are asked, what they answer, and what is learned from it."""
