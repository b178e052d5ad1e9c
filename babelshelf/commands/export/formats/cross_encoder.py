"""A folder that sentence-transformers loads as a CrossEncoder: p(yes) of (query, candidate), on a CPU or GPU.

It has the merged weights and the tokenizer, whose chat template renders the prompt of training; the score is the
sigmoid of the logit of yes minus that of no (`LogitScore`), which is p(yes).
"""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babelshelf.commands.export import chat_template
from babelshelf.commands.export.lm_weights import merged
from babelshelf.llm.prompts import answer_ids
from babelshelf.llm.versions import VERSIONS
from babelshelf.score.cross_encoder_scorer import RECORD

if TYPE_CHECKING:
    from babelshelf.commands.export.exported_model import ExportedModel

SOURCES = ("lm", "cross_encoder")
LIBRARY = "sentence-transformers"

FORWARD = {"method": "forward", "method_output_name": "logits"}
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"},
    {
        "idx": 1,
        "name": "1",
        "path": "1_LogitScore",
        "type": "sentence_transformers.cross_encoder.modules.logit_score.LogitScore",
    },
]


def write(source: ExportedModel, folder: Path) -> None:
    """Write the folder; that of a student is in this format already."""
    if source.kind == "cross_encoder":
        shutil.copytree(source.model, folder, ignore=shutil.ignore_patterns(RECORD, VERSIONS), dirs_exist_ok=True)
        return
    template, longest = source.prompt()
    tokenizer = source.tokenizer()
    text = chat_template.chat_template(
        template, source.task, tokenizer, language=source.language, prefix=chat_template.bos(tokenizer)
    )
    tokenizer.chat_template = text
    chat_template.check_tokens(template, source.task, tokenizer, adds_bos=False)
    no, yes = answer_ids(template, tokenizer)
    tokenizer.padding_side = "left"  # the answer follows the last token
    tokenizer.model_max_length = longest - 1  # the answer takes one
    tokenizer.save_pretrained(folder)
    merged(source.base_lm, source.model, source.precision).save_pretrained(folder)

    _write(folder / "modules.json", MODULES)
    (folder / "1_LogitScore").mkdir()
    _write(folder / "1_LogitScore" / "config.json", {"true_token_id": yes, "false_token_id": no})
    transformer: dict[str, Any] = {
        "transformer_task": "text-generation",
        "modality_config": {"text": FORWARD, "message": FORWARD | {"format": "flat"}},
        "module_output_name": "causal_logits",
    }
    if not chat_template.candidate_is_last(template):  # a cut at the end would lose the query
        transformer["processing_kwargs"] = {"text": {"truncation": False}}
    _write(folder / "sentence_bert_config.json", transformer)
    _write(
        folder / "config_sentence_transformers.json",
        {
            "model_type": "CrossEncoder",
            "__version__": {
                "sentence_transformers": version("sentence-transformers"),
                "transformers": version("transformers"),
                "pytorch": version("torch").partition("+")[0],
            },
            "prompts": {},
            "default_prompt_name": None,
        },
    )


def usage(source: ExportedModel) -> str:
    """How sentence-transformers reads it."""
    if source.kind == "cross_encoder":
        return _student_usage(source)
    template, longest = source.prompt()
    pairs = f"[({source.example[0]!r}, {source.example[1]!r})]"
    if chat_template.candidate_is_last(template):
        cut = f"A prompt of more than {longest - 1} tokens loses the end of its candidate, at a token's end"
    else:
        cut = "A long candidate is read whole, as the query follows it in the prompt"
    return f"""\
```python
from sentence_transformers import CrossEncoder

model = CrossEncoder("PATH-OR-ID")  # sentence-transformers 5.4 or later
p_yes = model.predict({pairs}, processing_kwargs={{"chat_template": {{"language": "{source.language}"}}}})
```

`language` is the ISO 639-1 code of the query, one for all pairs of a call; without it, it is `{source.language}`.
{cut}. In training, such a candidate was cut so that its prompt had {longest - 1} tokens at most. This cuts it in the
same way:

```python
import bisect


def shortened(query: str, candidate: str, language: str) -> str:
    \"\"\"The beginning of the candidate that fits into the prompt.\"\"\"

    def tokens(characters: int) -> int:
        messages = [{{"role": "query", "content": query}}, {{"role": "document", "content": candidate[:characters]}}]
        rendered = model.tokenizer.apply_chat_template(messages, language=language, tokenize=False)
        return len(model.tokenizer(rendered, add_special_tokens=False)["input_ids"])

    if tokens(len(candidate)) < {longest}:
        return candidate
    return candidate[: bisect.bisect_left(range(len(candidate) + 1), {longest}, key=tokens) - 1]
```
"""


def _student_usage(source: ExportedModel) -> str:
    return f"""\
```python
from sentence_transformers import CrossEncoder

model = CrossEncoder("PATH-OR-ID")  # sentence-transformers 5.4 or later
p_yes = model.predict([({source.example[0]!r}, {source.example[1]!r})])
```

Query and candidate have at most {source.record["max_length"]} tokens together; the longer of the two is shortened.
"""


def _write(file: Path, value: object) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
