"""The pages: a function for each address, from a visit to an answer."""
