"""How much memory a causal LM needs to be trained or to score, estimated from its configuration.

Counted are the weights, what an optimizer keeps, and the activations that a backward pass reads, as in "Reducing
Activation Recomputation in Large Transformer Models" (Korthikanti et al., 2022, arXiv 2205.05198, section 4). That
paper counts a layer with layer norms and a GELU; here are the terms of RMSNorm, grouped-query attention and SwiGLU, as
transformers computes them. docs/profiles.md has a table of estimates beside measured peaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

GIB = 2**30
BYTES = {"fp32": 4, "bf16": 2}
ADAM = 8  # bytes a trained weight: two moments in fp32 (arXiv 1412.6980)
GRADIENT = 4  # bytes a trained weight
PROCESS = 0.7 * GIB  # Python with torch, transformers and datasets, or the context of CUDA


@dataclass(frozen=True)
class Shape:
    """What the size of a causal LM follows from.

    Attributes:
        hidden: width of the residual stream.
        intermediate: width of the gated feed-forward layer.
        layers: number of them.
        heads, kv_heads: attention heads, and those of keys and values.
        head_dim: width of a head.
        vocabulary: number of tokens.
        tied: whether the head shares the weights of the token embeddings.
    """

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool

    @property
    def linear(self) -> list[tuple[int, int]]:
        """Inputs and outputs of a layer's linear maps."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        attention = [(self.hidden, queries), (self.hidden, keys), (self.hidden, keys), (queries, self.hidden)]
        gated = [(self.hidden, self.intermediate)] * 2
        return [*attention, *gated, (self.intermediate, self.hidden)]

    @property
    def layer(self) -> int:
        """Weights of a layer's linear maps."""
        return sum(inputs * outputs for inputs, outputs in self.linear)

    @property
    def weights(self) -> int:
        """All weights, without those of the norms (less than a thousandth)."""
        return self.layers * self.layer + self.vocabulary * self.hidden * (1 if self.tied else 2)

    def adapter(self, rank: int) -> int:
        """Weights of a LoRA adapter of all linear maps (arXiv 2106.09685): rank times inputs and outputs of each."""
        return self.layers * rank * sum(inputs + outputs for inputs, outputs in self.linear)


@dataclass(frozen=True)
class TrainingRun:
    """What one process of a training holds.

    Attributes:
        rows, tokens: of a batch that it takes at once, and of its longest prompt.
        rank: of the LoRA adapter; None where all weights are trained.
        frozen: `fp32` or `bf16`, of the weights that are not trained.
        precision: `fp32` or `bf16`, that is computed in.
        attention: `eager` keeps the scores of all pairs of tokens, others do not.
        checkpointing: whether a layer's activations are computed again for the backward pass.
        shards: processes that weights, gradients and optimizer are cut over (FSDP, ZeRO-3).
        fused: whether norms, rotations and gates are Liger's kernels, which keep less.
    """

    rows: int
    tokens: int
    rank: int | None
    frozen: str
    precision: str
    attention: str
    checkpointing: bool
    shards: int
    fused: bool


def training(shape: Shape, run: TrainingRun) -> float:
    """Bytes that a process needs to train: weights, gradients, Adam's moments, activations.

    Under autocast a weight in fp32 is cast for its layer, and the copy kept for the backward pass: all copies at once,
    or one layer's with checkpointing. Where weights are cut over processes, what is computed with is gathered whole: a
    layer, and beside it the next one, or the head, which FSDP keeps from the forward into the backward pass (accelerate
    makes a unit of each layer, one of the head, and one of the embeddings, which are let go before the second layer).
    """
    whole = run.rank is None
    trained = shape.weights if run.rank is None else shape.adapter(run.rank)
    kept = 0 if whole else shape.weights * BYTES[run.frozen]
    state = kept + trained * (BYTES["fp32"] + GRADIENT + ADAM)
    is_cast = run.precision == "bf16" and (whole or run.frozen == "fp32")
    layers = 1 if run.checkpointing else shape.layers
    casts = shape.layer * layers * BYTES["bf16"] if is_cast else 0
    units = shape.layer + max(shape.layer, shape.vocabulary * shape.hidden)
    gathered = units * BYTES["fp32" if whole else run.frozen] if run.shards > 1 else 0
    return PROCESS + state / run.shards + gathered + casts + _activations(shape, run) + _logits(shape, run.rows)


def scoring(shape: Shape, *, tokens: int, longest: int, precision: str, weights: str, attention: str) -> float:
    """Bytes that scoring with transformers needs: the weights, under autocast copies of those in fp32, and one layer.

    Args:
        shape: of the model.
        tokens: padded tokens of a batch.
        longest: tokens of the longest prompt.
        precision: `fp32` or `bf16`.
        weights: `fp32` or `bf16`, as they are kept.
        attention: see `TrainingRun`.
    """
    width = BYTES[precision]
    casts = shape.layers * shape.layer * BYTES["bf16"] if (precision, weights) == ("bf16", "fp32") else 0
    scores = shape.heads * longest * (2 * BYTES["fp32"] + width) if attention == "eager" else 0
    layer = 4 * BYTES["fp32"] * shape.hidden + 3 * width * shape.intermediate + scores
    return PROCESS + shape.weights * BYTES[weights] + casts + tokens * layer


def serving(shape: Shape, *, longest: int, sequences: int, precision: str, tensor_parallel: int) -> float:
    """Bytes that each GPU of a vLLM engine needs: its part of the weights and of the cache of keys and values.

    Args:
        shape: of the model.
        longest: tokens of the longest prompt.
        sequences: prompts that the cache must hold at once.
        precision: `fp32` or `bf16`, of both.
        tensor_parallel: GPUs that one model is cut over.
    """
    key_values = 2 * shape.layers * shape.kv_heads * shape.head_dim
    return PROCESS + BYTES[precision] * (shape.weights + sequences * longest * key_values) / tensor_parallel


def merging(shape: Shape) -> float:
    """Bytes that it takes to add an adapter to the weights, in fp32: all of them, and a layer's difference."""
    return PROCESS + (shape.weights + shape.layer) * BYTES["fp32"]


def shape_of(config: dict[str, Any]) -> Shape:
    """The shape that a config.json states; of a model that reads images, that of its language model."""
    values = config.get("text_config", config)
    heads = values["num_attention_heads"]
    return Shape(
        hidden=values["hidden_size"],
        intermediate=values["intermediate_size"],
        layers=values["num_hidden_layers"],
        heads=heads,
        kv_heads=values.get("num_key_value_heads") or heads,
        head_dim=values.get("head_dim") or values["hidden_size"] // heads,
        vocabulary=values["vocab_size"],
        tied=bool(values.get("tie_word_embeddings", config.get("tie_word_embeddings", True))),
    )


def _activations(shape: Shape, run: TrainingRun) -> float:
    """Bytes of what the layers keep for the backward pass of a batch, and of the gradients of the layer that is at it.

    A matrix that is trained needs its input for its gradient; of one that is frozen only its adapter does.
    """
    width = BYTES[run.precision]
    residual = BYTES["fp32"] if run.frozen == "fp32" else width
    inputs = sum(inputs for inputs, _ in shape.linear)
    heads = (shape.heads + 2 * shape.kv_heads) * shape.head_dim
    norms = 2 * (residual if run.fused else BYTES["fp32"]) * shape.hidden  # their inputs
    rotated = (2 if run.fused else 3) * width * heads  # projected, normed, rotated; Liger rotates in place
    attention = rotated + width * shape.heads * shape.head_dim  # and the result
    scores = shape.heads * run.tokens * (BYTES["fp32"] + 2 * width) if run.attention == "eager" else 0
    gated = (2 if run.fused else 3) * width * shape.intermediate  # gate, up, and the gate's activation
    if run.rank is None:
        of_matrices = 2 * residual * shape.hidden + width * (2 * shape.hidden + shape.intermediate)
    else:
        of_matrices = inputs * (width + 1)  # after the adapter's dropout, with its mask
    layer = norms + attention + scores + gated + of_matrices
    kept = shape.layers * residual * shape.hidden + layer if run.checkpointing else shape.layers * layer
    gradients = max(3 * width * shape.intermediate, scores)
    return run.rows * run.tokens * float(kept + gradients)


def _logits(shape: Shape, rows: int) -> float:
    """Bytes of the logits at the answers alone, in fp32, with their gradient and softmax."""
    return rows * shape.vocabulary * 3.0 * BYTES["fp32"]
