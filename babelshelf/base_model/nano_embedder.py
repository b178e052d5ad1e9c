"""A small embedder built from the catalogue: latent semantic analysis of its text, one vector a token.

Latent semantic analysis (Deerwester et al., 1990) is a truncated SVD of the matrix of texts by weighted tokens. A new
text is projected by a sum of token vectors, so the model is a static embedding, which sentence-transformers saves and
loads like any embedder of the hub.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from babelshelf.core.errors import InputError

if TYPE_CHECKING:
    from babelshelf.base_model.params import NanoEmbedderParams

FloatArray = npt.NDArray[np.float32]


def build(texts: pl.DataFrame, settings: NanoEmbedderParams, seed: int) -> SentenceTransformer:
    """Train a tokenizer and a vector a token; texts that share words, or words of the same texts, come out close.

    Only candidates are learnt from, since only candidates are embedded: the dimensions that queries in other languages
    would take are lost to them.

    Args:
        texts: unlabelled text, columns `text`, `language` and `kind` (query or candidate).
        settings: size of the vocabulary and of the vectors.
        seed: of the randomised SVD.

    Returns:
        A model that gives unit vectors of `settings.dimension`, on the CPU.

    Raises:
        InputError: there are not more candidates, or not more tokens, than dimensions.
    """
    corpus = texts.filter(pl.col("kind") == "candidate")["text"].unique(maintain_order=True).to_list()
    tokenizer = train_tokenizer(corpus, settings.vocab_size)
    rank = min(len(corpus), tokenizer.get_vocab_size())
    if settings.dimension >= rank:
        raise InputError(
            f"the embedder has {settings.dimension} dimensions, but the catalogue only {len(corpus)} candidates "
            f"of {tokenizer.get_vocab_size()} tokens: lower base_model.embedder.nano.dimension below {rank}"
        )
    static = StaticEmbedding(tokenizer, embedding_weights=token_vectors(corpus, tokenizer, settings.dimension, seed))
    return SentenceTransformer(modules=[static, Normalize()], device="cpu")


def train_tokenizer(corpus: list[str], vocab_size: int) -> Tokenizer:
    """Byte-level BPE within words: a frequent word is one token, a rare or unseen one is made of pieces.

    A word is a run of letters, marks and digits, whatever the case or width, as `text.key` has it.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"[^\p{L}\p{M}\p{N}]+"), behavior="removed"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return tokenizer


def token_vectors(corpus: list[str], tokenizer: Tokenizer, dimension: int, seed: int) -> FloatArray:
    """A vector a token, shape (vocabulary, dimension): its right singular vector times its inverse document frequency.

    The mean of a text's token vectors is then, up to its length, the projection of its TF-IDF row.
    """
    weighting = TfidfVectorizer(
        analyzer=lambda text: tokenizer.encode(text).tokens, vocabulary=tokenizer.get_vocab(), lowercase=False
    )
    svd = TruncatedSVD(dimension, random_state=seed).fit(weighting.fit_transform(corpus))
    vectors: FloatArray = (svd.components_.T * weighting.idf_[:, None]).astype(np.float32)
    return vectors
