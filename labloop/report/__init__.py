"""Figures, sentences and the round's page: frames in, plotly figures and HTML text out."""
