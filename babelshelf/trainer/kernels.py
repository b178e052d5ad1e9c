"""Liger's fused GPU kernels (arXiv 2410.10989) for a model's norms, rotations and gates: the param `kernels`.

PyTorch runs each of them as several operations, with a pass over the GPU's memory each. Liger's kernels for the loss
are not used: the trainers compute logits at the answers alone.
"""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from babelshelf.core.errors import InputError
from babelshelf.trainer.params import LIGER


def with_liger_kernels(model: PreTrainedModel) -> PreTrainedModel:
    """The model, its RMSNorm, RoPE and SwiGLU (or GeGLU) replaced by Liger's: before it gets an adapter.

    RoPE is a function of the model's module in transformers: it is replaced for all models of this type in the process.

    Raises:
        InputError: there is no GPU with CUDA, Liger is not installed, or it does not know the type of model.
    """
    if not torch.cuda.is_available():
        raise InputError("kernels: liger needs a GPU with CUDA, and there is none: set none")
    try:
        from liger_kernel.transformers import monkey_patch  # noqa: PLC0415 - needs Triton, which a CPU's torch lacks
    except ImportError as error:
        raise InputError(f"kernels: liger needs a package: {LIGER}; or set none") from error
    if model.config.model_type not in monkey_patch.MODEL_TYPE_TO_APPLY_LIGER_FN:
        raise InputError(f"kernels: liger has none for a base model of type {model.config.model_type!r}: set none")
    monkey_patch._apply_liger_kernel_to_instance(  # as transformers' use_liger_kernel calls it
        model, rope=True, rms_norm=True, swiglu=True, geglu=True, cross_entropy=False, fused_linear_cross_entropy=False
    )
    return model
