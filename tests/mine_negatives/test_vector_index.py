"""Neighbours: exact with ties in order, approximate near the exact ones, and the same for the same seed."""

from __future__ import annotations

import itertools

import faiss
import numpy as np
import pytest

from babelshelf.core.errors import InputError
from babelshelf.mine_negatives import vector_index
from babelshelf.mine_negatives.vector_index import build_index, check_index, nearest
from tests.encoder.test_embedder import settings

KINDS = ("flat", "ivf", "hnsw")


def clustered(number: int, dimension: int = 24, seed: int = 0) -> np.ndarray:
    """Unit vectors around fifty centres."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(50, dimension))
    vectors = centres[rng.integers(50, size=number)] + 0.5 * rng.normal(size=(number, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


VECTORS = clustered(2000)
ROWS = np.arange(0, 2000, 5)


def found(k: int = 10, seed: int = 1, **changes: object) -> np.ndarray:
    return nearest(VECTORS, ROWS, VECTORS, k, settings=settings(**changes), seed=seed)


def exact(k: int) -> np.ndarray:
    return np.argsort(-(VECTORS[ROWS] @ VECTORS.T).round(5), axis=1, kind="stable")[:, :k]


def recall(some: np.ndarray) -> float:
    pairs = zip(some, exact(some.shape[1]), strict=True)
    return float(np.mean([len(np.intersect1d(one, other)) / len(one) for one, other in pairs]))


def test_nearest_ranks_equals_by_their_order_whatever_the_last_bits_say() -> None:
    angles = np.repeat([1e-3, 0, np.pi / 2], 100)  # the first two have the cosines 0.9999995 and 1 to the query
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    ranked = nearest(vectors, np.array([150, 250]), vectors, 5, settings=settings(), seed=1)
    assert ranked.tolist() == [[0, 1, 2, 3, 4], [200, 201, 202, 203, 204]]


def test_flat_is_exact() -> None:
    np.testing.assert_array_equal(found(), exact(10))


@pytest.mark.parametrize(("index", "codes"), itertools.product(KINDS, ("fp32", "fp16", "sq8")))
def test_every_index_finds_nearly_all_neighbours(index: str, codes: str) -> None:
    assert recall(found(index=index, codes=codes, ivf={"lists": 16, "probes": 8})) > 0.9


def test_more_probes_and_a_wider_search_find_more() -> None:
    few, many = (recall(found(index="ivf", ivf={"lists": 16, "probes": probes})) for probes in (1, 16))
    assert few < 0.98
    assert many == 1
    poor = {"links": 2, "ef_construction": 4, "ef_search": 4}
    assert recall(found(index="hnsw", hnsw=poor)) < recall(found(index="hnsw")) - 0.1


def test_the_same_seed_gives_the_same_clusters() -> None:
    some = {"lists": 16, "probes": 1}  # k-means sees a sample: TRAIN_POINTS a cluster
    assert len(VECTORS) > 16 * vector_index.TRAIN_POINTS
    one, again = (build_index(VECTORS, settings(index="ivf", ivf=some), 1) for _ in range(2))
    np.testing.assert_array_equal(one.quantizer.reconstruct_n(0, 16), again.quantizer.reconstruct_n(0, 16))


@pytest.mark.parametrize(("index", "threads"), [("hnsw", 1), ("flat", 2)])
def test_a_graph_is_built_by_one_thread_since_its_links_depend_on_the_order(
    index: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    kind = {"hnsw": faiss.IndexHNSWFlat, "flat": faiss.IndexFlat}[index]
    add = kind.add

    def spy(self: faiss.Index, vectors: np.ndarray) -> None:
        seen.append(faiss.omp_get_max_threads())
        add(self, vectors)

    monkeypatch.setattr(kind, "add", spy)
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(2)
    try:
        build_index(VECTORS, settings(index=index), 1)
        assert seen == [threads]
        assert faiss.omp_get_max_threads() == 2
    finally:
        faiss.omp_set_num_threads(before)


def test_another_seed_gives_other_clusters() -> None:
    all_vectors = {"lists": 32, "probes": 4}  # k-means sees every one, so that only its start differs
    one, other = (build_index(VECTORS, settings(index="ivf", ivf=all_vectors), seed) for seed in (1, 2))
    assert not np.allclose(one.quantizer.reconstruct_n(0, 32), other.quantizer.reconstruct_n(0, 32))


def test_the_index_is_the_one_of_the_params() -> None:
    ivf = build_index(VECTORS, settings(index="ivf", ivf={"lists": 9, "probes": 3}), 1)
    assert (ivf.nlist, ivf.nprobe) == (9, 3)
    hnsw = build_index(VECTORS, settings(index="hnsw", hnsw={"links": 8, "ef_construction": 33, "ef_search": 44}), 1)
    assert (hnsw.hnsw.nb_neighbors(1), hnsw.hnsw.efConstruction, hnsw.hnsw.efSearch) == (8, 33, 44)
    sizes = [build_index(VECTORS, settings(index="ivf", codes=codes), 1).code_size for codes in ("fp32", "fp16", "sq8")]
    assert sizes == [96, 48, 24]


def test_vectors_that_come_in_blocks_are_all_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_index, "ADD_BLOCK", 300)
    monkeypatch.setattr(vector_index, "SEARCH_BLOCK", 7)
    np.testing.assert_array_equal(found(), exact(10))


def test_a_query_of_which_too_few_are_found_is_searched_among_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_index, "EXACT_BLOCK", 300)
    few = {"lists": 50, "probes": 1}  # a cluster has some 40 vectors
    searched = found(500, index="ivf", ivf=few)
    assert all(len(set(row)) == 500 for row in searched.tolist())
    similarity = VECTORS[ROWS] @ VECTORS.T  # equal to five digits, two vectors may change places
    near, nearest_of_all = (np.take_along_axis(similarity, numbers, axis=1) for numbers in (searched, exact(500)))
    np.testing.assert_allclose(near, nearest_of_all, rtol=0, atol=2e-5)


def test_more_neighbours_than_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="k is 2001, but there are only 2000 vectors"):
        found(2001)


def test_clusters_need_vectors() -> None:
    check_index(settings(index="ivf", ivf={"lists": 51, "probes": 1}), 2000)
    check_index(settings(), 2)
    with pytest.raises(
        InputError, match=r"but 2000 candidates are enough for only 51: lower it, or set .*index to flat"
    ):
        check_index(settings(index="ivf", ivf={"lists": 52, "probes": 1}), 2000)
