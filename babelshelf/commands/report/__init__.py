"""`babelshelf report`: what the runs of the ladder and the workspace found, as one HTML page and its Markdown twin.

The package `ladder` reads the runs (`runs`) and compares them (`comparison`). Here `gains`, `data`, `examples` and
`sections` say what stands where on the page, `findings` is what they are about, and `build` does all of it.
"""
