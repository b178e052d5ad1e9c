"""A folder that `vllm serve --runner pooling` answers /score and /rerank with; also a sequence classifier elsewhere.

It has the weights as a classifier of one label (`...ForSequenceClassification`): its head is the row of the LM's head
for yes minus that for no, so that the sigmoid of its output is p(yes). vLLM takes a chat template only as an option.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from babelshelf.commands.export import chat_template
from babelshelf.commands.export.lm_weights import merged
from babelshelf.core.errors import InputError
from babelshelf.llm.prompts import answer_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from babelshelf.commands.export.exported_model import ExportedModel

SOURCES = ("lm",)
LIBRARY = "transformers"

SCALES = {"final_logit_softcapping": None, "logit_scale": 1, "logits_scaling": 1}  # of logits, after the head


def write(source: ExportedModel, folder: Path) -> None:
    """Write the folder."""
    template, _ = source.prompt()
    tokenizer = source.tokenizer()
    # vLLM lets the tokenizer add its BOS token to the rendered text
    tokenizer.chat_template = chat_template.chat_template(
        template, source.task, tokenizer, language=source.language, prefix=""
    )
    chat_template.check_tokens(template, source.task, tokenizer, adds_bos=True)
    tokenizer.save_pretrained(folder)
    lm = merged(source.base_lm, source.model, source.precision)
    classifier(lm, answer_ids(template, tokenizer), tokenizer.pad_token_id).save_pretrained(folder)


def classifier(lm: PreTrainedModel, answers: tuple[int, int], pad: int) -> PreTrainedModel:
    """A causal LM as a classifier of one label, whose logit is that of yes minus that of no.

    Args:
        lm: the LM; it shares its weights with the result.
        answers: token ids of "no" and "yes".
        pad: token id that pads, of which the classifier reads no output.

    Raises:
        InputError: there is no such classifier of the LM's architecture, or its logits are more than the head's output.
    """
    import torch  # noqa: PLC0415 - slow to import
    from transformers import AutoModelForSequenceClassification  # noqa: PLC0415

    config: Any = lm.config
    head: Any = lm.get_output_embeddings()
    scaled = [name for name, usual in SCALES.items() if getattr(config, name, usual) not in (None, usual)]
    if scaled:
        raise _refused(config.model_type, f"its logits are changed after the head ({scaled[0]})")
    if type(head) is not torch.nn.Linear or head.bias is not None:
        raise _refused(config.model_type, "its head is no plain one")
    config.num_labels = 1
    config.pad_token_id = pad
    no, yes = head.weight.detach()[list(answers)].float()
    try:
        with torch.device("meta"):  # its weights are those of the LM
            model: Any = AutoModelForSequenceClassification.from_config(config)
    except ValueError as error:
        raise _refused(config.model_type, "transformers has none of that type") from error
    setattr(model, model.base_model_prefix, getattr(lm, lm.base_model_prefix))
    model.score = torch.nn.Linear(len(yes), 1, bias=False, dtype=lm.dtype)
    model.score.weight = torch.nn.Parameter((yes - no)[None].to(lm.dtype))
    whole: PreTrainedModel = model
    return whole


def _refused(kind: str, why: str) -> InputError:
    return InputError(
        f"a model of type {kind!r} can't be a sequence classifier of the same scores: {why}: take --to cross-encoder"
    )


def usage(source: ExportedModel) -> str:
    """How vLLM serves it."""
    _, longest = source.prompt()
    query, candidate = source.example
    return f"""\
```sh
vllm serve FOLDER --runner pooling --chat-template FOLDER/chat_template.jinja --dtype {source.dtype} \\
  --max-model-len {longest} --served-model-name relevance
```

Without `--chat-template`, vLLM scores the two texts without the prompt of training, and says nothing of it.

```python
import requests

body = {{
    "model": "relevance",
    "query": {query!r},
    "documents": [{candidate!r}],
    "chat_template_kwargs": {{"language": {source.language!r}}},
}}
for result in requests.post("http://localhost:8000/rerank", json=body).json()["results"]:
    print(result["index"], result["relevance_score"])  # p(yes)
```

`/score` takes `text_1` and `text_2` in place of `query` and `documents`. `language` is the ISO 639-1 code of the
query; without it, it is `{source.language}`. A prompt of more than {longest} tokens is an error: `max_tokens_per_doc`
cuts each candidate to so many tokens.
"""
