"""What columns of search data are called, in the languages of the demo, and what a name says of a column.

Names are compared as `plain` makes them: lower case, words apart (`queryText` and `query_text` are `query text`).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import SequenceMatcher

from babelshelf.text.keys import key

CLOSE = 0.8  # similarity of two names that are spelled differently
WITHIN = 0.85  # of a name that holds a synonym among other words
EXACT = 1.0

SYNONYMS = {
    "query": [
        *("query", "origin query", "search term", "search query", "keyword", "keywords", "term", "q", "user query"),
        *("query text", "search", "search text", "search phrase", "search string", "searchterm", "searchquery"),
        *("suchbegriff", "suchanfrage", "anfrage", "suchwort", "suche", "requete", "requête", "recherche"),
        *("terme de recherche", "mot cle", "mot clé", "consulta", "busqueda", "búsqueda", "termino de busqueda"),
        *(
            "término de búsqueda",
            "palabra clave",
            "busca",
            "termo de busca",
            "pesquisa",
            "ricerca",
            "termine di ricerca",
        ),
        *(
            "query di ricerca",
            "zapytanie",
            "fraza",
            "wyszukiwanie",
            "szukana fraza",
            "検索語",
            "検索クエリ",
            "クエリ",
            "検索キーワード",
        ),
        *(
            "キーワード",
            "검색어",
            "쿼리",
            "질의",
            "키워드",
            "استعلام",
            "بحث",
            "كلمة البحث",
            "عبارة البحث",
            "คำค้น",
            "คำค้นหา",
            "คำสืบค้น",
        ),
        *("truy vấn", "từ khóa", "từ khoá", "tìm kiếm", "kueri", "kata kunci", "pencarian", "istilah pencarian"),
    ],
    "qc": [
        *("category path", "category", "categories", "path", "taxonomy", "category name", "breadcrumb", "breadcrumbs"),
        *("candidate", "product category", "category tree", "kategorie", "kategoriepfad", "warengruppe", "pfad"),
        *("categorie", "catégorie", "chemin", "fil d'ariane", "categoria", "categoría", "ruta", "caminho", "percorso"),
        *(
            "kategoria",
            "sciezka",
            "ścieżka",
            "カテゴリ",
            "カテゴリー",
            "카테고리",
            "분류",
            "فئة",
            "الفئة",
            "تصنيف",
            "หมวดหมู่",
        ),
        *("danh mục", "ngành hàng", "kategori", "jalur kategori"),
    ],
    "qi": [
        *("item title", "title", "product title", "item", "product", "product name", "item name", "name", "candidate"),
        *("listing title", "offer title", "produkttitel", "produktname", "artikelname", "artikelbezeichnung", "titel"),
        *("bezeichnung", "artikel", "produkt", "titre", "titre du produit", "nom du produit", "produit", "titulo"),
        *("título", "titulo del producto", "producto", "nombre del producto", "produto", "nome do produto"),
        *("título do produto", "titolo", "titolo prodotto", "nome prodotto", "prodotto", "tytuł", "tytul", "nazwa"),
        *(
            "nazwa produktu",
            "tytuł produktu",
            "商品名",
            "タイトル",
            "商品タイトル",
            "상품명",
            "제목",
            "상품 제목",
            "عنوان",
        ),
        *("عنوان المنتج", "اسم المنتج", "المنتج", "ชื่อสินค้า", "สินค้า", "ชื่อ", "tên sản phẩm", "tiêu đề", "sản phẩm"),
        *("nama produk", "judul", "judul produk", "produk"),
    ],
    "label": [
        *("label", "relevance", "relevant", "is relevant", "target", "y", "class", "score", "rating", "grade"),
        *("judgment", "judgement", "match", "is match", "gold", "answer", "esci label", "relevance label", "click"),
        *(
            "relevance score",
            "relevance grade",
            "clicked",
            "purchased",
            "relevanz",
            "bewertung",
            "urteil",
            "pertinence",
        ),
        *("pertinent", "étiquette", "relevancia", "relevante", "etiqueta", "relevância", "rótulo", "rilevanza"),
        *("rilevante", "etichetta", "pertinenza", "trafność", "trafnosc", "etykieta", "istotność", "ocena", "関連性"),
        *(
            "ラベル",
            "適合性",
            "評価",
            "관련성",
            "라벨",
            "레이블",
            "ملاءمة",
            "صلة",
            "تصنيف الصلة",
            "ความเกี่ยวข้อง",
            "ป้ายกำกับ",
        ),
        *("nhãn", "mức độ liên quan", "độ liên quan", "relevansi", "relevan"),
    ],
    "language": [
        *(
            "language",
            "lang",
            "locale",
            "query language",
            "language code",
            "query locale",
            "product locale",
            "iso code",
        ),
        *("query lang", "sprache", "sprachcode", "langue", "idioma", "lengua", "lingua", "linguagem", "język", "jezyk"),
        *("言語", "언어", "اللغة", "لغة", "ภาษา", "ngôn ngữ", "bahasa"),
    ],
    "split": ["split", "set", "fold", "partition", "subset", "data split", "dataset split", "usage", "aufteilung"],
    "id": ["id", "row id", "uid", "pair id", "example id", "record id"],
}
# Columns of a market: a country is no language.
MARKET = [
    *(
        "market",
        "country",
        "store",
        "marketplace",
        "shop",
        "site",
        "region",
        "territory",
        "geo",
        "nation",
        "storefront",
    ),
    *("country code", "market code", "land", "markt", "pays", "pais", "país", "mercado", "marché", "paese", "mercato"),
    *(
        "kraj",
        "rynek",
        "国",
        "市場",
        "국가",
        "시장",
        "بلد",
        "البلد",
        "السوق",
        "ประเทศ",
        "ตลาด",
        "quốc gia",
        "thị trường",
        "negara",
        "pasar",
    ),
]
ID_WORDS = {
    *("id", "ids", "uid", "uuid", "guid", "sku", "asin", "ean", "gtin", "upc", "isbn", "mpn", "code", "key", "hash"),
    *(
        "nr",
        "no",
        "number",
        "num",
        "nummer",
        "artikelnummer",
        "identifier",
        "kennung",
        "docid",
        "pid",
        "itemid",
        "productid",
    ),
}
# Texts of a product that are no title.
OTHER_TEXTS = {
    *(
        "brand",
        "marke",
        "marque",
        "marca",
        "marka",
        "ブランド",
        "브랜드",
        "description",
        "beschreibung",
        "color",
        "colour",
    ),
    *("farbe", "seller", "manufacturer", "hersteller", "comment", "note", "notes", "annotator", "bullet", "bullets"),
    *("url", "link", "image", "img", "picture", "user", "session", "device", "date", "time", "timestamp", "source"),
    *("material", "size", "vendor", "country", "comentario", "kommentar", "worker", "reason", "explanation"),
}


def plain(name: str) -> str:
    """A column's name as it is compared."""
    return key(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " "))


def closeness(name: str, synonyms: Collection[str]) -> float:
    """From 0 to 1; `EXACT` for a synonym, `WITHIN` and a little more for one among other words."""
    own = plain(name)
    words = f" {own} "
    known = [key(synonym) for synonym in synonyms]
    if own in known:
        return EXACT
    scores = [SequenceMatcher(None, own, synonym).ratio() for synonym in known if len(own) > 3]
    within = [WITHIN + len(synonym) / 1000 for synonym in known if len(synonym) > 1 and f" {synonym} " in words]
    return min(max([*scores, *within, 0.0]), 0.99)


def words_of(name: str) -> set[str]:
    """The words of a name."""
    return set(plain(name).split())


def is_id_name(name: str) -> bool:
    """Whether the name says that a column holds ids."""
    words = plain(name).split()
    return bool(words) and (words[-1] in ID_WORDS or words[0] in {"id", "sku", "asin", "uuid"})


def is_market(name: str) -> bool:
    """Whether the name says country, market or store."""
    return closeness(name, MARKET) >= WITHIN
