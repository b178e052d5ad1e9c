"""A small language model trained by the pipeline: the base LM of the nano profile, where no hub can be reached.

A Qwen3-architecture causal LM of about a million parameters with a byte-level BPE. An adapter needs something to
adapt, so it is pre-trained on self-supervised matching over the catalogue's unlabelled text (`matching_questions`), in
the prompt that it is fine-tuned with, so that "yes" and "no" are already its words.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from babelshelf.base_model.matching_questions import Questions, matching_questions
from babelshelf.llm.prompts import Template
from babelshelf.trainer.batches import PromptExamples
from babelshelf.trainer.schedule import Schedule
from babelshelf.trainer.trainers import AnswerTrainer
from babelshelf.trainer.training import Training

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from babelshelf.base_model.params import NanoLmParams

PAD, END = "<|pad|>", "<|end|>"
TOKENIZER_SAMPLE = 5000  # texts with questions, so that the answers become tokens of their own
EMBEDDING_SCALE = 0.3  # a token's identity has to outlast what the first layer adds to it


class QuestionTrainer(AnswerTrainer):
    """AnswerTrainer for prompts with several answers each; the head runs on the answers' positions alone."""

    sampling = "random"  # by length, a batch would hold paths or titles alone

    def compute_loss(
        self,
        model: Qwen3ForCausalLM,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor | tuple[torch.Tensor, Any]:
        """Mean cross-entropy of all answers over the whole vocabulary."""
        labelled = inputs["labels"] != -100
        with self.accelerator.autocast():  # which accelerate adds to the whole model's forward alone
            outputs = model.model(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
            )
            logits = model.lm_head(outputs.last_hidden_state[labelled])
        loss = torch.nn.functional.cross_entropy(logits.float(), inputs["labels"][labelled])
        return (loss, outputs) if return_outputs else loss


def pretrain(
    texts: pl.DataFrame, templates: Mapping[str, Template], settings: NanoLmParams, seed: int, checkpoints: Path
) -> tuple[Qwen3ForCausalLM, PreTrainedTokenizerFast]:
    """Make and train the LM.

    Args:
        texts: the catalogue's unlabelled text: columns `text`, `language`, `kind`.
        templates: the prompt's template of each task, `{"qc": ..., "qi": ...}`.
        settings: its size and training.
        seed: of the weights, the questions and their order.
        checkpoints: folder of this run's checkpoints (see `trainer.training.Training`).
    """
    questions = matching_questions(texts, settings.texts, settings.questions, seed)
    sample = ("".join(_sample(one, templates[one.task])) for one in questions[:TOKENIZER_SAMPLE])
    tokenizer = train_tokenizer(chain(texts.sort("text", "language")["text"], sample), settings.vocab_size)
    model = new_model(tokenizer, settings, seed)
    schedule = Schedule(
        batch_size=settings.batch_size,
        micro_batch_size=settings.batch_size,
        packing="none",
        learning_rate=settings.learning_rate,
        embedding_learning_rate=settings.embedding_learning_rate,
        epochs=1,
        warmup_share=0.05,
        weight_decay=0.01,
        precision=settings.precision,
        gradient_checkpointing=False,
        seed=seed,
    )
    examples = encode_questions(questions, tokenizer, templates)
    Training(examples, schedule, checkpoints, QuestionTrainer).fit(model, tokenizer)
    return model, tokenizer


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE (arXiv 1909.03341) over `texts`, at most `vocab_size` tokens."""
    tokenizer = Tokenizer(models.BPE())
    # sellers write titles in capitals and shoppers queries without: one spelling leaves less to learn
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def new_model(tokenizer: PreTrainedTokenizerFast, settings: NanoLmParams, seed: int) -> Qwen3ForCausalLM:
    """Qwen3 (arXiv 2505.09388) with random weights and tied embeddings, some heads set to attend to equal tokens.

    At the usual scale of 0.02 a narrow model's layers add next to nothing to its embeddings: matching was hardly
    learned in 1,000 steps (docs/negative-results.md), so the scale is one over the square root of the width. In all
    layers but the first, half of the heads begin with equal query and key projections ("mimetic" initialisation,
    arXiv 2305.09828): a token attends to its like from the start. The first layer stays random, to tell candidate
    from query.
    """
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=settings.hidden_size,
        intermediate_size=settings.intermediate_size,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        head_dim=settings.hidden_size // settings.heads,
        max_position_embeddings=2048,
        initializer_range=settings.hidden_size**-0.5,  # the usual 0.02 is for models a thousand wide
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        attn_implementation=settings.attention,
    )
    model = Qwen3ForCausalLM(config)
    with torch.no_grad():
        model.model.embed_tokens.weight.normal_(0, EMBEDDING_SCALE)
        half = settings.heads // 2 * config.head_dim
        for layer in model.model.layers[1:]:
            layer.self_attn.q_proj.weight[:half] = layer.self_attn.k_proj.weight[:half]
    return model


def encode_questions(
    asked: Sequence[Questions], tokenizer: PreTrainedTokenizerFast, templates: Mapping[str, Template]
) -> PromptExamples:
    """Token ids of each text with its questions and answers; a label stands where an answer is to be predicted.

    Pieces begin with a space, at which the BPE splits first: their ids are those of the whole text.
    """
    answers = {
        task: {True: tokenizer(template.yes)["input_ids"], False: tokenizer(template.no)["input_ids"]}
        for task, template in templates.items()
    }
    pieces = iter(tokenizer([piece for one in asked for piece in _pieces(one, templates[one.task])])["input_ids"])
    prompts, labels = [], []
    for one in asked:
        ids = list(next(pieces))
        label = [-100] * len(ids)
        for answer in one.answers:
            question, reply = next(pieces), answers[one.task][answer]
            ids += question + reply
            label += [-100] * (len(question) - 1) + reply + [-100]
        prompts.append(ids)
        labels.append(label)
    return PromptExamples(prompts, labels)


def _sample(one: Questions, template: Template) -> list[str]:
    return [*_pieces(one, template), template.yes, template.no]


def _pieces(one: Questions, template: Template) -> list[str]:
    """The template up to its candidate, then what follows it, once a question."""
    head, _, tail = template.text.partition("{candidate}")
    return [head.format(language=one.language) + one.text, *(tail.format(query=query) for query in one.queries)]
