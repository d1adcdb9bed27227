"""The course as a static site: pages that need no kernel, no server and no network.

`notebook.py` turns a chapter or a text into a page, `predictions.py` lets its predictions be locked
in the page, `search.py` makes the index, and `builder.py` puts all into a folder. What a browser
runs stands in assets/.
"""
