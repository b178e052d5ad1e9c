"""Students: a module each, found by its name; `distill.student` chooses one.

A student has a docstring, whose first line lists it, `Params` and `SECTION` where it has params of its own (see
`babelshelf.core.plugins`), and

- `train(lessons, inputs, folder) -> dict`: train on `lessons` (`babelshelf.distill.teaching.Lessons`), write the model
  that `score` reads into `folder`, which does not exist yet, and return metrics. `inputs` is a `StudentInputs`
  (`babelshelf.distill.student_inputs`);
- where it can't learn from any rows, `check(rows, settings) -> None`: raise an `InputError` if these training rows and
  unlabelled pairs are not enough. It is called before the teacher scores them. `settings` is the section `distill`.

A module is imported wherever params are validated, so slow libraries are imported inside of functions.
"""
