"""`babelshelf report`: what the runs of the ladder and the workspace found, as one HTML page and its Markdown twin.

`runs` reads, `comparison` computes, `figures` draws; `gains`, `data`, `examples` and `sections` say what stands where
on the page; `findings` is what they are about, `document` renders, and `build` does all of it.
"""
