"""A chapter before a class: slides as one offline file, and live with a kernel behind them."""
