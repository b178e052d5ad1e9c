"""`babelshelf report`: what the runs of the ladder and the workspace found, as one HTML page and its Markdown twin.

`runs` reads, `comparison` computes, `figures` draws, `sections` and `examples` say what stands where, `document`
renders, and `build` does all of it.
"""
